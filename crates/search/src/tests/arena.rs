//! Every path against a plain scan in portable code, on vectors chosen to break bounds and orders.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use proptest::prelude::*;

use crate::codes::{Codes, Probe, Terms};
use crate::simd::{Isa, block_bytes};
use crate::testing::{ids, scattered, unit};
use crate::{Arena, CHUNK_ROWS, Hit, Query, TopK, VectorError};

/// The definition of an answer.
fn brute_force(
    rows: &BTreeMap<i64, Vec<f32>>,
    query: &[f32],
    min_cosine: f32,
    k: usize,
) -> Vec<Hit> {
    let portable = Isa::available()[0];
    let mut hits: Vec<Hit> = rows
        .iter()
        .map(|(&id, vector)| Hit { id, cosine: portable.dot(&padded(query), &padded(vector)) })
        .filter(|hit| hit.cosine >= min_cosine)
        .collect();
    hits.sort_by(Hit::rank);
    hits.truncate(k);
    hits
}

fn padded(vector: &[f32]) -> Vec<f32> {
    let mut vector = vector.to_vec();
    vector.resize(vector.len().next_multiple_of(64), 0.0);
    vector
}

/// Bit equality, of which `==` is short for signed zeros.
fn bits(hits: &[Hit]) -> Vec<(i64, u32)> {
    hits.iter().map(|hit| (hit.id, hit.cosine.to_bits())).collect()
}

/// Dense, coarse-grained (many equal scores), one-hot, zero, tiny, and with one component that
/// leaves the others no code.
fn vectors(dimension: usize) -> impl Strategy<Value = Vec<f32>> {
    let hot = move |(at, value): (usize, f32)| {
        let mut vector = vec![0.0; dimension];
        vector[at] = value;
        vector
    };
    prop_oneof![
        4 => prop::collection::vec(-1f32..1.0, dimension).prop_map(unit),
        4 => prop::collection::vec((-1i8..=1).prop_map(f32::from), dimension).prop_map(unit),
        1 => (0..dimension, prop_oneof![Just(1f32), Just(-1f32)]).prop_map(hot),
        1 => Just(vec![0.0; dimension]),
        1 => prop::collection::vec(-1f32..1.0, dimension).prop_map(|v| v.into_iter().map(|value| value * 1e-33).collect()),
        1 => prop::collection::vec(-1e-3f32..1e-3, dimension).prop_map(|mut v| { v[0] = 1.0; unit(v) }),
    ]
}

/// Dimensions with and without padding, and the products' extremes.
fn dimensions() -> impl Strategy<Value = usize> {
    prop_oneof![Just(128usize), Just(512), Just(1), Just(63), Just(64), Just(65), Just(200)]
}

