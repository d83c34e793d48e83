//! Paths whose instructions `tools/instructions.py` counts.

use std::hint::black_box;

use lookalike_search::testing::scattered;
use lookalike_search::{Arena, user_vector};

#[path = "../../../benches/support/turns.rs"]
mod turns;

const DIMENSION: usize = 128;
const ROWS: usize = 10_000;

fn main() {
    let (path, times) = turns::asked();
    let arena = Arena::new(DIMENSION);
    let mut rows = scattered(ROWS + 1, DIMENSION);
    let query = rows.pop().expect("one more than there are rows");
    let insert = |index: usize| {
        arena.insert(index as i64, &rows[index % ROWS]).expect("a unit vector");
    };
    (0..ROWS).for_each(insert);
    for index in 0..times {
        match path.as_str() {
            "scan" => drop(black_box(arena.search(black_box(&query), 0.2, 80))),
            "insert" => insert(ROWS + index),
            "user_vector" => drop(black_box(user_vector(black_box(&rows[..20])))),
            _ => panic!("there is no path {path}"),
        }
    }
}
