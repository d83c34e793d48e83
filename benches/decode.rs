//! JPEG and PNG to upright pixels.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lookalike_vision::image::decode;

#[path = "support/encoded.rs"]
mod encoded;
mod support;

use encoded::{jpeg, png};

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(20);
    for (name, width, height) in
        [("640x480", 640, 480), ("2 MP", 1920, 1080), ("12 MP", 4000, 3000)]
    {
        let picture = support::picture(width, height);
        group.throughput(Throughput::Elements(u64::from(width) * u64::from(height)));
        for (kind, progressive) in [("jpeg", false), ("progressive jpeg", true)] {
            let bytes = jpeg(&picture, progressive);
            let label = format!(
                "{kind} {name}, {:.1} bits a pixel",
                bytes.len() as f64 * 8.0 / f64::from(width * height)
            );
            group.bench_function(label, |bencher| {
                bencher.iter(|| decode(&bytes).expect("a sound file"));
            });
        }
    }
    let bytes = png(&support::picture(1920, 1080));
    group.throughput(Throughput::Elements(1920 * 1080));
    group.bench_function("png 2 MP", |bencher| {
        bencher.iter(|| decode(&bytes).expect("a sound file"));
    });
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
