//! The shapes of Rekognition's model that several operations share.

mod image;
mod members;

pub use image::{Image, ImageLocation, S3Object};
pub use members::*;
