//! Pictures as files.

use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A camera's JPEG: quality 85, color at half resolution.
pub fn jpeg(picture: &RgbImage, progressive: bool) -> Vec<u8> {
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

/// A PNG of 8 bits a channel.
pub fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(picture.as_raw()))
        .expect("a picture of that size");
    bytes
}
