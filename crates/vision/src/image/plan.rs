//! What the headers of an image promise, before anything of it is decoded.

use super::{DecodeError, DecodedImage, Format, jpeg, png};
use crate::stage;

/// How an image is going to be decoded. Its dimensions and its work are within bounds.
#[derive(Debug)]
pub struct DecodePlan(Steps);

#[derive(Debug)]
enum Steps {
    Jpeg(jpeg::Plan),
    Png(png::Plan),
}

impl DecodePlan {
    /// Reads the headers of a JPEG or PNG, told apart by their first bytes.
    pub fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        match Format::of(bytes) {
            Some(Format::Jpeg) => jpeg::Plan::of(bytes).map(Steps::Jpeg),
            Some(Format::Png) => png::Plan::of(bytes).map(Steps::Png),
            None => Err(DecodeError::UnknownFormat),
        }
        .map(Self)
    }

    /// Width and height as the file states them, in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        match &self.0 {
            Steps::Jpeg(plan) => plan.dimensions(),
            Steps::Png(plan) => plan.dimensions(),
        }
    }

    /// The most bytes that decoding holds at a time.
    pub fn memory(&self) -> usize {
        match &self.0 {
            Steps::Jpeg(plan) => plan.memory(),
            Steps::Png(plan) => plan.memory(),
        }
    }

    /// Decodes the image of these bytes, whose plan this is; a JPEG is turned upright by its EXIF
    /// orientation, a PNG never.
    pub fn decode(&self, bytes: &[u8]) -> Result<DecodedImage, DecodeError> {
        let _stage = stage::decode().entered();
        match &self.0 {
            Steps::Jpeg(plan) => plan.decode(bytes),
            Steps::Png(plan) => plan.decode(bytes),
        }
    }
}
