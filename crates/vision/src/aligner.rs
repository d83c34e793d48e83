//! Faces to upright square crops: the five landmarks go onto the pack's template.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel coordinates of images of at most 10,000 pixels a side"
)]

use image::RgbImage;

use super::detector::Detection;
use super::geometry::{Point, SimilarityTransform};
use super::pack::{Alignment, ColorOrder, Normalization};
use crate::image::{Resizer, Window};

/// `ArcFace`'s template for 112x112 crops: image-left eye, image-right eye, nose tip, image-left
/// and image-right mouth corner.
const ARCFACE_5: [Point; 5] = [
    Point::new(38.2946, 51.6963),
    Point::new(73.5318, 51.5014),
    Point::new(56.0252, 71.7366),
    Point::new(41.5493, 92.3655),
    Point::new(70.7299, 92.2041),
];
const ARCFACE_SIDE: f32 = 112.0;

/// Faces with more image pixels than this per crop pixel are shrunk first; below, bilinear sampling
/// misses next to nothing.
const SHRINK_ABOVE: f64 = 1.75;
/// What a shrunk face keeps: image pixels per crop pixel.
const SHRINK_TO: f64 = 1.25;

/// Where the five landmarks belong in a square crop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Template {
    points: [Point; 5],
    side: u32,
}

impl Template {
    /// `scale` below 1 shrinks the face around the crop's center, so that the crop shows more
    /// around it.
    pub fn new(alignment: Alignment, side: u32, scale: f32) -> Self {
        let Alignment::Arcface5 = alignment;
        let place = |value: f32| ((value / ARCFACE_SIDE - 0.5) * scale + 0.5) * side as f32;
        Self { points: ARCFACE_5.map(|point| Point::new(place(point.x), place(point.y))), side }
    }
}

/// A square RGB crop, and the transform from image pixels to crop pixels that made it.
#[derive(Debug, Clone)]
pub(crate) struct Crop {
    /// Row-major RGB, `side * side * 3` bytes.
    pub pixels: Vec<u8>,
    pub side: u32,
    pub from_image: SimilarityTransform,
}

impl Crop {
    pub fn black(side: u32) -> Self {
        let identity = SimilarityTransform { a: 1.0, b: 0.0, tx: 0.0, ty: 0.0 };
        Self { pixels: vec![0; (side * side * 3) as usize], side, from_image: identity }
    }

    /// Swaps left and right; the transform is not adapted.
    pub fn mirror(&mut self) {
        for row in self.pixels.chunks_exact_mut(self.side as usize * 3) {
            let (mut left, mut right) = (0, self.side as usize - 1);
            while left < right {
                (0..3).for_each(|channel| row.swap(left * 3 + channel, right * 3 + channel));
                left += 1;
                right -= 1;
            }
        }
    }

    /// Appends `[3, side, side]` normalized values.
    pub fn append_tensor(&self, normalization: &Normalization, tensor: &mut Vec<f32>) {
        append_planes(&self.pixels, normalization, tensor);
    }
}

/// Appends interleaved RGB bytes as three normalized planes in the network's channel order.
pub(crate) fn append_planes(pixels: &[u8], normalization: &Normalization, tensor: &mut Vec<f32>) {
    for plane in 0..3 {
        let channel = match normalization.color {
            ColorOrder::Rgb => plane,
            ColorOrder::Bgr => 2 - plane,
        };
        let (mean, scale) = (normalization.mean[plane], 1.0 / normalization.std[plane]);
        tensor
            .extend(pixels.chunks_exact(3).map(|pixel| (f32::from(pixel[channel]) - mean) * scale));
    }
}

/// Cuts crops; keeps its scratch memory from face to face.
#[derive(Default)]
pub(crate) struct Aligner {
    resizer: Resizer,
}

impl Aligner {
    /// The crop of `face` on `template`: bilinear, black outside of the image.
    ///
    /// A pixel's center has whole coordinates, as in OpenCV's `warpAffine`, with which such
    /// templates are used in training.
    pub fn crop(&mut self, image: &RgbImage, face: &Detection, template: &Template) -> Crop {
        let from_image = SimilarityTransform::fit(&face.landmarks, &template.points)
            .unwrap_or_else(|| around_box(face, template));
        let to_image = from_image.inverse();
        let step = to_image.scale();
        let shrunk = if step > SHRINK_ABOVE {
            self.shrink(image, &to_image, template.side, step / SHRINK_TO)
        } else {
            None
        };
        let pixels = match shrunk {
            Some((tile, to_tile)) => sample(&tile, &to_tile, template.side),
            None => sample(image, &to_image, template.side),
        };
        Crop { pixels, side: template.side, from_image }
    }