#[derive(Clone, Debug)]
enum Change {
    Insert(i64, usize),
    Remove(i64),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let id = prop_oneof![0i64..40, Just(i64::MAX), Just(i64::MIN), -3i64..0];
    let change = prop_oneof![
        3 => (id.clone(), any::<prop::sample::Index>()).prop_map(|(id, vector)| Change::Insert(id, vector.index(24))),
        1 => id.prop_map(Change::Remove),
    ];
    prop::collection::vec(change, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn all_paths_agree_with_brute_force(
        (pool, changes) in dimensions().prop_flat_map(|d| (prop::collection::vec(vectors(d), 24), changes())),
        threshold in prop_oneof![Just(f32::NEG_INFINITY), -1f32..1.0, Just(0.0), Just(1.0), Just(f32::NAN), Just(f32::INFINITY)],
        k in prop_oneof![Just(0usize), Just(1), 2usize..10, Just(usize::MAX)],
        exactly_on in any::<prop::sample::Index>(),
    ) {
        let dimension = pool[0].len();
        for isa in Isa::available() {
            let arena = Arena::with_isa(dimension, isa);
            let mut model = BTreeMap::new();
            for change in &changes {
                match *change {
                    Change::Insert(id, vector) => {
                        arena.insert(id, &pool[vector]).unwrap();
                        model.insert(id, pool[vector].clone());
                    }
                    Change::Remove(id) => prop_assert_eq!(arena.remove(id), model.remove(&id).is_some()),
                }
            }
            prop_assert_eq!(arena.len(), model.len());
            for (id, vector) in &model {
                prop_assert_eq!(arena.get(*id), Some(vector.clone()));
            }
            let mut batch = Vec::new();
            let mut expected = Vec::new();
            for query in pool.iter().step_by(5) {
                // A threshold that is exactly a score must let it in.
                let scores = brute_force(&model, query, f32::NEG_INFINITY, usize::MAX);
                let on_score = if scores.is_empty() { 0.0 } else { scores[exactly_on.index(scores.len())].cosine };
                for min_cosine in [threshold, on_score] {
                    let answer = brute_force(&model, query, min_cosine, k);
                    prop_assert_eq!(bits(&arena.search(query, min_cosine, k).unwrap()), bits(&answer), "{}", isa.name());
                    batch.push(Query::new(query, min_cosine, k).unwrap());
                    expected.push(answer);
                }
            }
            let found = arena.search_batch(&batch).unwrap();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn kernels_agree(d in dimensions(), seed in any::<u64>()) {
        // Codes straight from a generator reach sums that no unit vector does.
        let padded = d.next_multiple_of(64);
        let mut state = seed | 1;
        let mut byte = move || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state.to_le_bytes()[3] };
        let mut blocks: Vec<u8> = (0..3 * block_bytes(padded)).map(|_| byte().max(byte())).collect();
        for block in blocks.chunks_exact_mut(block_bytes(padded)) {
            let first_term = block_bytes(padded) - 64;
            for (lane, terms) in block[first_term..].chunks_exact_mut(4).enumerate() {
                let row = if lane % 5 == 0 { Terms::EMPTY } else { Codes::of(&[f32::from(byte()) * 1e-5, 1e-5]).terms };
                terms.copy_from_slice(&row.to_le_bytes());
            }
        }
        let mut code = || (byte() | 1).cast_signed().max(-127);
        let codes: Vec<i8> = (0..padded).map(|_| code()).collect();
        let words = codes.chunks_exact(4).map(|four| i32::from_le_bytes([0, 1, 2, 3].map(|i: usize| four[i].cast_unsigned()))).collect();
        let code_sum = codes.iter().map(|&code| i32::from(code)).sum();
        let probe = Probe { exact: Vec::new(), words, code_sum, scale: 0.01, gain: 1.0, fine_gain: 1.0, offset: 0.0 };
        let sweep = |isa: Isa| { let mut out = Vec::new(); isa.sweep(&blocks, &probe, 1e-4, &mut out); out };
        let all = Isa::available();
        for isa in &all[1..] {
            prop_assert_eq!(sweep(*isa), sweep(all[0]), "{}", isa.name());
            let low = &blocks[..padded / 2];
            prop_assert_eq!(isa.low_product(low, &probe), all[0].low_product(low, &probe), "{}", isa.name());
        }
    }

    #[test]
    fn bounds_hold(pair in dimensions().prop_flat_map(|d| (vectors(d), vectors(d)))) {
        let (query, row) = pair;
        let probe = Probe::of(&query);
        let codes = Codes::of(&row);
        let query_codes: Vec<i32> = probe.words.iter().flat_map(|word| word.to_le_bytes()).map(|code| i32::from(code.cast_signed())).collect();
        let product = |approximation: fn(i32) -> i32| -> i32 {
            codes.unsigned.iter().zip(&query_codes).map(|(&code, &other)| approximation(i32::from(code)) * other).sum()
        };
        let score = Isa::best().dot(&probe.exact, &padded(&row));
        prop_assert!(probe.coarse_bound(product(|u| (u & !15) - 120), codes.terms) >= score);
        prop_assert!(probe.fine_bound(product(|u| u - 128), codes.terms) >= score);
    }

    #[test]
    fn parts_that_share_a_floor_merge_to_the_whole(cosines in prop::collection::vec(-8i8..8, 0..60), k in 0usize..12) {
        let hits: Vec<Hit> = (0..).zip(&cosines).map(|(id, &cosine)| Hit { id, cosine: f32::from(cosine) / 8.0 }).collect();
        let query = Query::new(&[1.0], -0.5, k).unwrap();
        let shared = crate::query::SharedFloor::default();
        let mut parts = [query.top(), query.top(), query.top()];
        for (i, &hit) in hits.iter().enumerate() {
            let part = &mut parts[i % 3];
            part.share(&shared);
            part.offer(hit);
        }
        let mut whole = query.top();
        parts.into_iter().for_each(|part| whole.merge(part));
        let mut expected: Vec<Hit> = hits.into_iter().filter(|hit| hit.cosine >= -0.5).collect();
        expected.sort_by(Hit::rank);
        expected.truncate(k);
        prop_assert_eq!(TopK::into_hits(whole), Some(expected));
    }
}

#[test]
fn chunks_fill_merge_and_empty() {
    let rows = 3 * CHUNK_ROWS + 100;
    let vectors = scattered(rows, 8);
    let arena = Arena::new(8);
    let mut model = BTreeMap::new();
    for (id, vector) in (0i64..).zip(&vectors) {
        arena.insert(id, vector).unwrap();
        model.insert(id, vector.clone());
    }
    let full = arena.memory_bytes();
    let check = |model: &BTreeMap<i64, Vec<f32>>| {
        assert_eq!(arena.len(), model.len());
        for query in &vectors[..4] {
            assert_eq!(arena.search(query, 0.2, 500).unwrap(), brute_force(model, query, 0.2, 500));
        }
        assert!(model.iter().all(|(&id, vector)| arena.get(id).as_ref() == Some(vector)));
    };
    check(&model);
    for id in (0i64..).take(rows).filter(|id| id % 8 != 3) {
        assert!(arena.remove(id));
        model.remove(&id);
    }
    check(&model);
    assert!(arena.memory_bytes() < full / 2, "sparse chunks are merged");
    for (id, vector) in (100_000i64..).zip(vectors.iter().take(CHUNK_ROWS)) {
        arena.insert(id, vector).unwrap();
        model.insert(id, vector.clone());
    }
    check(&model);
    for id in model.keys().copied().collect::<Vec<_>>() {
        assert!(arena.remove(id) && !arena.remove(id));
    }
    check(&BTreeMap::new());
    assert!(arena.snapshot().chunks() > 0 && arena.memory_bytes() < full / 8);
}

#[test]
fn a_row_takes_what_the_documentation_says() {
    let arena = Arena::new(128);
    let vectors = scattered(20 * CHUNK_ROWS, 128);
    for (id, vector) in (0i64..).zip(&vectors) {
        arena.insert(id, vector).unwrap();
        if arena.len() >= 8 * CHUNK_ROWS && arena.len().is_multiple_of(CHUNK_ROWS) {
            // Book-keeping of a chunk is a larger share of the small chunks of this test.
            assert!(
                (671..=692).contains(&(arena.memory_bytes() / arena.len())),
                "{} bytes",
                arena.memory_bytes() / arena.len()
            );
        }
    }
}

#[test]
fn scans_beside_writers_see_each_stable_row_once() {
    let vectors = scattered(8 * CHUNK_ROWS, 16);
    let arena = Arena::new(16);
    // Even ids stay; odd ids come and go, so that chunks become sparse and are merged.
    for (id, vector) in (0i64..).zip(&vectors) {
        arena.insert(id, vector).unwrap();
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers = [1, 3].map(|offset| {
            let (arena, vectors, stop) = (&arena, &vectors, &stop);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    for (id, _) in (0i64..).zip(vectors).skip(offset).step_by(4) {
                        assert!(arena.remove(id));
                    }
                    for (id, vector) in (0i64..).zip(vectors).skip(offset).step_by(4) {
                        arena.insert(id, vector).unwrap();
                    }
                }
            })
        });
        let scans: Vec<Vec<i64>> =
            (0..40).map(|_| ids(&arena.search(&vectors[0], -2.0, usize::MAX).unwrap())).collect();
        // Before the assertions: a failure must not leave the writers running.
        stop.store(true, Relaxed);
        for writer in writers {
            writer.join().unwrap();
        }
        for mut ids in scans {
            ids.sort_unstable();
            assert!(ids.is_sorted_by(|a, b| a < b), "no row twice");
            assert!(
                (0i64..).zip(&vectors).step_by(2).all(|(id, _)| ids.binary_search(&id).is_ok()),
                "no row lost"
            );
        }
    });
}

#[test]
fn refuses_what_it_cannot_bound() {
    let arena = Arena::new(2);
    assert_eq!(arena.insert(1, &[1.0]), Err(VectorError::Dimension { expected: 2, found: 1 }));
    for vector in [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [1.0, 1.0], [f32::MAX, f32::MAX]] {
        assert!(matches!(arena.insert(1, &vector), Err(VectorError::Norm(_))));
        assert!(matches!(arena.search(&vector, 0.0, 1), Err(VectorError::Norm(_))));
    }
    assert!(arena.is_empty() && arena.search(&[1.0, 0.0], -1.0, 9).unwrap().is_empty());
}
