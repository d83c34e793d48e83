//! A bound on the time that one image may take, known from its headers.
//!
//! A scan of a progressive JPEG walks over the whole image and may cost a few bytes; a kilobyte of
//! PNG may unpack to a megabyte. The estimate adds up what each part costs on one core of a 2023
//! server, and an image that costs more than five photos of 12 megapixels is refused.
//! `docs/DECODING.md` has the measurements.

use super::DecodeError;
use super::headers::{Coding, Headers};
use super::png_chunks::Header;

/// Nanoseconds, roughly.
type Cost = u64;

/// What a photo of 12 megapixels and 5 MB costs, five times.
const LIMIT: Cost = 5 * 100_000_000;

const COMPRESSED_BYTE: Cost = 10;
const BLOCK_IN_SCAN: Cost = 12;
const BLOCK_IN_ARITHMETIC_SCAN: Cost = 120;
const OUTPUT_PIXEL: Cost = 3;
const LOSSLESS_SAMPLE: Cost = 15;
const UNPACKED_BYTE: Cost = 1;
const INTERLACED_PIXEL: Cost = 6;
const HUFFMAN_TABLE: Cost = 3000;

/// What an image is estimated to cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work(Cost);

impl Work {
    /// `pixels`: how many are made out of the file.
    pub fn of_jpeg(headers: &Headers, pixels: u64) -> Self {
        let blocks = |scan: &super::headers::Scan| {
            scan.components.iter().map(|index| headers.blocks(*index)).sum::<u64>()
        };
        let walked: u64 = headers.scans.iter().map(blocks).sum();
        let bytes: u64 = headers.scans.iter().map(|scan| scan.bytes as u64).sum();
        let block = match headers.coding {
            _ if headers.is_arithmetic() => BLOCK_IN_ARITHMETIC_SCAN,
            Coding::Lossless => 64 * LOSSLESS_SAMPLE,
            _ => BLOCK_IN_SCAN,
        };
        Self(
            bytes * COMPRESSED_BYTE
                + walked * block
                + pixels * OUTPUT_PIXEL
                + headers.tables as u64 * HUFFMAN_TABLE,
        )
    }

    /// `bytes`: the length of the file, which is all unpacked at worst.
    pub fn of_png(header: &Header, bytes: usize) -> Self {
        let pixels = u64::from(header.width) * u64::from(header.height);
        let raw = pixels * u64::from(header.channels) * u64::from(header.depth).div_ceil(8);
        let pixel = if header.interlaced { INTERLACED_PIXEL } else { OUTPUT_PIXEL };
        Self(bytes as u64 * COMPRESSED_BYTE + raw * UNPACKED_BYTE + pixels * pixel)
    }

    pub fn check(self) -> Result<(), DecodeError> {
        if self.0 > LIMIT {
            let photos = self.0 as f64 / (LIMIT / 5) as f64;
            return Err(DecodeError::Broken(format!(
                "takes as long as {photos:.1} photos of 12 megapixels; 5 are allowed"
            )));
        }
        Ok(())
    }
}
