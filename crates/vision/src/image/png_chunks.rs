//! Takes out of a PNG what its pixels need, so that damage beside them does no harm.

use super::DecodeError;
use super::png::MAGIC;

/// What the first chunk states; its values may be wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    /// Bits a sample, and samples a pixel.
    pub depth: u8,
    pub channels: u8,
    color: u8,
    pub interlaced: bool,
}

impl Header {
    /// `None` without a header whose checksum is right.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let chunk = Chunks { bytes, at: MAGIC.len() }.next()?;
        let &[w3, w2, w1, w0, h3, h2, h1, h0, depth, color, _, _, interlaced] = chunk.data else {
            return None;
        };
        if &chunk.kind != b"IHDR" || !chunk.is_sound() {
            return None;
        }
        Some(Self {
            width: u32::from_be_bytes([w3, w2, w1, w0]),
            height: u32::from_be_bytes([h3, h2, h1, h0]),
            depth,
            color,
            channels: [1, 1, 3, 1, 2, 1, 4].get(usize::from(color)).copied().unwrap_or(4),
            interlaced: interlaced != 0,
        })
    }
}

impl Header {
    /// Whether each pixel states how opaque it is.
    pub fn has_alpha(self) -> bool {
        matches!(self.color, 4 | 6)
    }

    /// Whether transparency has the length that the color type wants.
    fn fits(self, transparency: &[u8]) -> bool {
        match self.color {
            0 => transparency.len() == 2,
            2 => transparency.len() == 6,
            3 => (1..=256).contains(&transparency.len()),
            _ => false,
        }
    }
}

/// A copy with the chunks that pixels depend on: header, palette, transparency, data and end.
///
/// - Other chunks are left out, so none of them can fail.
/// - A palette is cut to whole colors, at most 256; what is left of a file without its end is
///   taken.
/// - The checksum of a palette must be right; transparency with a wrong one is left out. Those of
///   the data are not looked at: the
///   checksum inside the stream covers all of it.
pub(super) fn without_damage(bytes: &[u8], header: Header) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(bytes.len() + 12);
    out.extend(MAGIC);
    let mut last = None;
    for chunk in (Chunks { bytes, at: MAGIC.len() }) {
        let repeated = last == Some(chunk.kind) && &chunk.kind != b"IDAT";
        match &chunk.kind {
            b"IHDR" if last.is_none() => append(&mut out, *b"IHDR", chunk.data),
            b"PLTE" if !repeated => {
                if !chunk.is_sound() {
                    return Err(DecodeError::Broken("the palette's checksum is wrong".to_owned()));
                }
                let length = chunk.data.len().min(3 * 256) / 3 * 3;
                if length > 0 {
                    append(&mut out, *b"PLTE", &chunk.data[..length]);
                }
            }
            b"tRNS" if !repeated && chunk.is_sound() && header.fits(chunk.data) => {
                append(&mut out, *b"tRNS", chunk.data);
            }
            b"IDAT" => append(&mut out, *b"IDAT", chunk.data),
            b"IEND" => break,
            _ => {}
        }
        last = Some(chunk.kind);
    }
    append(&mut out, *b"IEND", &[]);
    Ok(out)
}

/// Checksums are left zero: they are not looked at again.
fn append(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(kind);
    out.extend(data);
    out.extend([0; 4]);
}

struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// Kind and data, and the checksum behind them.
    covered: &'a [u8],
    checksum: Option<[u8; 4]>,
}

impl Chunk<'_> {
    fn is_sound(&self) -> bool {
        self.checksum == Some(checksum(self.covered).to_be_bytes())
    }
}

/// The chunks of a file; the last one is what there is of it.
struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let covered = &rest[4..(length.saturating_add(8)).min(rest.len())];
        let kind = *covered.first_chunk()?;
        let checksum =
            rest.get(length.checked_add(8)?..).and_then(|rest| rest.first_chunk().copied());
        self.at = self.at.checked_add(length)?.checked_add(12)?;
        Some(Chunk { kind, data: &covered[4..], covered, checksum })
    }
}

/// CRC-32 as in the PNG specification, annex D; only short chunks are checked.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}
