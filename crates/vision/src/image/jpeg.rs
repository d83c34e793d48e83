//! JPEG: baseline, progressive, arithmetic and lossless, 8 bits a sample; grayscale, YCbCr, RGB,
//! CMYK and YCCK (read as Adobe writes them, inverted); upright by EXIF.

use std::borrow::Cow;
use std::io::Read;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat, ScalingFactor};

use super::guard::guarded;
use super::headers::{Coding, Headers};
use super::work::Work;
use super::{DecodeError, DecodedImage, limits};

pub(super) const MAGIC: [u8; 3] = [0xff, 0xd8, 0xff];
const END: [u8; 2] = [0xff, 0xd9];

/// How a file is decoded, known from its headers.
#[derive(Debug)]
pub(super) struct Plan {
    headers: Headers,
    scale: Scale,
    orientation: Option<Orientation>,
}

impl Plan {
    /// Refuses what is too large, unsupported, without pixels, or too much work.
    pub fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        let headers = Headers::read(bytes).ok_or_else(|| broken("too many scans"))?;
        check(&headers)?;
        let scale = Scale::of(&headers);
        let orientation = headers.orientation.and_then(Orientation::from_exif);
        let plan = Self { headers, scale, orientation };
        let (width, height) = plan.decoded();
        Work::of_jpeg(&plan.headers, u64::from(width) * u64::from(height)).check()?;
        Ok(plan)
    }

    /// As the file states them.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.headers.width, self.headers.height)
    }

    /// What the decoder makes.
    fn decoded(&self) -> (u32, u32) {
        (self.scale.of_side(self.headers.width), self.scale.of_side(self.headers.height))
    }

    /// The most bytes that [`Self::decode`] holds.
    pub fn memory(&self) -> usize {
        memory(&self.headers, self.decoded(), self.orientation)
    }

    /// Decodes what there is: a file cut off inside its pixel data gives the part before the cut,
    /// as in browsers.
    pub fn decode(&self, bytes: &[u8]) -> Result<DecodedImage, DecodeError> {
        let pixels = guarded(|| pixels_of(bytes, &self.headers, &self.scale))?;
        let mut image = DynamicImage::ImageRgb8(limits::shrink(pixels));
        image.apply_orientation(self.orientation.unwrap_or(Orientation::NoTransforms));
        let had_orientation = self.orientation.is_some();
        Ok(DecodedImage { pixels: image.into_rgb8(), had_orientation })
    }
}

fn broken(problem: &str) -> DecodeError {
    DecodeError::Broken(problem.to_owned())
}

/// Refuses by the headers alone what is too large, unsupported, or without pixels.
fn check(headers: &Headers) -> Result<(), DecodeError> {
    match headers.coding {
        Coding::Missing => return Err(broken("no frame header")),
        Coding::Unsupported => return Err(broken("hierarchical or lossless arithmetic coding")),
        _ => limits::check(headers.width, headers.height)?,
    }
    if headers.is_arithmetic() && headers.restarts {
        return Err(broken("arithmetic coding with restart intervals"));
    }
    if headers.precision != 8 {
        return Err(DecodeError::Broken(format!("{} bits a sample", headers.precision)));
    }
    if !matches!(headers.components.len(), 1 | 3 | 4) {
        return Err(DecodeError::Broken(format!("{} components", headers.components.len())));
    }
    if !has_pixels(headers) {
        return Err(broken("no pixel data"));
    }
    Ok(())
}

/// Whether the scans that start blocks hold a bit for at least one block in [`FEWEST_BLOCKS`]. What
/// is missing would be gray.
fn has_pixels(headers: &Headers) -> bool {
    const FEWEST_BLOCKS: u64 = 16;
    let starts = headers
        .scans
        .iter()
        .filter(|scan| scan.band_start == 0 || headers.coding == Coding::Lossless);
    let bits: u64 = starts.map(|scan| 8 * scan.bytes.saturating_sub(2) as u64).sum();
    let blocks: u64 = headers.blocks(0);
    // Arithmetic coding spends less than a bit on a block like those before it.
    bits > if headers.is_arithmetic() { 0 } else { blocks / FEWEST_BLOCKS }
}

/// What a decode to `width` x `height` holds, in bytes: the coefficients of files with several scans
/// (16 bits a sample), the pixels with a few rows of each component, and a copy of the pixels where
/// they are made RGB out of CMYK, smaller, or turned.
fn memory(
    headers: &Headers,
    (width, height): (u32, u32),
    orientation: Option<Orientation>,
) -> usize {
    let pixels = width as usize * height as usize;
    let components = headers.components.len();
    let samples: u64 = (0..components).map(|index| 64 * headers.blocks(index)).sum();
    let coefficients = if headers.keeps_coefficients() { 2 * samples as usize } else { 0 };
    let planes = if headers.is_rare() || headers.is_arithmetic() { samples as usize } else { 0 };
    let copied = components == 4
        || limits::kept(width, height) != (width, height)
        || !matches!(orientation, None | Some(Orientation::NoTransforms));
    let channels = components.max(3) + if copied { 3 } else { 0 };
    coefficients + planes + pixels * channels + pixels * 5 / 4
}

