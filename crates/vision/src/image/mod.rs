//! Where image bytes come from, and how they become pixels.

use image::RgbImage;
use thiserror::Error;

mod budget;
mod exif;
mod guard;
mod headers;
mod jpeg;
mod limits;
mod plan;
mod png;
mod png_chunks;
mod resize;
mod rows;
#[cfg(test)]
mod tests;
mod work;

pub use budget::{LIGHT_IMAGE, PixelBudget, PixelMemory};
pub use limits::{MAX_SIDE, MIN_SIDE};
pub use plan::DecodePlan;
pub(crate) use resize::{Resizer, Window};

/// An upright 8-bit RGB image, at most 4096 pixels a side: larger ones are made smaller when they
/// are decoded.
#[derive(Debug, Clone)]
pub struct DecodedImage {
    pub pixels: RgbImage,
    /// Whether it is a JPEG whose EXIF data states an orientation.
    pub had_orientation: bool,
}

impl DecodedImage {
    /// Of pixels that were not decoded here.
    pub fn of(pixels: RgbImage) -> Self {
        Self { pixels, had_orientation: false }
    }
}

/// How an image is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Jpeg,
    Png,
}

impl Format {
    /// Told by the first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&jpeg::MAGIC) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(&png::MAGIC) {
            Some(Self::Png)
        } else {
            None
        }
    }
}

/// Why bytes are no usable image.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("neither JPEG nor PNG")]
    UnknownFormat,
    #[error("broken or unsupported image: {0}")]
    Broken(String),
    #[error("{width} x {height} exceeds {MAX_SIDE} pixels a side")]
    TooLarge { width: u32, height: u32 },
    #[error("{width} x {height} is below {MIN_SIDE} pixels a side")]
    TooSmall { width: u32, height: u32 },
    #[error("{width} x {height} pixels need more memory than all images may hold together")]
    NoRoom { width: u32, height: u32 },
    #[error("other images held all the memory for too long")]
    Busy,
}

/// Decodes a JPEG or PNG, whatever memory that takes. A server reserves the memory first: see
/// [`DecodePlan`] and [`PixelBudget`].
pub fn decode(bytes: &[u8]) -> Result<DecodedImage, DecodeError> {
    DecodePlan::of(bytes)?.decode(bytes)
}
