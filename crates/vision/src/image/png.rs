//! PNG: every color type and depth, interlaced or not, as 8-bit RGB.

use std::io::Cursor;

use image::RgbImage;
use png::{ColorType, DecodeOptions, Decoder, DecodingError, Limits, Transformations};

use super::guard::guarded;
use super::rows::Rows;
use super::work::Work;
use super::{DecodeError, DecodedImage, limits, png_chunks};

pub(super) const MAGIC: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// For chunks and the decoder's own buffers; pixels go straight into ours.
const WORKING_MEMORY: usize = 64 << 20;

/// How a file is decoded, known from its header.
#[derive(Debug)]
pub(super) struct Plan {
    header: png_chunks::Header,
    /// Bytes of the file.
    length: usize,
}

impl Plan {
    /// Refuses what is too large, without a sound header, or too much work.
    pub fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        let header = png_chunks::Header::read(bytes)
            .ok_or_else(|| DecodeError::Broken("no sound header".to_owned()))?;
        limits::check(header.width, header.height)?;
        Work::of_png(&header, bytes.len()).check()?;
        Ok(Self { header, length: bytes.len() })
    }

    /// As the file states them.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.header.width, self.header.height)
    }

    /// The most bytes that [`Self::decode`] holds: a copy of the sound chunks, the rows, and the
    /// whole of an interlaced image beside them, whose rows become known only in the end.
    pub fn memory(&self) -> usize {
        let png_chunks::Header { width, height, interlaced, .. } = self.header;
        let raw = if interlaced { width as usize * height as usize * 4 } else { 0 };
        self.length + raw + Rows::memory(width, height)
    }

    /// Decodes the default image. Damage that leaves the pixels sound is ignored (see
    /// `png_chunks`); a file cut inside them is refused.
    ///
    /// Transparency is laid over white, as viewers and converters to JPEG do: cut-out portraits
    /// keep a plain background, and colors hidden under full transparency do not appear.
    /// Sixteen-bit samples keep their upper byte.
    pub fn decode(&self, bytes: &[u8]) -> Result<DecodedImage, DecodeError> {
        guarded(|| pixels_of(bytes, self.header)).map(DecodedImage::of)
    }
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
    let (color, _) = reader.output_color_type();
    let gray = color == ColorType::Grayscale;
    let mut rows = Rows::new(width, height, if gray { 1 } else { 3 });
    let mut rgb = Vec::with_capacity(width as usize * 3);
    if interlaced {
        let row = width as usize * color.samples();
        let mut raw = vec![0; row * height as usize];
        reader.next_frame(&mut raw).map_err(broken)?;
        raw.chunks_exact(row).for_each(|row| rows.push(opaque(row, color, &mut rgb)));
    } else {
        while let Some(row) = reader.next_row().map_err(broken)? {
            rows.push(opaque(row.data(), color, &mut rgb));
        }
    }
    rows.finish().ok_or_else(|| DecodeError::Broken("missing rows".to_owned()))
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn broken(error: DecodingError) -> DecodeError {
    DecodeError::Broken(error.to_string())
}

/// A row of any 8-bit layout without transparency, gray or RGB; `rgb` is memory to use.
fn opaque<'a>(row: &'a [u8], color: ColorType, rgb: &'a mut Vec<u8>) -> &'a [u8] {
    match color {
        // A palette is expanded to RGB or RGBA by the decoder.
        ColorType::Grayscale | ColorType::Rgb | ColorType::Indexed => return row,
        ColorType::GrayscaleAlpha => {
            fill(rgb, row, |[value, alpha]| [over_white(*value, *alpha); 3]);
        }
        ColorType::Rgba => {
            fill(rgb, row, |[r, g, b, alpha]| [r, g, b].map(|value| over_white(*value, *alpha)));
        }
    }
    rgb
}

fn fill<const N: usize>(rgb: &mut Vec<u8>, row: &[u8], convert: impl Fn(&[u8; N]) -> [u8; 3]) {
    let pixels = row.as_chunks::<N>().0;
    rgb.resize(pixels.len() * 3, 0);
    for (target, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
        *target = convert(pixel);
    }
}

/// `value * alpha + 255 * (1 - alpha)`, rounded.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u16::from(value), u16::from(alpha));
    let product = value * alpha + 255 * (255 - alpha) + 128;
    // Division by 255, exact for products of bytes.
    ((product + (product >> 8)) >> 8) as u8
}
