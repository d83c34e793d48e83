//! What a node knows of collections without asking.

use super::looked_up;
use crate::gallery::{History, Seen};
use lookalike_store::{
    Change, ChangeSink as _, Collection, CollectionKey, FaceVector, Revision, Step, Tenant,
};
use uuid::Uuid;

fn tenant(account: &str) -> Tenant {
    Tenant { account: account.to_owned(), region: "eu-west-1".to_owned() }
}

fn staff(key: i64, version: i64, nonce: i64) -> Collection {
    let revision = Revision { version, nonce };
    Collection { revision, next_row: 10, ..looked_up(CollectionKey(key)) }
}

fn steady(seen: &Seen, tenant: &Tenant, name: &str) -> Option<Collection> {
    seen.steady(tenant, name).map(|(collection, _)| collection)
}

fn step(from: &Collection, to: &Collection) -> Option<Step> {
    Some(Step { collection: from.key, from: from.revision, to: to.revision })
}

#[test]
fn a_collection_is_steady_once_a_look_up_finds_what_was_known() {
    let seen = Seen::default();
    let (one, two) = (tenant("1"), tenant("2"));
    let states = [staff(7, 1, 10), staff(7, 2, 20)];
    assert_eq!(steady(&seen, &one, "staff"), None);
    for state in &states {
        seen.note(&one, state);
        assert_eq!(steady(&seen, &one, "staff"), None, "another state than before");
        for _ in 0..2 {
            seen.note(&one, state);
            assert_eq!(steady(&seen, &one, "staff").as_ref(), Some(state));
        }
    }
    // The same version of another history.
    seen.note(&one, &staff(7, 2, 21));
    assert_eq!(steady(&seen, &one, "staff"), None);
    assert_eq!(steady(&seen, &two, "staff"), None);
    assert_eq!(steady(&seen, &one, "visitors"), None);
}

#[test]
fn the_node_knows_its_own_commits() {
    let seen = Seen::default();
    let (owner, [first, second, third]) = (tenant("1"), [1, 2, 3].map(|at| staff(7, at, at * 10)));
    seen.note(&owner, &first);
    seen.note(&owner, &first);
    let faces = [15, 14].map(|row| FaceVector { row, vector: vec![1.0] }).to_vec();
    let change = Change::FacesAdded { collection: first.key, faces };
    seen.committed(&[change], step(&first, &second));
    let known = steady(&seen, &owner, "staff").unwrap();
    assert_eq!((known.revision, known.next_row), (second.revision, 16));
    // Between these two another node has written.
    seen.committed(&[], step(&third, &staff(7, 4, 40)));
    assert_eq!(steady(&seen, &owner, "staff").unwrap().revision, second.revision);
    seen.committed(&[], step(&staff(8, 2, 20), &third));
    assert_eq!(steady(&seen, &owner, "staff").unwrap().revision, second.revision);
}

#[test]
fn a_collection_that_is_made_again_is_another_one() {
    let seen = Seen::default();
    let (owner, other) = (tenant("1"), tenant("2"));
    for tenant in [&owner, &owner, &other, &other] {
        seen.note(tenant, &staff(if *tenant == owner { 7 } else { 8 }, 0, 0));
    }
    seen.committed(&[Change::CollectionDropped { collection: CollectionKey(7) }], None);
    assert_eq!(steady(&seen, &owner, "staff"), None);
    assert!(steady(&seen, &other, "staff").is_some());
    // Here, and by another node.
    for key in [9, 10] {
        let again = staff(key, 0, 0);
        seen.note(&owner, &again);
        assert_eq!(steady(&seen, &owner, "staff"), None);
        seen.note(&owner, &again);
        assert_eq!(steady(&seen, &owner, "staff"), Some(again));
    }
    seen.committed(&[Change::CollectionDropped { collection: CollectionKey(9) }], None);
    assert!(steady(&seen, &owner, "staff").is_some(), "the one of that name is another one now");
}

#[test]
fn of_many_collections_some_are_forgotten_and_none_is_mixed_up() {
    let seen = Seen::default();
    let owner = tenant("1");
    let named = |key: i64| Collection { name: format!("c{key}"), ..staff(key, 0, 0) };
    for key in (0..10_000).flat_map(|key| [key, key]) {
        seen.note(&owner, &named(key));
    }
    let known: Vec<i64> =
        (0..10_000).filter(|key| steady(&seen, &owner, &format!("c{key}")).is_some()).collect();
    assert!(known.contains(&9_999) && known.len() < 5_000, "{}", known.len());
    for key in known {
        assert_eq!(steady(&seen, &owner, &format!("c{key}")), Some(named(key)));
    }
}

#[test]
fn rows_are_known_for_as_long_as_nothing_was_missed() {
    let seen = Seen::default();
    let (owner, face) = (tenant("1"), Uuid::from_u128(5));
    let [first, second, third] = [1, 2, 3].map(|at| staff(7, at, at * 10));
    let history = seen.note(&owner, &first);
    let row = |history: History| seen.row(history, face);
    assert_eq!(row(history), None);
    seen.note_faces(history, [(face, 12)].into_iter());
    seen.committed(&[], step(&first, &second));
    assert_eq!(seen.note(&owner, &second), history);
    assert_eq!(seen.steady(&owner, "staff"), Some((second, history)));
    assert_eq!(row(history), Some(12));
    // By another node, and perhaps after a failover that gave the row to another face.
    let history = seen.note(&owner, &third);
    assert_eq!(row(history), None);
    assert_eq!(row(seen.note(&tenant("2"), &staff(8, 0, 0))), None);
}
