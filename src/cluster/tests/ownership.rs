use std::collections::HashMap;

use proptest::collection::btree_set;
use proptest::prelude::*;

use crate::cluster::ownership::{parts, ranked};
use lookalike_store::{CollectionKey, RowRange};

fn part(number: i64) -> RowRange {
    RowRange { first: 1 + number * 1000, end: 1001 + number * 1000 }
}

fn order(addresses: &[String], collection: i64, number: i64) -> Vec<String> {
    let ranked = ranked(addresses, CollectionKey(collection), part(number));
    ranked.map(ToOwned::to_owned).collect()
}

proptest! {
    #[test]
    fn only_the_parts_of_a_node_that_goes_move(
        addresses in btree_set("[a-z]{1,8}", 2..8), collection in 1..1000_i64, gone in any::<prop::sample::Index>(),
    ) {
        let all: Vec<String> = addresses.into_iter().collect();
        let gone = gone.get(&all).clone();
        let rest: Vec<String> = all.iter().filter(|node| **node != gone).cloned().collect();
        for number in 0..50 {
            let mut before = order(&all, collection, number);
            prop_assert_eq!(before.len(), all.len());
            before.retain(|node| *node != gone);
            // So a part whose owner stays keeps it, and any other passes to the next in line.
            prop_assert_eq!(before, order(&rest, collection, number));
        }
    }

    #[test]
    fn the_order_of_the_list_of_nodes_does_not_matter(
        mut addresses in prop::collection::vec("[a-z]{1,8}", 1..8), collection in 1..1000_i64,
    ) {
        let before = order(&addresses, collection, 3);
        addresses.reverse();
        prop_assert_eq!(before, order(&addresses, collection, 3));
    }

    #[test]
    fn every_row_is_in_one_part_and_stays_there(
        next_row in 1..100_000_i64, more in 0..100_000_i64, part_rows in 1000..20_000_i64,
    ) {
        let (now, later) = (parts(next_row, part_rows), parts(next_row + more, part_rows));
        prop_assert_eq!(&later[..now.len()], &now[..]);
        for row in [1, next_row / 2, next_row - 1] {
            let holders = now.iter().filter(|part| part.contains(row)).count();
            prop_assert_eq!(holders, usize::from((1..next_row).contains(&row)));
        }
        prop_assert!(!now.is_empty(), "an empty collection is somebody's, too");
    }
}

#[test]
fn nodes_get_about_as_many_parts() {
    let nodes: Vec<String> = (0..5).map(|number| format!("http://10.0.0.{number}:9340")).collect();
    let mut owned: HashMap<String, usize> = HashMap::new();
    for collection in 0..500 {
        for number in 0..10 {
            *owned.entry(order(&nodes, collection, number).remove(0)).or_default() += 1;
        }
    }
    assert!(
        owned.len() == 5 && owned.values().all(|count| (850..1150).contains(count)),
        "{owned:?}"
    );
}

#[test]
fn ownership_is_the_same_in_every_version() {
    let nodes = ["http://one", "http://two", "http://three"].map(ToOwned::to_owned);
    let owners: Vec<String> = (0..8).map(|number| order(&nodes, 7, number).remove(0)).collect();
    // As SHA-256 in Python gives it.
    let expected = ["one", "one", "three", "two", "one", "one", "three", "two"];
    assert_eq!(owners, expected.map(|node| format!("http://{node}")));
}
