//! Paths whose instructions `tools/instructions.py` counts: `instructions PATH TIMES`.

use std::hint::black_box;

use jpeg_encoder::{ColorType, Encoder};
use lookalike_vision::image::decode;

#[path = "../../../benches/support/mod.rs"]
mod support;

const SIDES: (u32, u32) = (320, 240);

fn jpeg(progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    encoder.set_progressive(progressive);
    let picture = support::picture(SIDES.0, SIDES.1);
    encoder
        .encode(&picture, SIDES.0 as u16, SIDES.1 as u16, ColorType::Rgb)
        .expect("a small picture");
    bytes
}

fn png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDES.0, SIDES.1);
    encoder.set_color(png::ColorType::Rgb);
    let picture = support::picture(SIDES.0, SIDES.1);
    let mut writer = encoder.write_header().expect("writes into memory");
    writer.write_image_data(picture.as_raw()).expect("a picture of that size");
    drop(writer);
    bytes
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (path, times) = (arguments.next().expect("a path"), arguments.next().expect("times"));
    let times: usize = times.parse().expect("a number");
    let bytes = match path.as_str() {
        "jpeg" => jpeg(false),
        "progressive_jpeg" => jpeg(true),
        "png" => png(),
        _ => panic!("there is no path {path}"),
    };
    for _ in 0..times {
        drop(black_box(decode(black_box(&bytes)).expect("a sound file")));
    }
}
