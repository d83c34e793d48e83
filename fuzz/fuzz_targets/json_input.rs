//! Input of operations: every kind of member that the model has, read with AWS's coercions and held
//! to its constraints. What is refused is refused in few words.

#![no_main]

use aws_json::constraint::{Request as _, Required, TextRule, Violations, request};
use aws_json::shapes::{Blob, Choice, Integer, List, Named};
use aws_json::{scalar, text_shapes};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Deserializer};

/// Characters of the longest message: eight members, each with its value cut short.
const LONGEST_MESSAGE: usize = 40_000;

text_shapes! {
    /// As the name of a collection.
    Name = TextRule::matching(1, 255, r"[a-zA-Z0-9_.\-]+");
    /// As the key of a tag.
    Key = TextRule::matching(1, 128, r"^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]*$");
}

#[derive(Clone, Copy)]
enum Filter {
    None,
    High,
}

impl Named for Filter {
    const ALL: &'static [(&'static str, Self)] = &[("NONE", Self::None), ("HIGH", Self::High)];
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    collection_id: Required<Name>,
    max_faces: Option<Integer<1, 4096>>,
    quality_filter: Option<Choice<Filter>>,
    face_ids: Option<List<Name, 1, 4096>>,
    bytes: Option<Blob>,
    keys: Option<List<Key, 0, 200>>,
    #[serde(deserialize_with = "threshold")]
    threshold: Option<f32>,
    #[serde(deserialize_with = "tags")]
    tags: Vec<(Key, Option<Name>)>,
}

request!(Input: collection_id, max_faces, quality_filter, face_ids, keys);

fn threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    scalar::float(deserializer).map(Some)
}

fn tags<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(Key, Option<Name>)>, D::Error> {
    scalar::map(deserializer)
}

fuzz_target!(|body: &[u8]| {
    match serde_json::from_slice::<Input>(body) {
        Ok(input) => {
            let mut violations = Violations::default();
            input.check(&mut violations);
            if let Err(refusal) = violations.into_result() {
                let message = refusal.message().unwrap_or_default();
                assert!(message.chars().count() < LONGEST_MESSAGE, "{} characters", message.len());
            }
            let _ = (input.quality_filter.and_then(|filter| filter.get()), input.threshold);
            let _ = input.tags.first().map(|(key, value)| (key.as_str(), value));
            let _ = input.bytes.map(|bytes| bytes.0.len());
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
});
