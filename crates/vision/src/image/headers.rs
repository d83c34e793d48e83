//! What the segments of a JPEG file state, read before anything is decoded.

use super::exif;

/// A frame and its scans. Every number is as the file states it, so it may be wrong.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub coding: Coding,
    /// Bits a sample.
    pub precision: u8,
    pub width: u32,
    pub height: u32,
    pub components: Vec<Component>,
    pub scans: Vec<Scan>,
    /// Huffman tables defined, each of which is unpacked.
    pub tables: usize,
    /// Whether nothing but pixel data of the only scan, or an end marker, comes last.
    pub ended: bool,
    /// Whether scans are cut into intervals that start afresh.
    pub restarts: bool,
    /// 1 to 8, of the first EXIF segment.
    pub orientation: Option<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Coding {
    #[default]
    Missing,
    Sequential {
        arithmetic: bool,
    },
    Progressive {
        arithmetic: bool,
    },
    Lossless,
    /// Hierarchical files, and lossless ones with arithmetic coding.
    Unsupported,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    pub identifier: u8,
    /// Samples in a unit of the frame, across and down.
    pub sampling: (u32, u32),
}

#[derive(Debug)]
pub(super) struct Scan {
    /// Indexes of components.
    pub components: Vec<usize>,
    /// The first coefficient of the band: 0 is the mean of a block.
    pub band_start: u8,
    /// Bytes up to the next marker that ends a scan.
    pub bytes: usize,
}

/// More scans than the most splitting encoder writes for four components: one each for every
/// coefficient and bit.
const MAX_SCANS: usize = 1000;

