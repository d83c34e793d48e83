//! PNG: every color type and depth, interlaced or not, as 8-bit RGB.

use std::io::Cursor;

use image::RgbImage;
use png::{ColorType, DecodeOptions, Decoder, DecodingError, Limits, Transformations};

use super::guard::guarded;
use super::work::Work;
use super::{DecodeError, Image, budget, limits, png_chunks};

pub(super) const MAGIC: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// For chunks and the decoder's own buffers; pixels go straight into ours.
const WORKING_MEMORY: usize = 64 << 20;

/// Decodes the default image of a PNG. Damage that leaves the pixels sound is ignored (see
/// `png_chunks`); a file cut inside them is refused.
///
/// Transparency is laid over white, as viewers and converters to JPEG do: cut-out portraits keep a
/// plain background, and colors hidden under full transparency do not appear. Sixteen-bit samples
/// keep their upper byte.
pub(super) fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let header = png_chunks::Header::read(bytes)
        .ok_or_else(|| DecodeError::Broken("no sound header".to_owned()))?;
    limits::check(header.width, header.height)?;
    Work::of_png(&header, bytes.len()).check()?;
    let samples = header.width as usize * header.height as usize;
    // An interlaced image exists twice: its rows become known only in the end.
    let raw = if header.interlaced { samples * 4 } else { 0 };
    let _share = budget::reserve(bytes.len() + samples * 3 + raw);
    let pixels = guarded(|| pixels_of(bytes, header))?;
    Ok(Image { pixels: limits::shrink(pixels), had_orientation: false })
}

fn pixels_of(bytes: &[u8], header: png_chunks::Header) -> Result<RgbImage, DecodeError> {
    let sound = png_chunks::without_damage(bytes, header)?;
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(true);
    options.set_ignore_adler32(false);
    let mut decoder = Decoder::new_with_options(Cursor::new(sound), options);
    decoder.set_limits(Limits { bytes: WORKING_MEMORY });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(broken)?;
    let png_chunks::Header { width, height, interlaced, .. } = header;
    let samples = width as usize * height as usize;
    let (color, _) = reader.output_color_type();
    let mut rgb = Rows { pixels: Vec::with_capacity(samples * 3), color };
    if interlaced {
        let mut raw = vec![0; samples * color.samples()];
        reader.next_frame(&mut raw).map_err(broken)?;
        rgb.append(&raw);
    } else {
        while let Some(row) = reader.next_row().map_err(broken)? {
            rgb.append(row.data());
        }
    }
    RgbImage::from_raw(width, height, rgb.pixels)
        .ok_or_else(|| DecodeError::Broken("missing rows".to_owned()))
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn broken(error: DecodingError) -> DecodeError {
    DecodeError::Broken(error.to_string())
}

/// RGB pixels that grow from rows of any 8-bit layout.
struct Rows {
    pixels: Vec<u8>,
    color: ColorType,
}

impl Rows {
    fn append(&mut self, row: &[u8]) {
        match self.color {
            ColorType::Grayscale => self.pixels.extend(row.iter().flat_map(|value| [*value; 3])),
            ColorType::GrayscaleAlpha => {
                self.pixels.extend(
                    row.chunks_exact(2).flat_map(|pixel| [over_white(pixel[0], pixel[1]); 3]),
                );
            }
            // A palette is expanded to RGB or RGBA by the decoder.
            ColorType::Rgb | ColorType::Indexed => self.pixels.extend_from_slice(row),
            ColorType::Rgba => self.pixels.extend(row.chunks_exact(4).flat_map(|pixel| {
                [pixel[0], pixel[1], pixel[2]].map(|value| over_white(value, pixel[3]))
            })),
        }
    }
}

/// `value * alpha + 255 * (1 - alpha)`, rounded.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}
