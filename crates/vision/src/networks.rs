//! The networks of one worker.

use std::sync::Arc;

use image::RgbImage;

use super::aligner::{Aligner, Template};
use super::analyzer::{Analysis, Analyzer};
use super::detector::{Detection, Detector};
use super::embedder::{Embedder, Embedding};
use super::face::{AnalyzedFace, Landmarks};
use super::geometry::BoundingBox;
use super::pack::Alignment;
use super::verifier::{Verifier, once_each};
use super::{Pack, QualityFilter, VisionError, pose, quality, stage};
use crate::image::DecodedImage;

/// The bytes of a pack's networks, already checked against their SHA-256.
pub(crate) struct ModelBytes {
    pub detector: Vec<u8>,
    pub embedder: Vec<u8>,
    pub verifier: Option<Vec<u8>>,
    pub analyzer: Option<Vec<u8>>,
}

impl ModelBytes {
    pub fn read(pack: &Pack) -> Result<Self, VisionError> {
        Ok(Self {
            detector: pack.read(&pack.detector.model)?,
            embedder: pack.read(&pack.embedder.crop.model)?,
            verifier: pack.verifier.as_ref().map(|spec| pack.read(&spec.crop.model)).transpose()?,
            analyzer: pack.analyzer.as_ref().map(|spec| pack.read(&spec.crop.model)).transpose()?,
        })
    }

    /// All bytes together.
    pub fn size(&self) -> usize {
        let optional = [&self.verifier, &self.analyzer].into_iter().flatten();
        self.detector.len() + self.embedder.len() + optional.map(Vec::len).sum::<usize>()
    }
}

/// Detections that the verifier looks at, the surest: more than an answer may hold, so that a crowd
/// is answered in full.
const MAX_CANDIDATES: usize = 200;
/// A confidence below this is no face.
const EVEN_CHANCE: f32 = 50.0;

/// One worker's networks, to be used by one job at a time.
pub struct Networks {
    pack: Arc<Pack>,
    detector: Detector,
    verifier: Option<Verifier>,
    embedder: Embedder,
    analyzer: Option<Analyzer>,
    /// Of the crops whose pixels tell the quality: always the same, so that packs do not differ in
    /// it.
    quality_template: Template,
    aligner: Aligner,
}

impl Networks {
    pub(crate) fn load(pack: &Arc<Pack>, bytes: &ModelBytes) -> Result<Self, VisionError> {
        let mut networks = Self {
            pack: Arc::clone(pack),
            detector: Detector::load(&pack.detector, &bytes.detector)?,
            verifier: match (&pack.verifier, &bytes.verifier) {
                (Some(spec), Some(model)) => Some(Verifier::load(spec, model)?),
                _ => None,
            },
            embedder: Embedder::load(&pack.embedder, pack.quality.as_ref(), &bytes.embedder)?,
            analyzer: match (&pack.analyzer, &bytes.analyzer) {
                (Some(spec), Some(model)) => Some(Analyzer::load(spec, model)?),
                _ => None,
            },
            quality_template: Template::new(Alignment::Arcface5, 112, 1.0),
            aligner: Aligner::default(),
        };
        networks.detector.warm()?;
        networks.verifier.as_mut().map_or(Ok(()), Verifier::warm)?;
        networks.embedder.warm()?;
        networks.analyzer.as_mut().map_or(Ok(()), Analyzer::warm)?;
        Ok(networks)
    }

    /// All faces of an image, each once, largest box area first.
    pub fn detect(&mut self, image: &DecodedImage) -> Result<Vec<Detection>, VisionError> {
        let _stage = stage::detect().entered();
        let mut found = self.detector.detect(&image.pixels)?;
        found = self.verify(image, found)?;
        if found.is_empty() {
            let afar = self.detector.detect_afar(&image.pixels)?;
            found = self.verify(image, afar)?;
        }
        found.sort_by(|a, b| {
            b.bounding_box
                .area()
                .total_cmp(&a.bounding_box.area())
                .then(b.confidence.total_cmp(&a.confidence))
        });
        Ok(found)
    }

    /// Keeps the detections that are more likely faces than not; all of them if the pack has no
    /// verifier.
    fn verify(
        &mut self,
        image: &DecodedImage,
        mut found: Vec<Detection>,
    ) -> Result<Vec<Detection>, VisionError> {
        let Some(verifier) = &mut self.verifier else { return Ok(found) };
        found.truncate(MAX_CANDIDATES);
        verifier.verify(&mut self.aligner, &image.pixels, &mut found)?;
        found.retain(|face| face.confidence >= EVEN_CHANCE);
        Ok(once_each(found, self.pack.detector.nms_iou))
    }

    /// What is known of each face, in the order given. Without an analyzer in the pack: five
    /// landmarks, pose estimated from them, no attributes.
    pub fn analyze(
        &mut self,
        image: &DecodedImage,
        faces: &[Detection],
    ) -> Result<Vec<AnalyzedFace>, VisionError> {
        let _stage = stage::analyze().entered();
        let analyses = match &mut self.analyzer {
            Some(analyzer) => analyzer
                .analyze(&mut self.aligner, &image.pixels, faces)?
                .into_iter()
                .map(Some)
                .collect(),
            None => vec![None; faces.len()],
        };
        let faces = faces.iter().zip(analyses);
        Ok(faces.map(|(face, analysis)| self.describe(image, face, analysis)).collect())
    }

