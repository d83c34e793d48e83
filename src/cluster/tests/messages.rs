use proptest::prelude::*;

use crate::cluster::seal::{Message, Seal};
use crate::cluster::wire::{Patience, Question, QuestionBody};
use crate::gallery::MemberKind;
use lookalike_store::{CollectionKey, Revision, RowRange};

proptest! {
    #[test]
    fn a_question_arrives_as_it_was_sent(
        vector in prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 1..64),
        min_cosine in prop::num::f32::NORMAL, nonce in any::<i64>(), row in any::<i64>(),
    ) {
        prop_assume!(vector.iter().all(|value| value.is_finite()));
        let question = Question {
            collection: CollectionKey(i64::MAX),
            revision: Revision { version: 5, nonce },
            kind: MemberKind::Users,
            min_cosine,
            k: usize::MAX,
            vector,
        };
        let parts = vec![RowRange { first: row, end: i64::MAX }, RowRange::ALL];
        let body = QuestionBody::new("http://two", 1, &question, &parts, Patience::Little);
        let sent = serde_json::to_vec(&body).unwrap();
        let body: QuestionBody = serde_json::from_slice(&sent).unwrap();
        let (read, read_parts, patience) = body.open();
        let bits = |question: &Question| -> Vec<u32> {
            question.vector.iter().map(|value| value.to_bits()).collect()
        };
        prop_assert_eq!(bits(&read), bits(&question));
        prop_assert_eq!((&read, read_parts, patience), (&question, parts, Patience::Little));
    }
}

#[test]
fn a_seal_is_of_one_secret_one_message_and_one_body() {
    let (ours, theirs) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
    let asked = ours.of(Message::Question, b"body");
    assert!(ours.is(&asked, Message::Question, b"body"));
    assert!(!theirs.is(&asked, Message::Question, b"body"));
    assert!(!ours.is(&asked, Message::Question, b"bodx"));
    assert!(!ours.is(&asked[..31], Message::Question, b"body"));
    assert!(!ours.is(&[], Message::Question, b"body"));
    let answered = ours.of(Message::Answer(&asked), b"body");
    assert!(ours.is(&answered, Message::Answer(&asked), b"body"));
    assert!(!ours.is(&answered, Message::Question, b"body"));
    let other = ours.of(Message::Question, b"other");
    assert!(!ours.is(&answered, Message::Answer(&other), b"body"), "of another question");
}
