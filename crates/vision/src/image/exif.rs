//! The orientation that EXIF data states.

/// How the content of an EXIF segment begins.
pub(super) const MAGIC: &[u8] = b"Exif\0\0";

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// The orientation in the first directory of a TIFF structure, 1 to 8. EXIF wants it as a SHORT;
/// some writers use a LONG.
pub(super) fn orientation(tiff: &[u8]) -> Option<u8> {
    let reader = Reader { tiff, little_endian: tiff.starts_with(b"II") };
    if !reader.little_endian && !tiff.starts_with(b"MM") {
        return None;
    }
    let directory = reader.long(4)? as usize;
    let count = usize::from(reader.short(directory)?);
    let entry = (0..count)
        .map(|index| directory + 2 + 12 * index)
        .take_while(|entry| entry + 12 <= tiff.len())
        .find(|entry| reader.short(*entry) == Some(ORIENTATION))?;
    let value = match reader.short(entry + 2)? {
        SHORT => u32::from(reader.short(entry + 8)?),
        LONG => reader.long(entry + 8)?,
        _ => return None,
    };
    u8::try_from(value).ok().filter(|value| (1..=8).contains(value))
}

struct Reader<'a> {
    tiff: &'a [u8],
    little_endian: bool,
}

impl Reader<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.tiff.get(at..)?.first_chunk()?;
        Some(if self.little_endian {
            u16::from_le_bytes(*bytes)
        } else {
            u16::from_be_bytes(*bytes)
        })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.tiff.get(at..)?.first_chunk()?;
        Some(if self.little_endian {
            u32::from_le_bytes(*bytes)
        } else {
            u32::from_be_bytes(*bytes)
        })
    }
}