    fn describe(
        &mut self,
        image: &DecodedImage,
        face: &Detection,
        analysis: Option<Analysis>,
    ) -> AnalyzedFace {
        let size = image.pixels.dimensions();
        let crop = self.aligner.crop(&image.pixels, face, &self.quality_template);
        let (landmarks, pose, attributes) = match analysis {
            Some(analysis) => (analysis.landmarks, analysis.pose, Some(analysis.attributes)),
            None => (basic_landmarks(face, size), pose::estimate(&face.landmarks), None),
        };
        AnalyzedFace {
            bounding_box: BoundingBox::of(&face.bounding_box, size),
            confidence: face.confidence,
            landmarks,
            pose,
            quality: quality::measure(&crop),
            attributes,
        }
    }

    /// An embedding of each face, in the order given.
    pub fn embed(
        &mut self,
        image: &DecodedImage,
        faces: &[&Detection],
    ) -> Result<Vec<Embedding>, VisionError> {
        let _stage = stage::embed().entered();
        self.embedder.embed(&mut self.aligner, &image.pixels, faces)
    }

    /// A face upright, 112 pixels a side, with its landmarks where all such crops have them.
    pub fn crop(&mut self, image: &DecodedImage, face: &Detection) -> RgbImage {
        let crop = self.aligner.crop(&image.pixels, face, &self.quality_template);
        RgbImage::from_raw(crop.side, crop.side, crop.pixels).expect("a crop has all its pixels")
    }

    /// Whether a filter lets a face pass by how well its view can be recognized.
    pub fn passes(&self, embedding: &Embedding, filter: QualityFilter) -> bool {
        self.pack.quality.as_ref().is_none_or(|scale| scale.passes(embedding.rating, filter))
    }
}

/// The detector's five landmarks as ratios, in the API's order.
#[allow(clippy::cast_precision_loss, reason = "sides are at most 10,000")]
fn basic_landmarks(face: &Detection, size: (u32, u32)) -> Landmarks {
    let [left_eye, right_eye, nose, left_mouth, right_mouth] = face.landmarks;
    let (width, height) = (size.0 as f32, size.1 as f32);
    Landmarks::new(
        [left_eye, right_eye, left_mouth, right_mouth, nose]
            .map(|point| (point.x / width, point.y / height)),
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::examples;
    use crate::{QualityFilter, reasons};

    #[tokio::test]
    async fn without_an_analyzer_there_are_five_landmarks_and_an_estimated_pose() {
        let examples = examples();
        let described = examples.vision.run(|networks| {
            let image = examples.ben.clone();
            let found = networks.detect(&image).expect("detects");
            let faces = networks.analyze(&image, &found).expect("analyzes");
            (faces, image.pixels.dimensions())
        });
        let (faces, size) = described.await.expect("runs");
        let [face] = &faces[..] else { panic!("one face, not {}", faces.len()) };
        assert_eq!((face.landmarks.len(), face.attributes.is_some()), (5, false));
        let kinds: Vec<_> = face.landmarks.iter().map(|landmark| landmark.kind).collect();
        assert_eq!(kinds, ["eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"]);
        assert!(
            face.landmarks
                .iter()
                .all(|landmark| (0.2..0.8).contains(&landmark.x)
                    && (0.2..0.95).contains(&landmark.y))
        );
        assert!(
            face.pose.roll.abs() < 20.0
                && face.pose.yaw.abs() < 45.0
                && face.pose.pitch.abs() < 45.0,
            "{:?}",
            face.pose
        );
        assert!(face.confidence > 99.0, "{}", face.confidence);
        assert!(
            face.quality.brightness > 50.0 && face.quality.sharpness > 70.0,
            "{:?}",
            face.quality
        );
        assert!(face.bounding_box.height > face.bounding_box.width);
        assert_eq!(reasons(face, size, QualityFilter::High), []);
    }

    #[tokio::test]
    async fn turning_the_picture_turns_the_roll_and_keeps_the_person() {
        let examples = examples();
        let turned = examples.vision.run(|networks| {
            let upright = examples.ana.clone();
            let mut sideways = upright.clone();
            // 20 degrees: within what the detector finds without an EXIF orientation.
            let (sin, cos) = 20.0_f32.to_radians().sin_cos();
            sideways.pixels = image::RgbImage::from_fn(400, 400, |x, y| {
                let (x, y) = (x as f32 - 200.0, y as f32 - 200.0);
                let (x, y) = (x * cos + y * sin + 200.0, y * cos - x * sin + 200.0);
                let inside = (0.0..400.0).contains(&x) && (0.0..400.0).contains(&y);
                if inside {
                    *upright.pixels.get_pixel(x as u32, y as u32)
                } else {
                    image::Rgb([90; 3])
                }
            });
            [upright, sideways].map(|image| {
                let found = networks.detect(&image).expect("detects");
                let roll = networks.analyze(&image, &found).expect("analyzes")[0].pose.roll;
                (roll, networks.embed(&image, &[&found[0]]).expect("embeds").remove(0))
            })
        });
        let [(level, first), (tilted, second)] = turned.await.expect("runs");
        assert!((tilted - level - 20.0).abs() < 5.0, "{level} {tilted}");
        let cosine: f32 = first.vector.iter().zip(&second.vector).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.8, "{cosine}");
    }
}
