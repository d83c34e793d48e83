//! `YuNet`'s output layout (Wu et al. 2023, libfacedetection): one prediction per cell and stride.

use super::{Detection, Point, Rect, STRIDES};
use crate::VisionError;
use crate::session::{Network, Outputs};

pub(super) fn check(network: &Network) -> Result<(), VisionError> {
    for stride in STRIDES {
        for kind in ["cls", "obj", "bbox", "kps"] {
            let name = format!("{kind}_{stride}");
            if !network.has_output(&name) {
                return Err(network
                    .unusable(format!("it has no output {name}, so it is not of family yunet")));
            }
        }
    }
    Ok(())
}

/// Detections in pixels of the network's input of `size` (rows, columns).
pub(super) fn decode(
    outputs: &Outputs,
    size: (usize, usize),
    threshold: f32,
) -> Result<Vec<Detection>, VisionError> {
    let mut found = Vec::new();
    for stride in STRIDES {
        let (rows, columns) = (size.0 / stride, size.1 / stride);
        let cells = rows * columns;
        let level = Level {
            stride,
            columns,
            class: outputs.named(&format!("cls_{stride}"), cells)?,
            object: outputs.named(&format!("obj_{stride}"), cells)?,
            boxes: outputs.named(&format!("bbox_{stride}"), cells * 4)?,
            landmarks: outputs.named(&format!("kps_{stride}"), cells * 10)?,
        };
        level.decode(threshold, &mut found);
    }
    Ok(found)
}

/// The raw outputs of one stride; cells are row-major.
struct Level<'a> {
    stride: usize,
    columns: usize,
    /// `[cells]`, probability that the cell's object is a face.
    class: &'a [f32],
    /// `[cells]`, probability that the cell has an object.
    object: &'a [f32],
    /// `[cells, 4]`: center offset in cells, logarithm of the size in cells.
    boxes: &'a [f32],
    /// `[cells, 5, 2]`: offset in cells.
    landmarks: &'a [f32],
}

impl Level<'_> {
    fn decode(&self, threshold: f32, found: &mut Vec<Detection>) {
        let stride = self.stride as f32;
        for (cell, (class, object)) in self.class.iter().zip(self.object).enumerate() {
            let score = (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt();
            // A score that is not a number fails this comparison.
            if score >= threshold {
                let (row, column) = ((cell / self.columns) as f32, (cell % self.columns) as f32);
                let offsets = &self.boxes[cell * 4..cell * 4 + 4];
                let (width, height) = (offsets[2].exp() * stride, offsets[3].exp() * stride);
                let (x, y) = ((column + offsets[0]) * stride, (row + offsets[1]) * stride);
                let points = &self.landmarks[cell * 10..cell * 10 + 10];
                found.push(Detection {
                    bounding_box: Rect {
                        left: x - width / 2.0,
                        top: y - height / 2.0,
                        width,
                        height,
                    },
                    landmarks: std::array::from_fn(|i| {
                        Point::new(
                            (column + points[2 * i]) * stride,
                            (row + points[2 * i + 1]) * stride,
                        )
                    }),
                    score,
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
    fn decodes_the_cell_that_fires() {
        // Two rows of three cells at stride 16; only cell (row 1, column 2) passes.
        let (mut boxes, mut landmarks) = (vec![0.0; 24], vec![0.0; 60]);
        boxes[20..24].copy_from_slice(&[0.5, -0.25, 2.0_f32.ln(), 4.0_f32.ln()]);
        for (i, value) in landmarks[50..60].iter_mut().enumerate() {
            *value = i as f32 / 10.0;
        }
        let level = Level {
            stride: 16,
            columns: 3,
            class: &[0.9, 0.0, 0.0, f32::NAN, 0.36, 0.81],
            object: &[0.1, 1.0, 0.0, 1.0, 0.36, 2.0],
            boxes: &boxes,
            landmarks: &landmarks,
        };
        let mut found = Vec::new();
        level.decode(0.6, &mut found);
        let [face] = found[..] else { panic!("one face, not {found:?}") };
        assert!((face.score - 0.9).abs() < 1e-6, "an object probability over 1 is clamped");
        // Center (2.5, 0.75) cells, 2 x 4 cells large.
        let expected = Rect { left: 24.0, top: -20.0, width: 32.0, height: 64.0 };
        for (got, wanted) in [
            (face.bounding_box.left, expected.left),
            (face.bounding_box.top, expected.top),
            (face.bounding_box.width, expected.width),
            (face.bounding_box.height, expected.height),
            (face.landmarks[0].x, 32.0),
            (face.landmarks[0].y, 17.6),
            (face.landmarks[4].x, 44.8),
            (face.landmarks[4].y, 30.4),
        ] {
            assert!((got - wanted).abs() < 1e-4, "{got} {wanted}");
        }
    }
}
