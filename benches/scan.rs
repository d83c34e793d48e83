//! One pass over a collection, on one thread: by instruction set, by number of queries that share
//! it, and the cost of a write.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lookalike_search::{Arena, Query, simd::Isa};

const DIMENSION: usize = 128;
const ROWS: i64 = 100_000;

/// Unit vectors without pattern.
fn vectors() -> impl Iterator<Item = Vec<f32>> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    std::iter::repeat_with(move || {
        let mut vector: Vec<f32> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes().map(f32::from).iter().sum::<f32>() - 8.0 * 127.5
        })
        .take(DIMENSION)
        .collect();
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
        vector
    })
}

fn filled(isa: Isa) -> Arena {
    let arena = Arena::with_isa(DIMENSION, isa);
    for (id, vector) in (0..ROWS).zip(vectors().skip(64)) {
        arena.insert(id, &vector).expect("a unit vector");
    }
    arena
}

fn one_query(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan 100,000 x 128");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs()));
    let query = vectors().next().expect("endless");
    for isa in Isa::available() {
        let arena = filled(isa);
        for (name, floor, k) in [("threshold 0.35", 0.35, 80), ("best 80", -2.0, 80)] {
            group.bench_function(BenchmarkId::new(name, isa.name()), |bencher| {
                bencher.iter(|| arena.search(black_box(&query), floor, k));
            });
        }
    }
}

fn shared_pass(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shared pass over 100,000 x 128");
    let arena = filled(Isa::best());
    for count in [1, 2, 4, 8, 16] {
        let queries: Vec<Query> = vectors()
            .take(count)
            .map(|vector| Query::new(&vector, 0.35, 80).expect("a unit vector"))
            .collect();
        group.throughput(Throughput::Elements(queries.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| arena.search_batch(black_box(&queries)));
        });
    }
}

fn write(criterion: &mut Criterion) {
    let arena = filled(Isa::best());
    let vector = vectors().next().expect("endless");
    criterion.bench_function("insert and remove", |bencher| {
        bencher.iter(|| {
            arena.insert(-1, black_box(&vector)).expect("a unit vector");
            arena.remove(-1)
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = one_query, shared_pass, write
}
criterion_main!(benches);
