//! A second look at what the detector found: face or no face on the aligned crop.

use image::RgbImage;

use super::aligner::{Aligner, Crop};
use super::crop_network::CropNetwork;
use super::detector::{Detection, suppress};
use super::geometry::Point;
use super::{VerifierSpec, VisionError};

const BATCH: usize = 8;
/// A logit for each crop.
const FACE: &str = "face";
/// `[5, 2]` for each crop: x and y of the five landmarks over the crop's side.
const LANDMARKS: &str = "landmarks";
/// Two boxes show the same face when they share this part of the smaller one.
const SHARED_PART: f32 = 0.5;
/// Or when the centers of their landmarks are nearer than this many radii of the larger face.
const CENTER_DISTANCE: f32 = 1.0;
/// The side of a square box, in radii of the face's landmarks: the median of faces that are found well.
const BOX_RADII: f32 = 4.18;
/// Natural logarithm of what a box may be larger or smaller than that, and how fast it then counts
/// less.
const TOLERANCE: f32 = 0.15;
const FALLOFF: f32 = 0.3;
/// Scores are kept this far from 0 and 1, where their logits are infinite.
const SCORE_MARGIN: f32 = 1e-4;

pub(crate) struct Verifier {
    network: CropNetwork,
    calibration: [f32; 3],
    refine_landmarks: bool,
}

impl Verifier {
    pub fn load(spec: &VerifierSpec, model: &[u8]) -> Result<Self, VisionError> {
        let VerifierSpec { calibration, refine_landmarks, .. } = *spec;
        let network = CropNetwork::load("verifier", &spec.crop, spec.scale, model)?;
        network.require(FACE)?;
        if refine_landmarks {
            network.require(LANDMARKS)?;
        }
        Ok(Self { network, calibration, refine_landmarks })
    }

    /// One run on black, so that the first request pays for no lazy set-up and a wrong output shape
    /// is found at start.
    pub fn warm(&mut self) -> Result<(), VisionError> {
        self.run(&[self.network.black()]).map(drop)
    }

    /// Sets the confidence of each detection to the probability that it is a face and, if the pack
    /// wants it, its landmarks to what this network sees.
    pub fn verify(
        &mut self,
        aligner: &mut Aligner,
        image: &RgbImage,
        faces: &mut [Detection],
    ) -> Result<(), VisionError> {
        let [bias, of_detector, of_verifier] = self.calibration;
        for chunk in faces.chunks_mut(self.network.batch(BATCH)) {
            let crops: Vec<Crop> =
                chunk.iter().map(|face| self.network.crop(aligner, image, face)).collect();
            for ((face, crop), seen) in chunk.iter_mut().zip(&crops).zip(self.run(&crops)?) {
                let evidence = bias + of_detector * logit(face.score) + of_verifier * seen.logit;
                face.confidence = 100.0 * logistic(evidence);
                if let Some(landmarks) = seen.landmarks {
                    let to_image = crop.from_image.inverse();
                    face.landmarks = landmarks.map(|point| to_image.apply(point));
                }
            }
        }
        Ok(())
    }

    fn run(&mut self, crops: &[Crop]) -> Result<Vec<Seen>, VisionError> {
        let (rows, outputs) = self.network.run(crops)?;
        let logits = outputs.named(FACE, rows)?;
        let landmarks =
            if self.refine_landmarks { Some(outputs.named(LANDMARKS, rows * 10)?) } else { None };
        let seen = crops.iter().enumerate().map(|(row, crop)| Seen {
            logit: logits[row],
            landmarks: landmarks
                .and_then(|values| points(&values[row * 10..][..10], crop.side as f32)),
        });
        Ok(seen.collect())
    }
}

/// What the network sees in one crop.
struct Seen {
    logit: f32,
    /// In pixels of the crop.
    landmarks: Option<[Point; 5]>,
}

/// Five points from x and y in sides of the crop; none if one is not finite.
fn points(values: &[f32], side: f32) -> Option<[Point; 5]> {
    let points: [Point; 5] =
        std::array::from_fn(|i| Point::new(values[2 * i] * side, values[2 * i + 1] * side));
    points.iter().all(|point| point.is_finite()).then_some(points)
}

