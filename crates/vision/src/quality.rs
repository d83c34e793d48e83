//! How usable the picture of a face is, and which faces a quality filter lets through.

use serde::Serialize;

use super::aligner::Crop;
use super::face::{AnalyzedFace, Quality};
use super::piecewise::Piecewise;

/// The part of an aligned 112-pixel crop that is face and not background, as fractions of its side.
const FACE_LEFT: f32 = 0.18;
const FACE_RIGHT: f32 = 0.82;
const FACE_TOP: f32 = 0.25;
const FACE_BOTTOM: f32 = 0.93;

/// Exponent that spreads mean luma over the scale so that well-lit portraits reach 70 to 95, as in
/// the API's published answers.
const BRIGHTNESS_GAMMA: f32 = 0.45;
/// Detail at which sharpness is 50: about that of a crop blurred with a Gaussian of 1.4 pixels.
const MEDIUM_DETAIL: f32 = 0.02;
/// Keeps the detail of flat, noisy patches low: about the variance of sensor noise and compression.
const FLAT_VARIANCE: f32 = 50.0;

/// Brightness and sharpness from an aligned crop.
///
/// Brightness is the mean luma (Rec. 601, gamma-coded) of the face, as `100 (Y / 255)^0.45`.
/// Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000) over the variance of the
/// luma itself, so that contrast and lighting cancel, as `100 d / (d + 0.02)`. Because the crop has
/// a fixed scale, it tells how much detail the face has, not how large it is: an enlarged thumbnail
/// is as blurred as a photo out of focus.
pub(crate) fn measure(crop: &Crop) -> Quality {
    let side = crop.side as usize;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a crop's side is small"
    )]
    let place = |fraction: f32| (fraction * side as f32) as usize;
    let (left, right, top, bottom) =
        (place(FACE_LEFT), place(FACE_RIGHT), place(FACE_TOP), place(FACE_BOTTOM));
    let rows: Vec<Vec<f32>> = (top..bottom)
        .map(|row| {
            crop.pixels[(row * side + left) * 3..(row * side + right) * 3]
                .chunks_exact(3)
                .map(luma)
                .collect()
        })
        .collect();
    let (mean, variance) = moments(rows.iter().flatten().copied());
    let laplacian = rows.windows(3).flat_map(|neighbors| {
        let [above, row, below] = neighbors else { unreachable!("windows of three") };
        (1..row.len() - 1)
            .map(move |x| above[x] + below[x] + row[x - 1] + row[x + 1] - 4.0 * row[x])
    });
    let (_, detail) = moments(laplacian);
    let detail = detail / (variance + FLAT_VARIANCE);
    Quality {
        brightness: 100.0 * (mean / 255.0).powf(BRIGHTNESS_GAMMA),
        sharpness: 100.0 * detail / (detail + MEDIUM_DETAIL),
    }
}

fn luma(pixel: &[u8]) -> f32 {
    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

/// Mean and variance.
#[allow(clippy::cast_possible_truncation, reason = "sums in f64, results of the inputs' precision")]
fn moments(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values.map(f64::from) {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let mean = sum / f64::max(count, 1.0);
    (mean as f32, (squares / f64::max(count, 1.0) - mean * mean).max(0.0) as f32)
}

/// Why a face was not indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    ExceedsMaxFaces,
    ExtremePose,
    LowBrightness,
    LowSharpness,
    LowConfidence,
    SmallBoundingBox,
    LowFaceQuality,
}

/// The bar that a face must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QualityFilter {
    None,
    Auto,
    Low,
    Medium,
    High,
}

/// A filter's limits; the API does not publish its own.
struct Bar {
    /// Largest yaw and pitch, degrees.
    yaw: f32,
    pitch: f32,
    brightness: f32,
    sharpness: f32,
    confidence: f32,
    /// Longer side of the box over the longer side of the image. The API's smallest face is 40
    /// pixels in 1920, which is 0.021.
    relative_size: f32,
    /// Longer side of the box in pixels: below, there is too little detail to recognize anyone.
    pixels: f32,
}

impl QualityFilter {
    fn bar(self) -> Option<Bar> {
        let bar = |yaw, pitch, brightness, sharpness, confidence, relative_size, pixels| {
            Some(Bar { yaw, pitch, brightness, sharpness, confidence, relative_size, pixels })
        };
        match self {
            Self::None => None,
            Self::Low => bar(75.0, 60.0, 20.0, 5.0, 75.0, 0.010, 20.0),
            Self::Auto => bar(65.0, 50.0, 30.0, 12.0, 80.0, 0.015, 28.0),
            Self::Medium => bar(45.0, 35.0, 40.0, 30.0, 95.0, 0.021, 45.0),
            Self::High => bar(30.0, 25.0, 50.0, 60.0, 99.0, 0.040, 80.0),
        }
    }
}

