//! Makes an image smaller while its rows arrive, so that the whole of it never exists.

use image::RgbImage;

use super::limits;
use super::resize::{Resizer, Window};

/// Parts that a row is cut into where two rows of the smaller image meet. With at most
/// [`MAX_SIDE`](super::MAX_SIDE) / [`KEPT_SIDE`](limits::KEPT_SIDE) rows in one, sums fit 16 bits.
const PARTS: u64 = 64;
/// Averaged rows that are made narrower together.
const STRIP: usize = 64;

/// Takes gray or RGB rows from top to bottom; keeps at most [`limits::KEPT_SIDE`] pixels a side.
///
/// Rows are averaged by the area that they cover of a row below them, then columns by the filter of
/// [`Resizer`].
pub(super) struct Rows {
    source: (u32, u32),
    kept: (u32, u32),
    /// Of the rows taken: 1 or 3.
    channels: usize,
    pixels: Vec<u8>,
    /// Of the row that is being averaged.
    sums: Vec<u16>,
    /// Averaged rows at the source's width.
    strip: Vec<u8>,
    /// Parts of source rows that have been averaged.
    taken: u64,
    /// Rows of the smaller image that are averaged.
    done: u64,
    resizer: Resizer,
}

impl Rows {
    /// For an image of `width` x `height`, its rows gray (1 channel) or RGB (3).
    pub fn new(width: u32, height: u32, channels: usize) -> Self {
        let kept = limits::kept(width, height);
        let shrinks = kept != (width, height);
        Self {
            source: (width, height),
            kept,
            channels,
            pixels: Vec::with_capacity(kept.0 as usize * kept.1 as usize * 3),
            sums: vec![0; if shrinks { width as usize * channels } else { 0 }],
            strip: Vec::with_capacity(if shrinks { width as usize * 3 * STRIP } else { 0 }),
            taken: 0,
            done: 0,
            resizer: Resizer::default(),
        }
    }

    /// What it holds at most for an image of `width` x `height`, in bytes.
    pub fn memory(width: u32, height: u32) -> usize {
        let kept = limits::kept(width, height);
        let strip = if kept == (width, height) { 0 } else { width as usize * (3 * STRIP + 6) };
        (kept.0 as usize * kept.1 as usize + kept.0 as usize * STRIP) * 3 + strip
    }

    /// Takes the next row, a byte for each channel of a pixel.
    pub fn push(&mut self, row: &[u8]) {
        if self.kept == self.source {
            if self.channels == 1 {
                self.pixels.extend(row.iter().flat_map(|value| [*value; 3]));
            } else {
                self.pixels.extend_from_slice(row);
            }
            return;
        }
        let mut left = PARTS;
        while left > 0 && self.done < u64::from(self.kept.1) {
            let end = self.boundary(self.done + 1);
            let parts = left.min(end - self.taken);
            let weight = parts as u16;
            for (sum, value) in self.sums.iter_mut().zip(row) {
                *sum += weight * u16::from(*value);
            }
            self.taken += parts;
            left -= parts;
            if self.taken == end {
                self.average((end - self.boundary(self.done)) as u32);
            }
        }
    }

    /// Where a row of the smaller image begins, in parts of source rows.
    fn boundary(&self, row: u64) -> u64 {
        (row * u64::from(self.source.1) * PARTS) / u64::from(self.kept.1)
    }

    /// Ends a row of the smaller image that covers `parts` of source rows.
    fn average(&mut self, parts: u32) {
        // A product with the inverse is at most 0.3 off, so that plain areas keep their color.
        let inverse = ((1 << 16) + parts / 2) / parts;
        let half = (parts / 2) as u16;
        let mean = |sum: &u16| ((u32::from(sum + half) * inverse) >> 16) as u8;
        if self.channels == 1 {
            let start = self.strip.len();
            self.strip.resize(start + 3 * self.sums.len(), 0);
            let pixels = self.strip[start..].as_chunks_mut::<3>().0;
            pixels.iter_mut().zip(&self.sums).for_each(|(pixel, sum)| *pixel = [mean(sum); 3]);
        } else {
            self.strip.extend(self.sums.iter().map(mean));
        }
        self.sums.fill(0);
        self.done += 1;
        let row = self.source.0 as usize * 3;
        if self.strip.len() == row * STRIP || self.done == u64::from(self.kept.1) {
            self.narrow();
        }
    }

    fn narrow(&mut self) {
        let height = (self.strip.len() / (self.source.0 as usize * 3)) as u32;
        let strip = std::mem::take(&mut self.strip);
        if let Some(strip) = RgbImage::from_raw(self.source.0, height, strip) {
            let (width, rows) = (f64::from(self.source.0), f64::from(height));
            let whole = Window { left: 0.0, top: 0.0, width, height: rows };
            let narrow = self.resizer.cut(&strip, whole, (self.kept.0, height));
            self.pixels.extend_from_slice(narrow.as_raw());
            self.strip = strip.into_raw();
        }
        self.strip.clear();
    }

    /// The image, or `None` when rows are missing.
    pub fn finish(self) -> Option<RgbImage> {
        RgbImage::from_raw(self.kept.0, self.kept.1, self.pixels)
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn through_rows(image: &RgbImage) -> RgbImage {
        let mut rows = Rows::new(image.width(), image.height(), 3);
        image.as_raw().chunks_exact(image.width() as usize * 3).for_each(|row| rows.push(row));
        rows.finish().expect("every row was pushed")
    }

    #[test]
    fn a_small_image_stays_as_it_is() {
        let image = RgbImage::from_fn(90, 85, |x, y| Rgb([x as u8, y as u8, 7]));
        assert_eq!(through_rows(&image), image);
    }

    #[test]
    fn a_ramp_stays_the_same_ramp() {
        for (width, height) in [(10_000, 90), (90, 10_000), (4097, 100), (100, 8191)] {
            let value = |x: u32, y: u32, sides: (u32, u32)| {
                let share = |at: u32, side: u32| (f64::from(at) + 0.5) / f64::from(side);
                [255.0 * share(x, sides.0), 255.0 * share(y, sides.1)]
            };
            let image = RgbImage::from_fn(width, height, |x, y| {
                let [across, down] = value(x, y, (width, height));
                Rgb([across as u8, down as u8, 255])
            });
            let small = through_rows(&image);
            assert_eq!(small.dimensions(), limits::kept(width, height));
            for (x, y, pixel) in small.enumerate_pixels() {
                let [across, down] = value(x, y, small.dimensions());
                let far = [across - f64::from(pixel[0]), down - f64::from(pixel[1])];
                assert!(far.iter().all(|far| far.abs() < 4.0), "{x},{y}: {pixel:?} {far:?}");
                assert_eq!(pixel[2], 255);
            }
        }
    }

    #[test]
    fn plain_areas_keep_their_color() {
        for value in [0, 1, 60, 127, 128, 200, 254, 255] {
            let (mut gray, mut color) = (Rows::new(8, 7001, 1), Rows::new(8, 7001, 3));
            (0..7001).for_each(|_| gray.push(&[value; 8]));
            (0..7001).for_each(|_| color.push(&[value; 24]));
            let [gray, color] = [gray, color].map(|rows| rows.finish().expect("every row"));
            assert!(gray.iter().all(|kept| *kept == value), "{value}");
            assert_eq!(gray, color);
        }
    }

    #[test]
    fn a_missing_row_is_noticed() {
        let mut rows = Rows::new(5000, 100, 3);
        (0..99).for_each(|_| rows.push(&[9; 15_000]));
        assert!(rows.finish().is_none());
    }
}
