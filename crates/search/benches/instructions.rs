//! Paths whose instructions `tools/instructions.py` counts: `instructions PATH TIMES`.

use std::hint::black_box;

use lookalike_search::{Arena, user_vector};

const DIMENSION: usize = 128;
const ROWS: usize = 10_000;

/// Unit vectors without pattern, always the same.
fn vectors() -> impl Iterator<Item = Vec<f32>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        let mut vector: Vec<f32> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .take(DIMENSION)
        .collect();
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
        vector
    })
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (path, times) = (arguments.next().expect("a path"), arguments.next().expect("times"));
    let times: usize = times.parse().expect("a number");
    let arena = Arena::new(DIMENSION);
    let rows: Vec<Vec<f32>> = vectors().take(ROWS).collect();
    let insert = |index: usize| {
        arena.insert(index as i64, &rows[index % ROWS]).expect("a unit vector");
    };
    (0..ROWS).for_each(insert);
    let query = vectors().nth(ROWS).expect("endless");
    for index in 0..times {
        match path.as_str() {
            "scan" => drop(black_box(arena.search(black_box(&query), 0.2, 80))),
            "insert" => insert(ROWS + index),
            "user_vector" => drop(black_box(user_vector(black_box(&rows[..20])))),
            _ => panic!("there is no path {path}"),
        }
    }
}