/// The embedder's rating of its own view of a face: what weight it has in a comparison, and which
/// filter lets it pass.
///
/// A rating is the cosine to expect between the embedding of this view and that of a clear, upright
/// one, 0..=1. A poor view would make strangers alike, because what the embedder then sees is the
/// blur or the bar and not the person; the weight takes that back.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityScale {
    weight: Piecewise,
    /// The least ratings that pass `LOW`, `AUTO`, `MEDIUM` and `HIGH`.
    bars: [f32; 4],
}

impl QualityScale {
    pub(crate) fn new(weight: Piecewise, bars: [f32; 4]) -> Self {
        Self { weight, bars }
    }

    /// The length, 0..=1, of a vector of this rating; never decreasing.
    pub fn weight(&self, rating: f32) -> f32 {
        self.weight.at(rating)
    }

    /// The map from rating to weight in words that are equal only for equal maps.
    pub(crate) fn weights(&self) -> String {
        let (knots, values) = self.weight.points();
        format!(" Piecewise {{ knots: {knots:?}, values: {values:?} }}")
    }

    /// Whether a filter lets a face of this rating pass.
    pub fn passes(&self, rating: f32, filter: QualityFilter) -> bool {
        let [low, auto, medium, high] = self.bars;
        let bar = match filter {
            QualityFilter::None => return true,
            QualityFilter::Low => low,
            QualityFilter::Auto => auto,
            QualityFilter::Medium => medium,
            QualityFilter::High => high,
        };
        rating >= bar
    }
}

