//! Pictures with about the detail of photos, so that decoding costs what it costs on photos.

use image::{Rgb, RgbImage};

/// Smooth noise at five scales, each coarser one twice as strong, as in natural images. Always the
/// same picture for the same size.
pub fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(std::array::from_fn(|channel| {
            let octaves = (1..6)
                .map(|octave| f32::from(1_u8 << octave) * noise(x, y, octave, channel as u32 / 2));
            (128.0 + 1.2 * octaves.sum::<f32>()).clamp(0.0, 255.0) as u8
        }))
    })
}

/// Value noise in -1..=1 with a period of `2^octave` pixels.
fn noise(x: u32, y: u32, octave: u32, seed: u32) -> f32 {
    let corner = |x: u32, y: u32| {
        let mixed = (x.wrapping_mul(0x9e37_79b1)
            ^ y.wrapping_mul(0x85eb_ca77)
            ^ (octave * 64 + seed).wrapping_mul(0xc2b2_ae3d))
        .wrapping_mul(0x27d4_eb2f);
        ((mixed ^ (mixed >> 15)) & 0xffff) as f32 / 32_767.5 - 1.0
    };
    let period = 1 << octave;
    let (column, row) = (x / period, y / period);
    let (fx, fy) = ((x % period) as f32 / period as f32, (y % period) as f32 / period as f32);
    let top = corner(column, row) * (1.0 - fx) + corner(column + 1, row) * fx;
    let bottom = corner(column, row + 1) * (1.0 - fx) + corner(column + 1, row + 1) * fx;
    top * (1.0 - fy) + bottom * fy
}
