//! Landmarks, pose and attributes from wide aligned crops.

use image::RgbImage;

use super::aligner::{Aligner, Crop};
use super::crop_network::CropNetwork;
use super::detector::Detection;
use super::face::{Emotion, EyeDirection, FaceAttributes, LANDMARK_TYPES, Landmarks, Pose};
use super::geometry::Point;
use super::pose::wrap_degrees;
use super::session::Outputs;
use super::{AnalyzerSpec, VisionError};

const BATCH: usize = 4;
const LANDMARKS: usize = LANDMARK_TYPES.len();
const AGES: usize = 101;

/// The outputs of an analyzer and how many values each has for one face.
const OUTPUTS: [(&str, usize); 6] = [
    ("landmarks", LANDMARKS * 2),
    ("pose", 3),
    ("attributes", 9),
    ("age", AGES),
    ("emotions", 8),
    ("eye_direction", 3),
];

/// What the analyzer says of one face.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Analysis {
    pub landmarks: Landmarks,
    pub pose: Pose,
    pub attributes: FaceAttributes,
}

pub(crate) struct Analyzer {
    network: CropNetwork,
    age_quantiles: [f32; 2],
}

impl Analyzer {
    pub fn load(spec: &AnalyzerSpec, model: &[u8]) -> Result<Self, VisionError> {
        let network = CropNetwork::load("analyzer", &spec.crop, spec.scale, model)?;
        OUTPUTS.iter().try_for_each(|(output, _)| network.require(output))?;
        Ok(Self { network, age_quantiles: spec.age_quantiles })
    }

    /// One run on black, so that the first request pays for no lazy set-up and wrong output shapes
    /// are found at start.
    pub fn warm(&mut self) -> Result<(), VisionError> {
        self.analyze_crops(&[self.network.black()], (1, 1)).map(drop)
    }

    pub fn analyze(
        &mut self,
        aligner: &mut Aligner,
        image: &RgbImage,
        faces: &[Detection],
    ) -> Result<Vec<Analysis>, VisionError> {
        let mut analyses = Vec::with_capacity(faces.len());
        for chunk in faces.chunks(self.network.batch(BATCH)) {
            let crops: Vec<Crop> =
                chunk.iter().map(|face| self.network.crop(aligner, image, face)).collect();
            analyses.extend(self.analyze_crops(&crops, image.dimensions())?);
        }
        Ok(analyses)
    }

    fn analyze_crops(
        &mut self,
        crops: &[Crop],
        image_size: (u32, u32),
    ) -> Result<Vec<Analysis>, VisionError> {
        let (rows, outputs) = self.network.run(crops)?;
        let raw = Raw::of(&outputs, rows)?;
        Ok(crops
            .iter()
            .enumerate()
            .map(|(index, crop)| raw.row(index).read(crop, image_size, self.age_quantiles))
            .collect())
    }
}

/// The outputs, in the order of [`OUTPUTS`], row-major over one or more faces.
struct Raw<'a>([&'a [f32]; 6]);

impl<'a> Raw<'a> {
    fn of(outputs: &'a Outputs, rows: usize) -> Result<Self, VisionError> {
        let mut values = [&[] as &[f32]; 6];
        for (slot, (name, len)) in values.iter_mut().zip(OUTPUTS) {
            *slot = outputs.named(name, rows * len)?;
        }
        Ok(Self(values))
    }

    fn row(&self, index: usize) -> Self {
        Self(std::array::from_fn(|output| {
            let len = OUTPUTS[output].1;
            &self.0[output][index * len..(index + 1) * len]
        }))
    }

    /// Turns the row of one face from the crop's terms into those of an image of `image_size`.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "sides are at most 10,000; angles need no f64"
    )]
    fn read(&self, crop: &Crop, image_size: (u32, u32), age_quantiles: [f32; 2]) -> Analysis {
        let [landmarks, pose, attributes, age, emotions, gaze] = self.0;
        let to_image = crop.from_image.inverse();
        let side = crop.side as f32;
        let ratios = landmarks.chunks_exact(2).map(|pair| {
            let point = to_image.apply(Point::new(finite(pair[0]) * side, finite(pair[1]) * side));
            (point.x / image_size.0 as f32, point.y / image_size.1 as f32)
        });
        // The crop was turned upright: undoing that adds its angle.
        let roll = finite(pose[0]) + to_image.rotation_degrees() as f32;
        let probability = |value: f32| finite(value).clamp(0.0, 1.0);
        let mut ranked: [(Emotion, f32); 8] =
            std::array::from_fn(|i| (Emotion::ALL[i], probability(emotions[i])));
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let [
            eyes_open,
            mouth_open,
            smile,
            eyeglasses,
            sunglasses,
            beard,
            mustache,
            male,
            face_occluded,
        ] = std::array::from_fn(|i| probability(attributes[i]));
        Analysis {
            landmarks: Landmarks::new(ratios),
            pose: Pose {
                roll: wrap_degrees(roll),
                yaw: wrap_degrees(finite(pose[1])),
                pitch: wrap_degrees(finite(pose[2])),
            },
            attributes: FaceAttributes {
                eyes_open,
                mouth_open,
                smile,
                eyeglasses,
                sunglasses,
                beard,
                mustache,
                male,
                face_occluded,
                age: age_range(age, age_quantiles),
                emotions: ranked,
                eye_direction: EyeDirection {
                    yaw: wrap_degrees(finite(gaze[0])),
                    pitch: wrap_degrees(finite(gaze[1])),
                    confidence: 100.0 * probability(gaze[2]),
                },
            },
        }
    }
}