impl Headers {
    /// Walks the segments as decoders do: bytes between segments are skipped, and a file may end
    /// anywhere.
    ///
    /// A scan of a sequential file with all components is the last one, and its length is what is
    /// left; only the scans of other files are walked through. `None` for more than [`MAX_SCANS`].
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut headers = Self::default();
        let mut at = 2;
        while let Some((marker, body)) = next_marker(bytes, at) {
            at = body;
            // Markers without a length: TEM, RSTn, SOI.
            if matches!(marker, 0x01 | 0xd0..=0xd8) {
                continue;
            }
            if marker == 0xd9 {
                headers.ended = true;
                break;
            }
            let Some(segment) = segment(bytes, at) else { break };
            at += segment.len() + 2;
            match marker {
                // A second frame is an error of decoders.
                0xc0..=0xcf
                    if !matches!(marker, 0xc4 | 0xc8 | 0xcc)
                        && headers.coding == Coding::Missing =>
                {
                    headers.frame(marker, segment);
                }
                0xdd => headers.restarts |= segment.iter().any(|byte| *byte != 0),
                0xc4 => headers.tables += tables(segment),
                0xe1 if headers.orientation.is_none()
                    && headers.scans.is_empty()
                    && segment.starts_with(exif::MAGIC) =>
                {
                    headers.orientation =
                        Some(exif::orientation(&segment[exif::MAGIC.len()..]).unwrap_or(0));
                }
                0xda => {
                    let scan = headers.scan(segment, &bytes[at.min(bytes.len())..]);
                    at += scan.bytes;
                    headers.scans.push(scan);
                    if headers.is_one_scan() {
                        headers.ended = true;
                        break;
                    }
                    if headers.scans.len() > MAX_SCANS {
                        return None;
                    }
                }
                _ => {}
            }
        }
        headers.orientation = headers.orientation.filter(|orientation| *orientation != 0);
        Some(headers)
    }

    fn frame(&mut self, marker: u8, segment: &[u8]) {
        self.coding = match marker {
            0xc0 | 0xc1 => Coding::Sequential { arithmetic: false },
            0xc9 => Coding::Sequential { arithmetic: true },
            0xc2 => Coding::Progressive { arithmetic: false },
            0xca => Coding::Progressive { arithmetic: true },
            0xc3 => Coding::Lossless,
            _ => Coding::Unsupported,
        };
        let &[precision, y1, y0, x1, x0, _, ref components @ ..] = segment else { return };
        self.precision = precision;
        self.height = u32::from(u16::from_be_bytes([y1, y0]));
        self.width = u32::from(u16::from_be_bytes([x1, x0]));
        let sides = |packed: u8| (u32::from(packed >> 4), u32::from(packed & 15));
        self.components = components
            .chunks_exact(3)
            .map(|fields| Component { identifier: fields[0], sampling: sides(fields[1]) })
            .collect();
    }

    fn scan(&self, segment: &[u8], data: &[u8]) -> Scan {
        let count = segment.first().map_or(0, |count| usize::from(*count));
        let named = segment.get(1..).unwrap_or_default().chunks_exact(2).take(count);
        let components: Vec<usize> = named
            .filter_map(|fields| {
                self.components.iter().position(|component| component.identifier == fields[0])
            })
            .collect();
        let band_start = segment.get(1 + 2 * count).copied().unwrap_or(0);
        let last = self.scans.is_empty()
            && self.is_sequential()
            && components.len() == self.components.len();
        Scan { components, band_start, bytes: if last { data.len() } else { length_of_scan(data) } }
    }

    fn is_sequential(&self) -> bool {
        matches!(self.coding, Coding::Sequential { .. } | Coding::Lossless)
    }

    fn is_one_scan(&self) -> bool {
        self.is_sequential()
            && self.scans.len() == 1
            && self.scans[0].components.len() == self.components.len()
    }

    pub fn is_arithmetic(&self) -> bool {
        matches!(
            self.coding,
            Coding::Sequential { arithmetic: true } | Coding::Progressive { arithmetic: true }
        )
    }

    /// Whether few encoders write such files: sequential with several scans, luma coarser than
    /// chroma, or coarse black.
    pub fn is_rare(&self) -> bool {
        if self.is_arithmetic() || self.coding == Coding::Lossless {
            return false;
        }
        let luma = self.components.first().map_or((0, 0), |component| component.sampling);
        let finer =
            |component: &Component| component.sampling.0 > luma.0 || component.sampling.1 > luma.1;
        let coarse_black = self.components.get(3).is_some_and(|black| black.sampling != luma);
        let several_scans = self.is_sequential() && !self.is_one_scan();
        several_scans || coarse_black || self.components.iter().any(finer)
    }

    /// Whether the coefficients of all blocks are kept until the last scan.
    pub fn keeps_coefficients(&self) -> bool {
        !self.is_one_scan() && self.coding != Coding::Lossless
    }

    /// The blocks of 8 x 8 samples of a component.
    pub fn blocks(&self, component: usize) -> u64 {
        let largest = |side: fn(&Component) -> u32| {
            self.components.iter().map(side).max().unwrap_or(1).max(1)
        };
        let (across, down) =
            (largest(|component| component.sampling.0), largest(|component| component.sampling.1));
        let sampling = self.components[component].sampling;
        let side =
            |length: u32, own: u32, largest: u32| u64::from((length * own).div_ceil(8 * largest));
        side(self.width, sampling.0, across) * side(self.height, sampling.1, down)
    }
}

/// The next marker's code and where its segment starts.
fn next_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        // Any number of fill bytes may stand before a code.
        at += bytes[at..].iter().position(|byte| *byte != 0xff)?;
        if bytes[at] != 0 {
            return Some((bytes[at], at + 1));
        }
    }
}

/// A segment's content, without its length; what there is of it, when the file is cut.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])).max(2);
    Some(&bytes[at + 2..(at + length).min(bytes.len())])
}

/// Bytes up to a marker that is no restart, or to the end.
fn length_of_scan(data: &[u8]) -> usize {
    let mut at = 0;
    while let Some((marker, after)) = next_marker(data, at) {
        if !matches!(marker, 0xd0..=0xd7) {
            return after - 2;
        }
        at = after;
    }
    data.len()
}

/// How many tables a DHT segment defines.
fn tables(mut segment: &[u8]) -> usize {
    let mut count = 0;
    while let Some(lengths) = segment.get(1..17) {
        let symbols: usize = lengths.iter().map(|length| usize::from(*length)).sum();
        segment = segment.get(17 + symbols..).unwrap_or_default();
        count += 1;
    }
    count
}