    /// The part of the image that a crop looks at, made smaller by `factor` with an area-weighted
    /// filter, and the transform from the crop to it. Without this step a large face would be
    /// sampled at every n-th pixel, and its noise would alias.
    fn shrink(
        &mut self,
        image: &RgbImage,
        to_image: &SimilarityTransform,
        side: u32,
        factor: f64,
    ) -> Option<(RgbImage, SimilarityTransform)> {
        let edge = side as f32 - 1.0;
        let corners = [(0.0, 0.0), (edge, 0.0), (0.0, edge), (edge, edge)]
            .map(|(x, y)| to_image.apply(Point::new(x, y)));
        // Two reduced pixels of margin, so that the tile's edge is never an edge inside the image.
        let margin = 2.0 * factor;
        let span = |values: [f32; 4], limit: u32| -> Option<(f64, f64)> {
            let low = (f64::from(values.iter().copied().fold(f32::MAX, f32::min).floor()) - margin)
                .floor()
                .max(0.0);
            let high = (f64::from(values.iter().copied().fold(f32::MIN, f32::max).ceil()) + margin)
                .ceil()
                .min(f64::from(limit));
            (high - low >= 1.0).then_some((low, high - low))
        };
        let (left, width) = span(corners.map(|corner| corner.x), image.width())?;
        let (top, height) = span(corners.map(|corner| corner.y), image.height())?;
        let size = |length: f64| ((length / factor).round() as u32).max(1);
        let (tile_width, tile_height) = (size(width), size(height));
        let tile =
            self.resizer.cut(image, Window { left, top, width, height }, (tile_width, tile_height));
        // Resizing maps edges to edges while coordinates name centers: hence the halves. The two
        // axes' factors differ by less than half a tile pixel over the whole tile; the mean keeps
        // the transform a similarity.
        let (fx, fy) = (width / f64::from(tile_width), height / f64::from(tile_height));
        let f = f64::midpoint(fx, fy);
        let to_tile = SimilarityTransform {
            a: to_image.a / f,
            b: to_image.b / f,
            tx: (to_image.tx - left + 0.5) / fx - 0.5,
            ty: (to_image.ty - top + 0.5) / fy - 0.5,
        };
        Some((tile, to_tile))
    }
}

/// Without usable landmarks the box's center goes to the crop's center, and its longer side to the
/// crop's side.
fn around_box(face: &Detection, template: &Template) -> SimilarityTransform {
    let rect = face.bounding_box;
    let side = f64::from(template.side);
    let a = side / f64::from(rect.width.max(rect.height).max(1.0));
    let (x, y) = (f64::from(rect.left + rect.width / 2.0), f64::from(rect.top + rect.height / 2.0));
    SimilarityTransform { a, b: 0.0, tx: side / 2.0 - a * x, ty: side / 2.0 - a * y }
}

/// Reads `side * side` RGB pixels bilinearly at the places to which `to_image` takes the crop's
/// pixels.
fn sample(image: &RgbImage, to_image: &SimilarityTransform, side: u32) -> Vec<u8> {
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let stride = image.width() as usize * 3;
    let data = image.as_raw().as_slice();
    let mut pixels = Vec::with_capacity((side * side * 3) as usize);
    let (dx, dy) = (to_image.a as f32, to_image.b as f32);
    for row in 0..side {
        let start = to_image.apply(Point::new(0.0, row as f32));
        for column in 0..side {
            let (x, y) = (start.x + dx * column as f32, start.y + dy * column as f32);
            let (floor_x, floor_y) = (x.floor(), y.floor());
            let (fx, fy) = (x - floor_x, y - floor_y);
            let (x0, y0) = (floor_x as i64, floor_y as i64);
            if x0 >= 0 && y0 >= 0 && x0 + 1 < width && y0 + 1 < height {
                let at = y0 as usize * stride + x0 as usize * 3;
                let (upper, lower) = (&data[at..at + 6], &data[at + stride..at + stride + 6]);
                pixels.extend((0..3).map(|channel| {
                    let top = mix(upper[channel], upper[channel + 3], fx);
                    let bottom = mix(lower[channel], lower[channel + 3], fx);
                    (top + (bottom - top) * fy + 0.5) as u8
                }));
            } else {
                let read = |x: i64, y: i64, channel: usize| {
                    if (0..width).contains(&x) && (0..height).contains(&y) {
                        data[y as usize * stride + x as usize * 3 + channel]
                    } else {
                        0
                    }
                };
                pixels.extend((0..3).map(|channel| {
                    let top = mix(read(x0, y0, channel), read(x0 + 1, y0, channel), fx);
                    let bottom = mix(read(x0, y0 + 1, channel), read(x0 + 1, y0 + 1, channel), fx);
                    (top + (bottom - top) * fy + 0.5) as u8
                }));
            }
        }
    }
    pixels
}