/// JSON has no word for the rest.
fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

/// The part of an age distribution over the years 0..=100 between two quantiles, at least one year
/// wide.
#[allow(clippy::cast_possible_truncation, reason = "years are at most 100")]
fn age_range(distribution: &[f32], quantiles: [f32; 2]) -> (u8, u8) {
    let mass: f32 = distribution.iter().map(|value| finite(*value).max(0.0)).sum();
    let quantile = |part: f32| {
        let mut sum = 0.0;
        let reached = distribution.iter().position(|value| {
            sum += finite(*value).max(0.0);
            sum >= part * mass
        });
        reached.unwrap_or(AGES - 1) as u8
    };
    let [low, high] = quantiles.map(quantile);
    if low < high {
        (low, high)
    } else if usize::from(high) + 1 < AGES {
        (low, high + 1)
    } else {
        (low - 1, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimilarityTransform;

    const QUANTILES: [f32; 2] = [0.15, 0.85];

    fn peak(center: usize, spread: f32) -> Vec<f32> {
        (0..AGES)
            .map(|year| (-((year as f32 - center as f32) / spread).powi(2) / 2.0).exp())
            .collect()
    }

    #[test]
    fn age_ranges_are_central_and_never_empty() {
        let (low, high) = age_range(&peak(40, 5.0), QUANTILES);
        assert_eq!((low, high), (35, 45));
        for year in [0, 50, 99, 100] {
            let mut certain = vec![0.0; AGES];
            certain[year] = 1.0;
            let (low, high) = age_range(&certain, QUANTILES);
            assert!(low < high && (low..=high).contains(&(year as u8)), "{year}: {low}..{high}");
        }
        for broken in [vec![0.0; AGES], vec![f32::NAN; AGES], vec![-1.0; AGES]] {
            let (low, high) = age_range(&broken, QUANTILES);
            assert!(low < high && high <= 100);
        }
        let (low, high) = age_range(&vec![1.0 / 101.0; AGES], [0.10, 0.90]);
        assert_eq!((low, high), (10, 90));
    }

    #[test]
    fn a_row_is_read_in_image_terms() {
        // The crop is the image shrunk to half, shifted and turned: the face is rolled by +30
        // degrees in the image.
        let (sin, cos) = (-30.0_f64).to_radians().sin_cos();
        let from_image = SimilarityTransform { a: 0.5 * cos, b: 0.5 * sin, tx: 20.0, ty: 10.0 };
        let crop = Crop { pixels: Vec::new(), side: 96, from_image };
        let eye = from_image.apply(Point::new(100.0, 60.0));
        let mut landmarks = vec![0.5; 2 * LANDMARKS];
        landmarks[..2].copy_from_slice(&[eye.x / 96.0, eye.y / 96.0]);
        let attributes = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.5, f32::NAN];
        let emotions = [0.1, 0.2, 0.05, 0.0, 0.0, 0.0, 0.6, 0.05];
        let ages = peak(30, 2.0);
        // Two faces: the second row must be the one that is read.
        let twice = |values: &[f32]| [vec![9.0; values.len()], values.to_vec()].concat();
        let outputs = [
            twice(&landmarks),
            twice(&[3.0, -12.0, 5.0]),
            twice(&attributes),
            twice(&ages),
            twice(&emotions),
            twice(&[7.0, -8.0, 0.9]),
        ];
        let analysis = Raw(std::array::from_fn(|i| outputs[i].as_slice())).row(1).read(
            &crop,
            (200, 120),
            QUANTILES,
        );

        let first = analysis.landmarks[0];
        assert_eq!(
            (first.kind, analysis.landmarks.len(), analysis.landmarks.basic().len()),
            ("eyeLeft", 30, 5)
        );
        assert!((first.x - 0.5).abs() < 1e-4 && (first.y - 0.5).abs() < 1e-4, "{first:?}");
        assert!((analysis.pose.roll - 33.0).abs() < 1e-3, "{:?}", analysis.pose);
        assert_eq!((analysis.pose.yaw, analysis.pose.pitch), (-12.0, 5.0));
        let attributes = analysis.attributes;
        assert_eq!(
            (attributes.eyes_open, attributes.mustache, attributes.male, attributes.face_occluded),
            (0.1, 0.7, 1.0, 0.0)
        );
        assert_eq!(
            attributes.emotions.map(|(emotion, _)| emotion)[..3],
            [Emotion::Calm, Emotion::Sad, Emotion::Happy]
        );
        assert!(attributes.age.0 < 30 && attributes.age.1 > 30);
        assert_eq!(
            attributes.eye_direction,
            EyeDirection { yaw: 7.0, pitch: -8.0, confidence: 90.0 }
        );
    }
}