fn pixels_of(bytes: &[u8], headers: &Headers, scale: &Scale) -> Result<RgbImage, DecodeError> {
    if headers.is_rare() { rare_pixels_of(bytes) } else { usual_pixels_of(bytes, headers, scale) }
}

fn usual_pixels_of(
    bytes: &[u8],
    headers: &Headers,
    scale: &Scale,
) -> Result<RgbImage, DecodeError> {
    let limits = DecodeLimits { max_scans: headers.scans.len().max(1), ..DecodeLimits::default() };
    // The walk to the last of several scans wants an end.
    let ended =
        if headers.ended { Cow::Borrowed(bytes) } else { Cow::Owned([bytes, &END].concat()) };
    let mut decoder = Decoder::new_with_limits(&ended, limits).map_err(failed)?;
    let four_channels = headers.components.len() == 4;
    decoder.set_output_format(if four_channels { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    // The decoder wants its factors in lowest terms.
    let common = 1 << scale.eighths.trailing_zeros();
    decoder.set_scale(ScalingFactor::try_new(scale.eighths / common, 8 / common).map_err(failed)?);
    decoder.set_lenient(true);
    decoder.set_block_smoothing(true);
    let image = decoder.decode_image().map_err(failed)?;
    let pixels = if four_channels { from_inverted_cmyk(&image.data) } else { image.data };
    RgbImage::from_raw(image.width as u32, image.height as u32, pixels)
        .ok_or_else(|| broken("missing rows"))
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn failed(error: JpegError) -> DecodeError {
    DecodeError::Broken(error.to_string())
}

/// What the usual decoder refuses or gets wrong: sequential files of several scans, and luma
/// coarser than chroma.
fn rare_pixels_of(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let failed = |error: jpeg_decoder::Error| DecodeError::Broken(error.to_string());
    let mut decoder = jpeg_decoder::Decoder::new(bytes.chain(END.as_slice()));
    let data = decoder.decode().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| broken("no frame header"))?;
    let pixels = match info.pixel_format {
        jpeg_decoder::PixelFormat::RGB24 => data,
        // This decoder has turned Adobe's inverted amounts around.
        jpeg_decoder::PixelFormat::CMYK32 => {
            from_inverted_cmyk(&data.into_iter().map(|ink| !ink).collect::<Vec<u8>>())
        }
        jpeg_decoder::PixelFormat::L8 => data.into_iter().flat_map(|value| [value; 3]).collect(),
        jpeg_decoder::PixelFormat::L16 => return Err(broken("16 bits a sample")),
    };
    RgbImage::from_raw(u32::from(info.width), u32::from(info.height), pixels)
        .ok_or_else(|| broken("missing rows"))
}

/// Ink amounts, 255 for none, to the light that is left.
fn from_inverted_cmyk(pixels: &[u8]) -> Vec<u8> {
    let light = |ink: u8, black: u8| ((u32::from(ink) * u32::from(black) + 127) / 255) as u8;
    pixels
        .chunks_exact(4)
        .flat_map(|pixel| [0, 1, 2].map(|index| light(pixel[index], pixel[3])))
        .collect()
}

/// How much smaller than the file an image is decoded, in eighths.
#[derive(Debug)]
struct Scale {
    eighths: u32,
}

impl Scale {
    /// What halves the time and leaves nearly as much as is kept. Other factors cost more than
    /// decoding everything.
    const CHEAP: [u32; 3] = [5, 4, 3];
    /// The longest side that a scaled image keeps at least: a face of 24 pixels in the detector's
    /// 768 still has 96, and its crop has 112.
    const LEAST: u32 = 3072;

    /// The largest scale within what is kept.
    fn of(headers: &Headers) -> Self {
        let longest = headers.width.max(headers.height);
        let scales =
            longest > limits::KEPT_SIDE && headers.coding != Coding::Lossless && !headers.is_rare();
        let fits = |eighths: &u32| {
            let side = (longest * eighths).div_ceil(8);
            (Self::LEAST..=limits::KEPT_SIDE).contains(&side)
        };
        Self { eighths: Self::CHEAP.into_iter().find(fits).filter(|_| scales).unwrap_or(8) }
    }

    fn of_side(&self, side: u32) -> u32 {
        (side * self.eighths).div_ceil(8)
    }
}