/// Why `filter` refuses a face in an image of `image_size` (width, height) pixels; empty if it
/// passes.
#[allow(clippy::cast_precision_loss, reason = "sides are at most 10,000")]
pub fn reasons(face: &AnalyzedFace, image_size: (u32, u32), filter: QualityFilter) -> Vec<Reason> {
    let Some(bar) = filter.bar() else { return Vec::new() };
    let (width, height) = (image_size.0 as f32, image_size.1 as f32);
    let pixels = (face.bounding_box.width * width).max(face.bounding_box.height * height);
    let checks = [
        (Reason::ExtremePose, face.pose.yaw.abs() > bar.yaw || face.pose.pitch.abs() > bar.pitch),
        (Reason::LowBrightness, face.quality.brightness < bar.brightness),
        (Reason::LowSharpness, face.quality.sharpness < bar.sharpness),
        (Reason::LowConfidence, face.confidence < bar.confidence),
        (Reason::SmallBoundingBox, pixels < bar.relative_size * width.max(height)),
        (Reason::LowFaceQuality, pixels < bar.pixels),
    ];
    checks.into_iter().filter(|(_, fails)| *fails).map(|(reason, _)| reason).collect()
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::face::{Landmarks, Pose};
    use crate::{BoundingBox, SimilarityTransform};

    fn crop(image: RgbImage) -> Crop {
        let identity = SimilarityTransform { a: 1.0, b: 0.0, tx: 0.0, ty: 0.0 };
        Crop { side: image.width(), pixels: image.into_raw(), from_image: identity }
    }

    /// Stripes whose contrast and mean can be chosen.
    fn stripes(mean: u8, contrast: u8) -> RgbImage {
        RgbImage::from_fn(112, 112, |x, y| {
            let bright = (x / 4 + y / 7) % 2 == 0;
            Rgb([if bright { mean + contrast } else { mean - contrast }; 3])
        })
    }

    #[test]
    fn brightness_grows_with_light() {
        let values: Vec<f32> = [0, 20, 80, 138, 200, 255]
            .map(|level| measure(&crop(RgbImage::from_pixel(112, 112, Rgb([level; 3])))).brightness)
            .into();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
        assert_eq!((values[0], values[5]), (0.0, 100.0));
        assert!((70.0..80.0).contains(&values[3]), "a well-lit portrait: {values:?}");
    }

    #[test]
    fn sharpness_falls_with_blur_and_ignores_contrast_and_light() {
        let sharp = stripes(128, 60);
        let mut last = measure(&crop(sharp.clone())).sharpness;
        assert!(last > 90.0, "{last}");
        for sigma in [0.8, 1.5, 2.5, 4.0] {
            let blurred = measure(&crop(image::imageops::blur(&sharp, sigma))).sharpness;
            assert!(blurred < last, "sigma {sigma}: {blurred} {last}");
            last = blurred;
        }
        assert!(last < 15.0, "{last}");
        let dim = measure(&crop(stripes(60, 30))).sharpness;
        let bright = measure(&crop(stripes(150, 90))).sharpness;
        assert!((dim - bright).abs() < 2.0, "{dim} {bright}");
    }

    /// Against the textbook formula, pixel by pixel.
    #[test]
    fn the_laplacian_is_taken_at_every_inner_pixel() {
        let noise = RgbImage::from_fn(112, 112, |x, y| {
            Rgb([((x * 7919 + y * 104_729 + x * y * 31) % 200) as u8; 3])
        });
        let (left, right, top, bottom) = (20, 91, 28, 104);
        let value = |x: u32, y: u32| f32::from(noise.get_pixel(x, y)[0]);
        let mut laplacian = Vec::new();
        for y in top + 1..bottom - 1 {
            for x in left + 1..right - 1 {
                laplacian.push(
                    value(x - 1, y) + value(x + 1, y) + value(x, y - 1) + value(x, y + 1)
                        - 4.0 * value(x, y),
                );
            }
        }
        let (_, variance) = moments(
            (top..bottom)
                .flat_map(|y| (left..right).map(move |x| (x, y)))
                .map(|(x, y)| value(x, y)),
        );
        let detail = moments(laplacian.into_iter()).1 / (variance + FLAT_VARIANCE);
        let expected = 100.0 * detail / (detail + MEDIUM_DETAIL);
        let got = measure(&crop(noise.clone())).sharpness;
        assert!((got - expected).abs() < 0.01, "{got} {expected}");
    }

    fn good_face() -> AnalyzedFace {
        AnalyzedFace {
            bounding_box: BoundingBox { width: 0.3, height: 0.4, left: 0.3, top: 0.3 },
            confidence: 99.9,
            landmarks: Landmarks::new([]),
            pose: Pose { roll: 80.0, yaw: 10.0, pitch: -5.0 },
            quality: Quality { brightness: 80.0, sharpness: 85.0 },
            attributes: None,
        }
    }

    const LADDER: [QualityFilter; 5] = [
        QualityFilter::None,
        QualityFilter::Low,
        QualityFilter::Auto,
        QualityFilter::Medium,
        QualityFilter::High,
    ];

    #[test]
    fn a_good_face_passes_every_filter() {
        for filter in LADDER {
            assert_eq!(reasons(&good_face(), (640, 480), filter), [], "{filter:?}");
        }
    }

    #[test]
    fn each_fault_has_its_reason() {
        let fault = |spoil: fn(&mut AnalyzedFace), size| {
            let mut face = good_face();
            spoil(&mut face);
            assert_eq!(reasons(&face, size, QualityFilter::None), []);
            reasons(&face, size, QualityFilter::Auto)
        };
        assert_eq!(fault(|face| face.pose.yaw = -70.0, (640, 480)), [Reason::ExtremePose]);
        assert_eq!(fault(|face| face.pose.pitch = 55.0, (640, 480)), [Reason::ExtremePose]);
        assert_eq!(
            fault(|face| face.quality.brightness = 10.0, (640, 480)),
            [Reason::LowBrightness]
        );
        assert_eq!(fault(|face| face.quality.sharpness = 3.0, (640, 480)), [Reason::LowSharpness]);
        assert_eq!(fault(|face| face.confidence = 60.0, (640, 480)), [Reason::LowConfidence]);
        let tiny: fn(&mut AnalyzedFace) = |face| {
            face.bounding_box = BoundingBox { width: 0.01, height: 0.01, left: 0.1, top: 0.1 }
        };
        assert_eq!(fault(tiny, (4000, 3000)), [Reason::SmallBoundingBox]);
        assert_eq!(fault(tiny, (640, 480)), [Reason::SmallBoundingBox, Reason::LowFaceQuality]);
    }

    #[test]
    fn a_higher_bar_never_lets_more_through() {
        for step in 0..40_u8 {
            let bad = f32::from(step) / 39.0;
            let mut face = good_face();
            face.pose.yaw = 90.0 * bad;
            face.quality =
                Quality { brightness: 80.0 * (1.0 - bad), sharpness: 85.0 * (1.0 - bad) };
            let counts = LADDER.map(|filter| reasons(&face, (640, 480), filter).len());
            assert!(counts.is_sorted(), "{counts:?}");
        }
    }
}
