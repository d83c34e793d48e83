//! JPEG and PNG to upright pixels.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use lookalike_vision::image::decode;

mod support;

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
    let picture = support::picture(1920, 1080);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1920, 1080);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(picture.as_raw()))
        .expect("a picture of that size");
    group.throughput(Throughput::Elements(1920 * 1080));
    group.bench_function("png 2 MP", |bencher| {
        bencher.iter(|| decode(&bytes).expect("a sound file"));
    });
    group.finish();
}

/// A camera's JPEG: quality 85, color at half resolution.
fn jpeg(picture: &RgbImage, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.set_progressive(progressive);
    let (width, height) = picture.dimensions();
    encoder
        .encode(picture, width as u16, height as u16, ColorType::Rgb)
        .expect("a picture below 65,536 pixels a side");
    bytes
}

criterion_group!(benches, decoding);
criterion_main!(benches);
