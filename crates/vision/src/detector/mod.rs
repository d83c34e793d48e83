//! Faces in an image: boxes, five landmarks and scores.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel coordinates of images of at most 10,000 pixels a side"
)]

use std::borrow::Cow;

use image::RgbImage;

use super::aligner::append_planes;
use super::geometry::{Point, Rect};
use super::session::Network;
use super::{DetectorFamily, DetectorSpec, VisionError};
use crate::image::Resizer;

mod scrfd;
mod yunet;

/// One face as the detector sees it, in pixels of the upright image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    pub bounding_box: Rect,
    /// Image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.
    pub landmarks: [Point; 5],
    /// The detector's own, 0..=1.
    pub score: f32,
    /// How likely this is a face, 0..=100.
    pub confidence: f32,
}

impl Detection {
    fn scaled(&self, factor: f32) -> Self {
        Self {
            bounding_box: self.bounding_box.scaled(factor),
            landmarks: self.landmarks.map(|point| Point::new(point.x * factor, point.y * factor)),
            ..*self
        }
    }

    fn is_sound(&self) -> bool {
        let Rect { left, top, width, height } = self.bounding_box;
        [left, top, width, height].into_iter().all(f32::is_finite)
            && width >= 1.0
            && height >= 1.0
            && self.landmarks.iter().all(|point| point.is_finite())
    }
}

/// The strides of both families.
const STRIDES: [usize; 3] = [8, 16, 32];
/// Input sides are multiples of the largest stride.
const MULTIPLE: usize = 32;
/// Where nothing is found, a face may be larger than what the network saw in training: one more
/// look from afar costs a tenth.
const AFAR_SIDE: u32 = 256;

pub(crate) struct Detector {
    network: Network,
    spec: DetectorSpec,
    resizer: Resizer,
    input: Vec<f32>,
}

impl Detector {
    pub fn load(spec: &DetectorSpec, model: &[u8]) -> Result<Self, VisionError> {
        let network = Network::load("detector", model)?;
        match spec.family {
            DetectorFamily::Yunet => yunet::check(&network)?,
            DetectorFamily::Scrfd => scrfd::check(&network)?,
        }
        if network
            .fixed_size()
            .is_some_and(|(height, width)| height % MULTIPLE != 0 || width % MULTIPLE != 0)
        {
            return Err(network.unusable(format!(
                "its input {:?} is no multiple of {MULTIPLE}",
                network.fixed_size()
            )));
        }
        Ok(Self { network, spec: spec.clone(), resizer: Resizer::default(), input: Vec::new() })
    }

    /// One run on black, so that the first request pays for no lazy set-up and wrong output shapes
    /// are found at start.
    pub fn warm(&mut self) -> Result<(), VisionError> {
        self.detect(&RgbImage::new(160, 160)).map(drop)
    }

    /// Every face over the threshold, the surest first, each once.
    pub fn detect(&mut self, image: &RgbImage) -> Result<Vec<Detection>, VisionError> {
        self.look(image, self.spec.max_side)
    }

    /// The same from afar, for faces larger than what the network saw in training; nothing where
    /// the network's size is fixed or the image is small.
    pub fn detect_afar(&mut self, image: &RgbImage) -> Result<Vec<Detection>, VisionError> {
        if self.network.fixed_size().is_some() || image.width().max(image.height()) <= AFAR_SIDE {
            return Ok(Vec::new());
        }
        self.look(image, AFAR_SIDE)
    }

    fn look(&mut self, image: &RgbImage, longest: u32) -> Result<Vec<Detection>, VisionError> {
        let mut faces = self.pass(image, longest)?;
        let (width, height) = image.dimensions();
        let frame = Rect { left: 0.0, top: 0.0, width: width as f32, height: height as f32 };
        faces.retain(|face| face.bounding_box.overlap(&frame) > 0.0);
        for face in &mut faces {
            face.confidence = self.confidence(face.score);
        }
        Ok(suppress(faces, self.spec.nms_iou, |face| face.score))
    }

    /// One run with the image's longest side at most `longest` and at least `min_side`, its
    /// aspect kept; boxes come back in image pixels, not yet suppressed.
    fn pass(&mut self, image: &RgbImage, longest: u32) -> Result<Vec<Detection>, VisionError> {
        let (image_width, image_height) = image.dimensions();
        let room = self
            .network
            .fixed_size()
            .map_or((longest, longest), |(height, width)| (width as u32, height as u32));
        let ratio = |room: u32, side: u32| f64::from(room) / f64::from(side);
        let enlarged = ratio(self.spec.min_side, image_width.max(image_height)).max(1.0);
        let scale = ratio(room.0, image_width).min(ratio(room.1, image_height)).min(enlarged);
        let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        let (width, height) = (side(image_width), side(image_height));
        let padded = |side: u32| (side as usize).next_multiple_of(MULTIPLE);
        let (rows, columns) = self.network.fixed_size().unwrap_or((padded(height), padded(width)));
        let canvas = self.canvas(image, (width, height), (columns, rows));
        self.input.clear();
        append_planes(&canvas, &self.spec.normalization, &mut self.input);
        let outputs = self.network.run([1, 3, rows, columns], &self.input)?;
        let threshold = self.spec.score_threshold;
        let found = match self.spec.family {
            DetectorFamily::Yunet => yunet::decode(&outputs, (rows, columns), threshold)?,
            DetectorFamily::Scrfd => scrfd::decode(&outputs, (rows, columns), threshold)?,
        };
        let factor = (1.0 / scale) as f32;
        Ok(found.into_iter().map(|face| face.scaled(factor)).filter(Detection::is_sound).collect())
    }