fn mix(first: u8, second: u8, part: f32) -> f32 {
    f32::from(first) + (f32::from(second) - f32::from(first)) * part
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::Rect;

    /// A smooth picture: red grows with x, green with y, both known at every place.
    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 128])
        })
    }

    fn face(landmarks: [Point; 5]) -> Detection {
        Detection {
            bounding_box: Rect { left: 0.0, top: 0.0, width: 100.0, height: 100.0 },
            landmarks,
            score: 1.0,
            confidence: 100.0,
        }
    }

    #[test]
    fn landmarks_land_on_the_template() {
        let template = Template::new(Alignment::Arcface5, 112, 1.0);
        let place = SimilarityTransform { a: 1.5, b: 0.4, tx: 200.0, ty: 100.0 };
        let landmarks = template.points.map(|point| place.apply(point));
        let crop = Aligner::default().crop(&gradient(600, 500), &face(landmarks), &template);
        for (landmark, expected) in landmarks.iter().zip(template.points) {
            let got = crop.from_image.apply(*landmark);
            assert!(
                (got.x - expected.x).abs() < 1e-2 && (got.y - expected.y).abs() < 1e-2,
                "{got:?} {expected:?}"
            );
        }
    }

    /// Small, equal-size and much larger faces must all show the same picture, whichever way is
    /// taken.
    #[test]
    fn a_crop_shows_what_the_transform_says_at_every_scale() {
        let template = Template::new(Alignment::Arcface5, 112, 0.7);
        for scale in [0.4, 1.0, 1.7, 1.8, 4.0, 9.0] {
            let image = gradient(1600, 1400);
            let place =
                SimilarityTransform { a: scale * 0.98, b: scale * 0.19, tx: 300.0, ty: 80.0 };
            let landmarks = template.points.map(|point| place.apply(point));
            let crop = Aligner::default().crop(&image, &face(landmarks), &template);
            for (x, y) in [(5, 5), (60, 20), (111, 111), (30, 100)] {
                let at = place.apply(Point::new(x as f32, y as f32));
                let pixel = &crop.pixels[((y * 112 + x) * 3) as usize..][..3];
                let inside = at.x >= 1.0 && at.y >= 1.0 && at.x < 1598.0 && at.y < 1398.0;
                let expected = if inside {
                    [at.x / 1600.0 * 255.0, at.y / 1400.0 * 255.0, 128.0]
                } else {
                    [0.0; 3]
                };
                for (value, wanted) in pixel.iter().zip(expected) {
                    assert!(
                        (f32::from(*value) - wanted).abs() < 2.5,
                        "scale {scale} at {x},{y}: {pixel:?} {expected:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_large_face_is_averaged_and_not_picked_apart() {
        // A one-pixel checkerboard: every true average is gray, every single pixel black or white.
        let board = RgbImage::from_fn(1200, 1200, |x, y| {
            if (x + y) % 2 == 0 { Rgb([255; 3]) } else { Rgb([0; 3]) }
        });
        let template = Template::new(Alignment::Arcface5, 112, 1.0);
        let place = SimilarityTransform { a: 9.0, b: 0.0, tx: 50.0, ty: 50.0 };
        let crop = Aligner::default().crop(
            &board,
            &face(template.points.map(|point| place.apply(point))),
            &template,
        );
        assert!(crop.pixels.iter().all(|value| (118..=138).contains(value)), "aliased");
    }

    #[test]
    fn coincident_landmarks_fall_back_to_the_box() {
        let template = Template::new(Alignment::Arcface5, 112, 1.0);
        let crop = Aligner::default().crop(
            &gradient(200, 200),
            &face([Point::new(50.0, 50.0); 5]),
            &template,
        );
        let center = crop.from_image.apply(Point::new(50.0, 50.0));
        assert_eq!((center.x, center.y), (56.0, 56.0));
    }

    #[test]
    fn a_face_far_outside_is_black() {
        let template = Template::new(Alignment::Arcface5, 112, 1.0);
        for scale in [1.0, 8.0] {
            let place = SimilarityTransform { a: scale, b: 0.0, tx: 9_000.0, ty: -9_000.0 };
            let crop = Aligner::default().crop(
                &gradient(200, 200),
                &face(template.points.map(|point| place.apply(point))),
                &template,
            );
            assert!(crop.pixels.iter().all(|value| *value == 0));
        }
    }

    #[test]
    fn planes_follow_the_channel_order_and_normalization() {
        let normalization =
            Normalization { color: ColorOrder::Bgr, mean: [1.0, 2.0, 3.0], std: [2.0, 4.0, 8.0] };
        let mut tensor = Vec::new();
        append_planes(&[11, 22, 33, 44, 55, 66], &normalization, &mut tensor);
        assert_eq!(tensor, [16.0, 32.5, 5.0, 13.25, 1.0, 5.125]);
    }

    #[test]
    fn mirroring_swaps_columns() {
        let mut crop = Crop::black(3);
        crop.pixels = (0..27).collect();
        crop.mirror();
        assert_eq!(crop.pixels[..9], [6, 7, 8, 3, 4, 5, 0, 1, 2]);
    }
}
