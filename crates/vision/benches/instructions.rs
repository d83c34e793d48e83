//! Paths whose instructions `tools/instructions.py` counts.

use std::hint::black_box;

use lookalike_vision::image::decode;

#[path = "../../../benches/support/encoded.rs"]
mod encoded;
#[path = "../../../benches/support/mod.rs"]
mod support;
#[path = "../../../benches/support/turns.rs"]
mod turns;

fn main() {
    let (path, times) = turns::asked();
    let picture = support::picture(320, 240);
    let bytes = match path.as_str() {
        "jpeg" => encoded::jpeg(&picture, false),
        "progressive_jpeg" => encoded::jpeg(&picture, true),
        "png" => encoded::png(&picture),
        _ => panic!("there is no path {path}"),
    };
    for _ in 0..times {
        drop(black_box(decode(black_box(&bytes)).expect("a sound file")));
    }
}
