//! Detection, analysis and embedding on one worker, with the pack in `LOOKALIKE_PACK` or
//! `models/default`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lookalike::installation::Installation;
use lookalike_vision::image::DecodedImage;
use lookalike_vision::{Detection, Networks, Pack, Point, Rect, Vision, VisionOptions, runtime};

mod support;

fn load() -> Vision {
    let library = Installation::find().runtime(None).unwrap_or_else(|error| panic!("{error}"));
    runtime::init(&library, 1).unwrap_or_else(|error| panic!("{error}"));
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let folder = std::env::var_os("LOOKALIKE_PACK").map_or(default, PathBuf::from);
    let pack =
        Pack::open(&folder).unwrap_or_else(|error| panic!("set LOOKALIKE_PACK to a pack: {error}"));
    Vision::load(pack, VisionOptions { workers: 1, queue: 1 })
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Faces of 200 pixels in a row. What they show does not matter to the time.
fn faces(count: u8) -> Vec<Detection> {
    let layout = [(0.34, 0.46), (0.66, 0.46), (0.5, 0.64), (0.37, 0.82), (0.63, 0.82)];
    (0..count)
        .map(|index| {
            let left = 20.0 + 220.0 * f32::from(index);
            Detection {
                bounding_box: Rect { left, top: 100.0, width: 200.0, height: 260.0 },
                landmarks: layout.map(|(x, y)| Point::new(left + 200.0 * x, 100.0 + 260.0 * y)),
                score: 0.9,
                confidence: 99.0,
            }
        })
        .collect()
}

/// The time of `iterations` calls on the worker thread.
fn timed(
    vision: &Vision,
    iterations: u64,
    call: impl Fn(&mut Networks) + Send + 'static,
) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let job = vision.run(move |networks| {
        let start = Instant::now();
        (0..iterations).for_each(|_| call(networks));
        start.elapsed()
    });
    runtime.block_on(job).expect("the job runs")
}

fn stages(criterion: &mut Criterion) {
    let vision = load();
    let mut group = criterion.benchmark_group("vision");
    group.sample_size(20);
    for (name, width, height) in
        [("640x480", 640, 480), ("2 MP", 1920, 1080), ("12 MP", 4000, 3000)]
    {
        let image = Arc::new(DecodedImage::of(support::picture(width, height)));
        group.bench_function(BenchmarkId::new("detect", name), |bencher| {
            bencher.iter_custom(|iterations| {
                let image = Arc::clone(&image);
                timed(&vision, iterations, move |networks| {
                    drop(networks.detect(&image).expect("detects"));
                })
            });
        });
    }
    let image = Arc::new(DecodedImage::of(support::picture(1920, 1080)));
    for count in [1, 8] {
        group.bench_function(BenchmarkId::new("analyze", count), |bencher| {
            bencher.iter_custom(|iterations| {
                let (image, faces) = (Arc::clone(&image), faces(count));
                timed(&vision, iterations, move |networks| {
                    drop(networks.analyze(&image, &faces).expect("analyzes"));
                })
            });
        });
        group.bench_function(BenchmarkId::new("embed", count), |bencher| {
            bencher.iter_custom(|iterations| {
                let (image, faces) = (Arc::clone(&image), faces(count));
                timed(&vision, iterations, move |networks| {
                    drop(
                        networks.embed(&image, &faces.iter().collect::<Vec<_>>()).expect("embeds"),
                    );
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
