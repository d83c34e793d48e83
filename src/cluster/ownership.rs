//! Which part of a collection belongs to which node.

use std::cmp::Reverse;

use sha2::{Digest as _, Sha256};

use lookalike_store::{CollectionKey, RowRange};

/// The parts of a collection whose rows are all below `next_row`. A part has always the same rows:
/// a collection that grows gets further ones.
pub fn parts(next_row: i64, part_rows: i64) -> Vec<RowRange> {
    let count = (next_row - 2).max(0) / part_rows + 1;
    let first = |number: i64| 1 + number * part_rows;
    (0..count).map(|number| RowRange { first: first(number), end: first(number + 1) }).collect()
}

/// The nodes in the order in which they may own a part, by rendezvous hashing: the first one that
/// lives does. When a node goes, its parts pass to those that come next for them, and no other part
/// moves.
pub fn ranked(
    addresses: &[String],
    collection: CollectionKey,
    rows: RowRange,
) -> impl Iterator<Item = &str> {
    let mut ranked: Vec<(Reverse<u64>, &str)> = addresses
        .iter()
        .map(|address| (Reverse(weight(address, collection, rows)), address.as_str()))
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, address)| address)
}

/// The same on every node and in every version.
fn weight(address: &str, collection: CollectionKey, rows: RowRange) -> u64 {
    let digest = Sha256::new()
        .chain_update(collection.0.to_le_bytes())
        .chain_update(rows.first.to_le_bytes())
        .chain_update(address)
        .finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("a digest is longer"))
}
