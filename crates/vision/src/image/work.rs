//! A bound on the time that one image may take, known from its headers.
//!
//! A scan of a progressive JPEG walks over the whole image and may cost a few bytes; a kilobyte of
//! PNG may unpack to a megabyte. The estimate adds up what each part costs on one core of a 2023
//! server, and an image that costs more than five photos of 12 megapixels is refused.
//! `docs/DECODING.md` has the measurements.

use super::DecodeError;
use super::headers::{Coding, Headers};
use super::limits;
use super::png_chunks::Header;

/// Nanoseconds, roughly.
type Cost = u64;

/// A camera's photo of 12 megapixels.
const PHOTO: Cost = 80_000_000;
const LIMIT: Cost = 5 * PHOTO;

const JPEG_BYTE: Cost = 10;
const BLOCK: Cost = 15;
const BLOCK_IN_PROGRESSIVE_SCAN: Cost = 30;
const BLOCK_IN_ARITHMETIC_SCAN: Cost = 120;
const SCALED_BLOCK: Cost = 30;
const LOSSLESS_SAMPLE: Cost = 15;
const HUFFMAN_TABLE: Cost = 3000;
/// Of a decoded image: color, and making it smaller or turning it.
const JPEG_PIXEL: Cost = 4;

const PNG_BYTE: Cost = 18;
/// Per 4 bytes that a PNG unpacks to.
const UNPACKED_WORD: Cost = 2;
const PNG_PIXEL: Cost = 1;
/// More for a pixel that is mixed with white, and one whose rows arrive in seven passes.
const TRANSPARENT_PIXEL: Cost = 1;
const INTERLACED_PIXEL: Cost = 8;

/// What an image is estimated to cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work(Cost);

impl Work {
    /// `pixels`: how many are made out of the file.
    pub fn of_jpeg(headers: &Headers, pixels: u64) -> Self {
        let blocks = |components: &[usize]| {
            components.iter().map(|index| headers.blocks(*index)).sum::<u64>()
        };
        let all: Vec<usize> = (0..headers.components.len()).collect();
        let walked: u64 = headers.scans.iter().map(|scan| blocks(&scan.components)).sum();
        let bytes: u64 = headers.scans.iter().map(|scan| scan.bytes as u64).sum();
        let block = match headers.coding {
            _ if headers.is_arithmetic() => BLOCK_IN_ARITHMETIC_SCAN,
            Coding::Lossless => 64 * LOSSLESS_SAMPLE,
            Coding::Progressive { .. } => BLOCK_IN_PROGRESSIVE_SCAN,
            _ => BLOCK,
        };
        let scaled = pixels < u64::from(headers.width) * u64::from(headers.height);
        Self(
            bytes * JPEG_BYTE
                + walked * block
                + if scaled { blocks(&all) * SCALED_BLOCK } else { 0 }
                + pixels * JPEG_PIXEL
                + headers.tables as u64 * HUFFMAN_TABLE,
        )
    }

    /// `bytes`: the length of the file, which is all unpacked at worst.
    pub fn of_png(header: &Header, bytes: usize) -> Self {
        let pixels = u64::from(header.width) * u64::from(header.height);
        let raw = pixels * u64::from(header.channels) * u64::from(header.depth).div_ceil(8);
        let (width, height) = limits::kept(header.width, header.height);
        let kept = u64::from(width) * u64::from(height);
        let transparent = if header.has_alpha() { TRANSPARENT_PIXEL } else { 0 };
        let interlaced = if header.interlaced { INTERLACED_PIXEL } else { 0 };
        Self(
            bytes as u64 * PNG_BYTE
                + raw / 4 * UNPACKED_WORD
                + pixels * (PNG_PIXEL + transparent + interlaced)
                + kept * PNG_PIXEL,
        )
    }

    pub fn check(self) -> Result<(), DecodeError> {
        if self.0 > LIMIT {
            let photos = self.0 as f64 / PHOTO as f64;
            return Err(DecodeError::Broken(format!(
                "takes as long as {photos:.1} photos of 12 megapixels; 5 are allowed"
            )));
        }
        Ok(())
    }
}