/// Keeps the best of the detections that show the same face; order and `iou` as in [`suppress`].
pub(crate) fn once_each(faces: Vec<Detection>, iou: f32) -> Vec<Detection> {
    let mut kept: Vec<Detection> = Vec::new();
    for face in suppress(faces, iou, fit) {
        if !kept.iter().any(|better| shows_same(better, &face)) {
            kept.push(face);
        }
    }
    kept
}

/// How well a detection shows its face. The verifier sees a face in a part of one, too; the detector's
/// score is lower where its box fits worse, and a box of twice the size does not fit its landmarks.
fn fit(face: &Detection) -> f32 {
    let (_, _, radius) = extent(&face.landmarks);
    let size = (face.bounding_box.area().sqrt() / (BOX_RADII * radius)).ln().abs();
    let agreement = (-((size - TOLERANCE).max(0.0) / FALLOFF).powi(2)).exp();
    face.confidence * face.score * agreement
}

fn shows_same(a: &Detection, b: &Detection) -> bool {
    let smaller = a.bounding_box.area().min(b.bounding_box.area());
    if a.bounding_box.overlap(&b.bounding_box) > SHARED_PART * smaller {
        return true;
    }
    let ((ax, ay, a_radius), (bx, by, b_radius)) = (extent(&a.landmarks), extent(&b.landmarks));
    (ax - bx).hypot(ay - by) < CENTER_DISTANCE * a_radius.max(b_radius)
}

/// The center of landmarks, and the root of their mean square distance from it.
fn extent(landmarks: &[Point; 5]) -> (f32, f32, f32) {
    let (x, y) = landmarks.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x / 5.0, y + p.y / 5.0));
    let square: f32 = landmarks.iter().map(|p| ((p.x - x).powi(2) + (p.y - y).powi(2)) / 5.0).sum();
    (x, y, square.sqrt())
}

fn logit(score: f32) -> f32 {
    let score = score.clamp(SCORE_MARGIN, 1.0 - SCORE_MARGIN);
    (score / (1.0 - score)).ln()
}

/// What is no number is no face.
fn logistic(evidence: f32) -> f32 {
    let probability = 1.0 / (1.0 + (-evidence).exp());
    if probability.is_finite() { probability } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rect;

    fn face(left: f32, top: f32, size: f32, confidence: f32) -> Detection {
        let layout = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)];
        Detection {
            bounding_box: Rect { left, top, width: size, height: size },
            landmarks: layout.map(|(x, y)| Point::new(left + size * x, top + size * y)),
            score: 0.9,
            confidence,
        }
    }

    #[test]
    fn a_face_is_kept_once() {
        let surest = face(0.0, 0.0, 100.0, 99.0);
        let inside = face(30.0, 40.0, 40.0, 90.0);
        let beside = face(100.0, 0.0, 100.0, 80.0);
        let mut same_landmarks = face(0.0, 0.0, 100.0, 70.0);
        same_landmarks.bounding_box = Rect { left: 60.0, top: 0.0, width: 100.0, height: 100.0 };
        let kept = once_each(vec![same_landmarks, beside, inside, surest], 0.45);
        assert_eq!(kept, [surest, beside]);
    }

    #[test]
    fn a_box_that_fits_its_landmarks_stays() {
        let well = face(100.0, 100.0, 20.0, 95.0);
        let (left, top, size) = (92.0, 95.0, 40.0);
        let twice = Detection {
            bounding_box: Rect { left, top, width: size, height: size },
            confidence: 99.0,
            ..well
        };
        assert_eq!(once_each(vec![twice, well], 0.45), [well]);
    }

    #[test]
    fn the_logistic_undoes_the_logit() {
        for score in [0.01, 0.3, 0.5, 0.99] {
            assert!((logistic(logit(score)) - score).abs() < 1e-5);
        }
        assert!(logit(0.0).is_finite() && logit(1.0).is_finite());
        assert_eq!(logistic(f32::NAN), 0.0);
        assert_eq!((logistic(f32::INFINITY), logistic(f32::NEG_INFINITY)), (1.0, 0.0));
    }
}
