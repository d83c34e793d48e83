//! JPEG: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK (read as Adobe writes them,
//! inverted), upright by EXIF.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{DecodeError, Image, budget, limits};

pub(super) const MAGIC: [u8; 3] = [0xff, 0xd8, 0xff];

/// Real encoders write about ten scans. Each one is a walk over the whole image, and a scan may
/// cost only a few bytes.
const MAX_SCANS: usize = 64;

/// Decodes what there is: a file cut off inside its pixel data gives the part before the cut, as in
/// browsers.
pub(super) fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or_else(|| DecodeError::Broken("no frame header".to_owned()))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    limits::check(width, height)?;
    let frame =
        Frame::scan(bytes).ok_or_else(|| DecodeError::Broken("no pixel data".to_owned()))?;

    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let upright = orientation.unwrap_or(Orientation::NoTransforms);
    let samples = width as usize * height as usize;
    // Beside the pixels: first all coefficients (16 bits a sample) of a file with several scans,
    // later a turned copy of the pixels.
    let components = usize::from(info.components);
    let coefficients =
        if frame.progressive || frame.scanned < components { 2 * components } else { 0 };
    let turned = if upright == Orientation::NoTransforms { 0 } else { 3 };
    let _share = budget::reserve(samples * (3 + coefficients.max(turned)));

    let mut pixels = vec![0; samples * 3];
    decoder.decode_into(&mut pixels).map_err(broken)?;
    let pixels = RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| DecodeError::Broken("short image".to_owned()))?;
    let mut image = DynamicImage::ImageRgb8(limits::shrink(pixels));
    image.apply_orientation(upright);
    Ok(Image { pixels: image.into_rgb8(), had_orientation: orientation.is_some() })
}

#[allow(clippy::needless_pass_by_value, reason = "used with map_err")]
fn broken(error: zune_jpeg::errors::DecodeErrors) -> DecodeError {
    DecodeError::Broken(format!("{error:?}"))
}

/// What the marker segments before the pixel data say.
struct Frame {
    progressive: bool,
    /// Components in the first scan.
    scanned: usize,
}

impl Frame {
    /// Walks the segments up to the first scan. `None` if there is no scan with at least one byte
    /// of data, which the decoder itself would fill with grey.
    fn scan(bytes: &[u8]) -> Option<Self> {
        let mut progressive = false;
        let mut at = 2;
        loop {
            // Any number of fill bytes may stand before a marker.
            while *bytes.get(at)? != 0xff || matches!(bytes.get(at + 1)?, 0xff | 0x00) {
                at += 1;
            }
            let marker = bytes[at + 1];
            at += 2;
            // Markers without a length: TEM, RSTn, SOI.
            if matches!(marker, 0x01 | 0xd0..=0xd8) {
                continue;
            }
            let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
            match marker {
                0xd9 => return None,
                0xda => {
                    let data = bytes.get(at + length..)?;
                    let scanned = usize::from(*bytes.get(at + 2)?);
                    return (!data.is_empty() && !data.starts_with(&[0xff, 0xd9]))
                        .then_some(Self { progressive, scanned });
                }
                0xc2 | 0xc6 | 0xca | 0xce => progressive = true,
                _ => {}
            }
            at += length.max(2);
        }
    }
}
