//! SCRFD's output layout (Guo et al. 2021, `InsightFace`): two anchors per cell, distances from the
//! anchor to the box's sides.

use super::{Detection, Point, Rect, STRIDES};
use crate::VisionError;
use crate::session::{Network, Outputs};

const ANCHORS: usize = 2;

/// Exports differ in names, but not in order: the scores of all strides, then the boxes, then the
/// landmarks.
pub(super) fn check(network: &Network) -> Result<(), VisionError> {
    if network.output_count() == STRIDES.len() * 3 {
        Ok(())
    } else {
        Err(network.unusable(format!(
            "it has {} outputs; family scrfd with landmarks has 9",
            network.output_count()
        )))
    }
}

/// Detections in pixels of the network's input of `size` (rows, columns).
pub(super) fn decode(
    outputs: &Outputs,
    size: (usize, usize),
    threshold: f32,
) -> Result<Vec<Detection>, VisionError> {
    let mut found = Vec::new();
    for (index, stride) in STRIDES.into_iter().enumerate() {
        let (rows, columns) = (size.0 / stride, size.1 / stride);
        let anchors = rows * columns * ANCHORS;
        let level = Level {
            stride,
            columns,
            scores: outputs.at(index, anchors)?,
            boxes: outputs.at(STRIDES.len() + index, anchors * 4)?,
            landmarks: outputs.at(2 * STRIDES.len() + index, anchors * 10)?,
        };
        level.decode(threshold, &mut found);
    }
    Ok(found)
}

/// The raw outputs of one stride; cells are row-major, each with its anchors one after the other.
struct Level<'a> {
    stride: usize,
    columns: usize,
    /// `[cells * 2]`, probabilities.
    scores: &'a [f32],
    /// `[cells * 2, 4]`: distances from the cell's corner to left, top, right and bottom, in
    /// strides.
    boxes: &'a [f32],
    /// `[cells * 2, 5, 2]`: offsets from the cell's corner, in strides.
    landmarks: &'a [f32],
}

impl Level<'_> {
    fn decode(&self, threshold: f32, found: &mut Vec<Detection>) {
        let stride = self.stride as f32;
        for (anchor, score) in self.scores.iter().enumerate() {
            if *score >= threshold {
                let cell = anchor / ANCHORS;
                let (x, y) =
                    ((cell % self.columns) as f32 * stride, (cell / self.columns) as f32 * stride);
                let sides = &self.boxes[anchor * 4..anchor * 4 + 4];
                let points = &self.landmarks[anchor * 10..anchor * 10 + 10];
                found.push(Detection {
                    bounding_box: Rect {
                        left: x - sides[0] * stride,
                        top: y - sides[1] * stride,
                        width: (sides[0] + sides[2]) * stride,
                        height: (sides[1] + sides[3]) * stride,
                    },
                    landmarks: std::array::from_fn(|i| {
                        Point::new(x + points[2 * i] * stride, y + points[2 * i + 1] * stride)
                    }),
                    score: score.min(1.0),
                    confidence: 0.0,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_anchor_that_fires() {
        // One row of two cells at stride 8; the second anchor of the second cell (index 3) passes.
        let (mut boxes, mut landmarks) = (vec![0.0; 16], vec![0.0; 40]);
        boxes[12..16].copy_from_slice(&[1.0, 0.5, 2.0, 3.0]);
        landmarks[30..40].copy_from_slice(&[0.0, 0.1, 1.0, 0.1, 0.5, 0.5, 0.2, 0.9, 0.8, 0.9]);
        let level = Level {
            stride: 8,
            columns: 2,
            scores: &[0.1, f32::NAN, 0.49, 0.8],
            boxes: &boxes,
            landmarks: &landmarks,
        };
        let mut found = Vec::new();
        level.decode(0.5, &mut found);
        let [face] = found[..] else { panic!("one face, not {found:?}") };
        assert_eq!(face.bounding_box, Rect { left: 0.0, top: -4.0, width: 24.0, height: 28.0 });
        assert_eq!(face.landmarks[1], Point::new(16.0, 0.8));
        assert_eq!(face.landmarks[2], Point::new(12.0, 4.0));
        assert!((face.score - 0.8).abs() < 1e-6);
    }
}