    /// Interleaved RGB of size `canvas` (columns, rows): the image at size `size` in the upper
    /// left, black elsewhere.
    fn canvas(&mut self, image: &RgbImage, size: (u32, u32), canvas: (usize, usize)) -> Vec<u8> {
        let resized = if image.dimensions() == size {
            Cow::Borrowed(image)
        } else {
            Cow::Owned(self.resizer.resize(image, size))
        };
        let (columns, rows) = canvas;
        let (from, to) = (size.0 as usize * 3, columns * 3);
        if from == to && size.1 as usize == rows {
            return resized.into_owned().into_raw();
        }
        let mut padded = vec![0; to * rows];
        padded
            .chunks_exact_mut(to)
            .zip(resized.chunks_exact(from))
            .for_each(|(row, source)| row[..from].copy_from_slice(source));
        padded
    }

    /// The API's confidence, 0..=100, of a score.
    ///
    /// Logistic between the pack's threshold, which is 73, and 1, which is 99.99: scores of clear
    /// faces crowd below 1 while the API's published confidences of clear faces are above 99.
    fn confidence(&self, score: f32) -> f32 {
        let above =
            (score - self.spec.score_threshold) / (1.0 - self.spec.score_threshold).max(0.01);
        100.0 / (1.0 + (-1.0 - 8.0 * above).exp())
    }
}

/// Greedy non-maximum suppression: the one of the best `fit` stays, and what overlaps it by more than
/// `iou` goes. The best comes first.
pub(crate) fn suppress(
    mut candidates: Vec<Detection>,
    iou: f32,
    fit: impl Fn(&Detection) -> f32,
) -> Vec<Detection> {
    candidates.sort_by(|a, b| fit(b).total_cmp(&fit(a)));
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        if kept.iter().all(|better| better.bounding_box.iou(&candidate.bounding_box) <= iou) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn at(left: f32, score: f32) -> Detection {
        Detection {
            bounding_box: Rect { left, top: 0.0, width: 10.0, height: 10.0 },
            landmarks: [Point::new(left, 1.0); 5],
            score,
            confidence: 100.0 * score,
        }
    }

    #[test]
    fn suppression_keeps_the_best_of_each_cluster() {
        let of = |faces| suppress(faces, 0.45, |face| face.score);
        let kept = of(vec![at(0.0, 0.7), at(1.0, 0.9), at(50.0, 0.6), at(2.0, 0.8)]);
        assert_eq!(kept.iter().map(|face| face.score).collect::<Vec<_>>(), [0.9, 0.6]);
        let apart = of(vec![at(0.0, 0.7), at(5.0, 0.9)]);
        assert_eq!(apart.len(), 2);
    }

    /// A generated face pasted into a plain frame so that its box is `part` of the frame's height.
    fn framed(face: &RgbImage, part: f32, side: u32) -> RgbImage {
        // In these 400-pixel pictures the box is 345 pixels high, from 58 to 403, and centered.
        let size = (part * side as f32 * 400.0 / 345.0) as u32;
        let picture = Resizer::default().resize(face, (size, size));
        let mut frame = RgbImage::from_pixel(side, side, image::Rgb([110; 3]));
        let middle = size as f32 * 230.0 / 400.0;
        let top = (side as f32 / 2.0 - middle) as i64;
        image::imageops::replace(
            &mut frame,
            &picture,
            i64::from(side / 2) - i64::from(size / 2),
            top,
        );
        frame
    }

    #[test]
    fn faces_from_the_smallest_promised_to_the_whole_frame() {
        let examples = testing::examples();
        let pack = testing::default_pack();
        let model = pack.read(&pack.detector.model).expect("reads");
        let mut detector = Detector::load(&pack.detector, &model).expect("loads");
        // Parts of the frame's height; boxes are about 1.37 times as high as wide, so 0.029 is 40
        // pixels wide in 1920.
        for (part, side) in
            [(0.029, 1920), (0.1, 640), (0.5, 300), (0.9, 640), (0.95, 900), (1.05, 800)]
        {
            let faces = [&examples.ana, &examples.ana_again, &examples.ben];
            let found = faces.into_iter().filter(|face| {
                let frame = framed(&face.pixels, part, side);
                let mut faces = detector.detect(&frame).expect("detects");
                if faces.is_empty() {
                    faces = detector.detect_afar(&frame).expect("detects");
                }
                faces.first().is_some_and(|face| {
                    (face.bounding_box.height / (part * side as f32) - 1.0).abs() < 0.35
                })
            });
            let found = found.count();
            assert!(found == 3, "{found} of 3 faces of {part} of {side} pixels");
        }
    }

    #[test]
    fn unsound_boxes_are_recognized() {
        assert!(at(0.0, 0.5).is_sound());
        assert!(!at(f32::NAN, 0.5).is_sound());
        let mut flat = at(0.0, 0.5);
        flat.bounding_box.height = 0.2;
        assert!(!flat.is_sound());
        let mut infinite = at(0.0, 0.5);
        infinite.bounding_box.width = f32::INFINITY;
        assert!(!infinite.is_sound());
    }
}
