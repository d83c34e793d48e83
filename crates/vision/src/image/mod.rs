//! Where image bytes come from, and how they become pixels.

use std::sync::Arc;

use image::RgbImage;
use thiserror::Error;

mod budget;
mod exif;
mod guard;
mod headers;
mod jpeg;
mod limits;
mod png;
mod png_chunks;
mod resize;
mod rows;
#[cfg(test)]
mod tests;
mod work;

use crate::stage;
pub use budget::{MOST_MEMORY, limit_memory, memory};
pub use limits::{MAX_SIDE, MIN_SIDE};
pub(crate) use resize::{Resizer, Window};

/// An upright 8-bit RGB image, at most 4096 pixels a side: larger ones are made smaller when they
/// are decoded.
#[derive(Debug, Clone)]
pub struct Image {
    pub pixels: RgbImage,
    /// Whether it is a JPEG whose EXIF data states an orientation.
    pub had_orientation: bool,
    /// Held as long as the pixels.
    _room: Option<Arc<budget::Room>>,
}

impl Image {
    /// Of pixels that were not decoded here.
    pub fn of(pixels: RgbImage) -> Self {
        Self { pixels, had_orientation: false, _room: None }
    }

    fn decoded(pixels: RgbImage, had_orientation: bool, mut room: budget::Room) -> Self {
        room.shrink_to(pixels.as_raw().len());
        Self { pixels, had_orientation, _room: Some(Arc::new(room)) }
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

/// Decodes a JPEG or PNG, told apart by their first bytes; a JPEG is turned upright by its EXIF
/// orientation, a PNG never.
///
/// Dimensions are checked before pixels are decoded. The call blocks while other images hold too
/// much memory (see `budget`), so it belongs on a worker thread.
pub fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let _stage = stage::decode().entered();
    match Format::of(bytes) {
        Some(Format::Jpeg) => jpeg::decode(bytes),
        Some(Format::Png) => png::decode(bytes),
        None => Err(DecodeError::UnknownFormat),
    }
}
