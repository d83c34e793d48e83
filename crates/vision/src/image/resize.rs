//! The one place that resizes: the SIMD kernels are generic, and only those for 8-bit RGB get
//! compiled.

use fast_image_resize as fir;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use image::RgbImage;

/// Largest factor of [`average`]: its sums are 16 bits wide.
const LARGEST_FACTOR: u32 = 64;

/// A part of an image in pixels; fractions are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// Resizes; keeps its scratch memory from image to image.
#[derive(Default)]
pub(crate) struct Resizer(fir::Resizer);

impl Resizer {
    /// All of `image` at `size` (width, height). A large photo is first averaged by a whole factor,
    /// which reads every pixel once and leaves the filter less than a factor of two: three times as
    /// fast for 12 megapixels, and no less smooth.
    pub fn resize(&mut self, image: &RgbImage, size: (u32, u32)) -> RgbImage {
        let factor =
            (image.width() / size.0.max(1)).min(image.height() / size.1.max(1)).min(LARGEST_FACTOR);
        if factor < 2 {
            let (width, height) = (f64::from(image.width()), f64::from(image.height()));
            return self.cut(image, Window { left: 0.0, top: 0.0, width, height }, size);
        }
        let length = |side: u32| f64::from(side) / f64::from(factor);
        let whole = Window {
            left: 0.0,
            top: 0.0,
            width: length(image.width()),
            height: length(image.height()),
        };
        self.cut(&average(image, factor), whole, size)
    }

    /// `window` of `image` at `size` (width, height): bilinear when growing, area-weighted
    /// (triangle) when shrinking.
    pub fn cut(&mut self, image: &RgbImage, window: Window, size: (u32, u32)) -> RgbImage {
        let mut target = RgbImage::new(size.0, size.1);
        let options = fir::ResizeOptions::new()
            .resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear))
            .crop(window.left, window.top, window.width, window.height);
        let source =
            TypedImageRef::<U8x3>::from_buffer(image.width(), image.height(), image.as_raw());
        let view = TypedImage::<U8x3>::from_buffer(size.0, size.1, &mut target);
        // Buffers of an `RgbImage` always match their dimensions; a window outside of the image
        // leaves the target black.
        if let (Ok(source), Ok(mut view)) = (source, view) {
            let _ = self.0.resize_typed(&source, &mut view, &options);
        }
        target
    }
}

/// The mean of every `factor` x `factor` block; blocks at the right and lower edge may be cut.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a mean of bytes is a byte, and a sum of 64 fits 16 bits"
)]
fn average(image: &RgbImage, factor: u32) -> RgbImage {
    let stride = image.width() as usize * 3;
    let block = factor as usize;
    let size = (image.width().div_ceil(factor), image.height().div_ceil(factor));
    let mut pixels = Vec::with_capacity((size.0 * size.1 * 3) as usize);
    let mut columns = vec![0_u16; stride];
    for rows in image.as_raw().chunks(stride * block) {
        columns.fill(0);
        for row in rows.chunks_exact(stride) {
            columns.iter_mut().zip(row).for_each(|(sum, value)| *sum += u16::from(*value));
        }
        let height = rows.len() / stride;
        for cell in columns.chunks(block * 3) {
            let count = (cell.len() / 3 * height) as u32;
            for channel in 0..3 {
                let sum: u32 = cell[channel..].iter().step_by(3).map(|sum| u32::from(*sum)).sum();
                pixels.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    RgbImage::from_raw(size.0, size.1, pixels).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn windows_are_cut_and_averaged() {
        let image = RgbImage::from_fn(40, 20, |x, _| {
            if x < 20 { Rgb([200, 0, 0]) } else { Rgb([0, (x % 2 * 100) as u8, 0]) }
        });
        let window = Window { left: 20.0, top: 0.0, width: 20.0, height: 20.0 };
        let small = Resizer::default().cut(&image, window, (5, 5));
        assert_eq!(small.dimensions(), (5, 5));
        // The filter may look past the window's edge, so the outermost columns mix in their
        // neighbors.
        assert!((1..4).all(
            |x| small.get_pixel(x, 2)[0] == 0 && (40..=60).contains(&small.get_pixel(x, 2)[1])
        ));
        let outside = Window { left: 30.0, ..window };
        assert!(Resizer::default().cut(&image, outside, (5, 5)).iter().all(|value| *value == 0));
    }

    #[test]
    fn blocks_are_averaged_and_cut_at_the_edge() {
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([(10 * x + y) as u8, 7, 255]));
        let small = average(&image, 2);
        assert_eq!(small.dimensions(), (3, 2));
        // (0 + 10 + 1 + 11) / 4, rounded up; the last column and row are alone in their blocks.
        assert_eq!(
            [(0, 0), (2, 0), (2, 1)].map(|(x, y)| small.get_pixel(x, y).0),
            [[6, 7, 255], [41, 7, 255], [42, 7, 255]]
        );
    }

    /// A ramp must stay the same ramp, whichever way it is made smaller: nothing may shift.
    #[test]
    fn large_and_small_factors_agree() {
        let ramp = RgbImage::from_fn(1003, 701, |x, y| Rgb([(x / 4) as u8, (y / 3) as u8, 9]));
        for size in [(900, 629), (400, 280), (150, 105), (77, 54)] {
            let small = Resizer::default().resize(&ramp, size);
            for (x, y) in [(1, 1), (size.0 / 2, size.1 / 3), (size.0 - 2, size.1 - 2)] {
                let expected = [
                    (x as f32 + 0.5) * 1003.0 / size.0 as f32 / 4.0,
                    (y as f32 + 0.5) * 701.0 / size.1 as f32 / 3.0,
                ];
                let found = small.get_pixel(x, y).0;
                assert!(
                    (0..2).all(|i| (f32::from(found[i]) + 0.5 - expected[i]).abs() < 1.6),
                    "{size:?} at {x},{y}: {found:?} {expected:?}"
                );
            }
        }
    }
}
