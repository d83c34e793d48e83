//! Points, boxes and the similarity transform between an image and an aligned crop.

/// A position in pixels (or in whatever unit the caller states); y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl Point {
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    pub(crate) fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

/// A box in pixels. It may reach past the image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rect {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Rect {
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    /// The area that two boxes share.
    pub fn overlap(&self, other: &Self) -> f32 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, 0..=1; 0 for two empty boxes.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.overlap(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    pub(crate) fn scaled(&self, factor: f32) -> Self {
        Self {
            left: self.left * factor,
            top: self.top * factor,
            width: self.width * factor,
            height: self.height * factor,
        }
    }
}

/// A box as ratios of the upright image's width and height, not clamped: a face cut by the edge
/// reaches below 0 or above 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BoundingBox {
    pub width: f32,
    pub height: f32,
    pub left: f32,
    pub top: f32,
}

impl BoundingBox {
    /// The ratios of a pixel box in an image of `size` (width, height).
    #[allow(clippy::cast_precision_loss, reason = "sides are at most 10,000")]
    pub fn of(rect: &Rect, size: (u32, u32)) -> Self {
        let (width, height) = (size.0 as f32, size.1 as f32);
        Self {
            width: rect.width / width,
            height: rect.height / height,
            left: rect.left / width,
            top: rect.top / height,
        }
    }
}

/// Rotation, uniform scale and translation: `x' = a x - b y + tx`, `y' = b x + a y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimilarityTransform {
    pub a: f64,
    pub b: f64,
    pub tx: f64,
    pub ty: f64,
}

impl SimilarityTransform {
    /// The least-squares similarity that takes each `from` to its `to` (Umeyama 1991), without
    /// reflection.
    ///
    /// In two dimensions the problem is linear: with both sets centerd and read as complex numbers,
    /// the factor `a + ib` is `sum(conj(p) q) / sum(|p|^2)`, so no singular value decomposition is
    /// needed. `None` when the `from` points coincide or a coordinate is not finite.
    pub fn fit<const N: usize>(from: &[Point; N], to: &[Point; N]) -> Option<Self> {
        if from.iter().chain(to).any(|point| !point.is_finite()) {
            return None;
        }
        let (from_x, from_y) = centroid(from)?;
        let (to_x, to_y) = centroid(to)?;
        let (mut norm, mut dot, mut cross) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py) = (f64::from(p.x) - from_x, f64::from(p.y) - from_y);
            let (qx, qy) = (f64::from(q.x) - to_x, f64::from(q.y) - to_y);
            norm += px * px + py * py;
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
        }
        if norm <= f64::EPSILON {
            return None;
        }
        let (a, b) = (dot / norm, cross / norm);
        if a.hypot(b) <= f64::EPSILON {
            return None;
        }
        Some(Self { a, b, tx: to_x - a * from_x + b * from_y, ty: to_y - b * from_x - a * from_y })
    }

    #[allow(clippy::cast_possible_truncation, reason = "pixel coordinates need no more than f32")]
    pub fn apply(&self, point: Point) -> Point {
        let (x, y) = (f64::from(point.x), f64::from(point.y));
        Point {
            x: (self.a * x - self.b * y + self.tx) as f32,
            y: (self.b * x + self.a * y + self.ty) as f32,
        }
    }

    /// The transform that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let norm = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / norm, -self.b / norm);
        Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }

    /// Lengths grow by this factor.
    pub fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }

    /// The rotation in degrees; positive turns clockwise as seen by a viewer, because y grows
    /// downwards.
    pub fn rotation_degrees(&self) -> f64 {
        self.b.atan2(self.a).to_degrees()
    }
}

#[allow(clippy::cast_precision_loss, reason = "a handful of points")]
fn centroid<const N: usize>(points: &[Point; N]) -> Option<(f64, f64)> {
    if N == 0 {
        return None;
    }
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + f64::from(point.x), y + f64::from(point.y)));
    Some((x / N as f64, y / N as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arbitrary_transform() -> impl Strategy<Value = SimilarityTransform> {
        (
            0.01..20.0,
            -std::f64::consts::PI..std::f64::consts::PI,
            -5_000.0..5_000.0,
            -5_000.0..5_000.0,
        )
            .prop_map(|(scale, angle, tx, ty): (f64, f64, f64, f64)| SimilarityTransform {
                a: scale * angle.cos(),
                b: scale * angle.sin(),
                tx,
                ty,
            })
    }

    /// Five points with the layout of a face, so never coincident.
    fn arbitrary_landmarks() -> impl Strategy<Value = [Point; 5]> {
        (0.0..4_000.0_f32, 0.0..4_000.0_f32, 20.0..400.0_f32, prop::array::uniform10(-0.1..0.1_f32))
            .prop_map(|(x, y, size, noise)| {
                let layout = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)];
                std::array::from_fn(|i| Point {
                    x: x + size * (layout[i].0 + noise[2 * i]),
                    y: y + size * (layout[i].1 + noise[2 * i + 1]),
                })
            })
    }

    proptest! {
        #[test]
        fn fit_recovers_a_similarity(transform in arbitrary_transform(), landmarks in arbitrary_landmarks()) {
            let moved = landmarks.map(|point| transform.apply(point));
            let found = SimilarityTransform::fit(&landmarks, &moved).expect("points are spread");
            for (landmark, expected) in landmarks.iter().zip(moved) {
                let got = found.apply(*landmark);
                let tolerance = 1e-3 + 1e-5 * f64::from(expected.x.abs().max(expected.y.abs()));
                prop_assert!(f64::from((got.x - expected.x).hypot(got.y - expected.y)) < tolerance * 10.0, "{got:?} {expected:?}");
            }
            prop_assert!((found.scale() / transform.scale() - 1.0).abs() < 0.01);
        }

        #[test]
        fn inverse_composes_to_identity(transform in arbitrary_transform(), x in -4_000.0..4_000.0_f32, y in -4_000.0..4_000.0_f32) {
            let back = transform.inverse().apply(transform.apply(Point::new(x, y)));
            // The intermediate point is f32: its rounding error is undone with the inverse scale.
            let tolerance = 0.01 + 0.004 / transform.scale();
            prop_assert!(f64::from((back.x - x).hypot(back.y - y)) < tolerance, "{back:?}");
        }

        #[test]
        fn fit_is_the_least_squares_minimum(landmarks in arbitrary_landmarks(), targets in arbitrary_landmarks(), da in -0.01..0.01, db in -0.01..0.01) {
            let found = SimilarityTransform::fit(&landmarks, &targets).expect("points are spread");
            let (cx, cy) = centroid(&landmarks).expect("five points");
            // Turn and scale around the centroid, where the optimum's gradient is zero.
            let mut other = found;
            other.a += da;
            other.b += db;
            other.tx -= da * cx - db * cy;
            other.ty -= db * cx + da * cy;
            let error = |t: &SimilarityTransform| -> f64 {
                landmarks.iter().zip(&targets).map(|(p, q)| {
                    let (x, y) = (f64::from(p.x), f64::from(p.y));
                    (t.a * x - t.b * y + t.tx - f64::from(q.x)).powi(2) + (t.b * x + t.a * y + t.ty - f64::from(q.y)).powi(2)
                }).sum()
            };
            prop_assert!(error(&found) <= error(&other) * (1.0 + 1e-9) + 1e-6);
        }

        #[test]
        fn iou_is_symmetric_and_bounded(a in prop::array::uniform4(0.0..100.0_f32), b in prop::array::uniform4(0.0..100.0_f32)) {
            let a = Rect { left: a[0], top: a[1], width: a[2], height: a[3] };
            let b = Rect { left: b[0], top: b[1], width: b[2], height: b[3] };
            prop_assert!((a.iou(&b) - b.iou(&a)).abs() < 1e-6);
            prop_assert!((0.0..=1.0001).contains(&a.iou(&b)));
            if a.area() > 1.0 {
                prop_assert!((a.iou(&a) - 1.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn degenerate_points_have_no_transform() {
        let target = [Point::new(0.0, 0.0), Point::new(1.0, 0.0), Point::new(0.0, 1.0)];
        assert_eq!(SimilarityTransform::fit(&[Point::new(3.0, 3.0); 3], &target), None);
        assert_eq!(SimilarityTransform::fit(&[Point::new(f32::NAN, 3.0); 3], &target), None);
    }

    #[test]
    fn a_clockwise_turn_is_positive() {
        // The image-right eye ends up lower: clockwise for the viewer.
        let level = [Point::new(0.0, 0.0), Point::new(10.0, 0.0)];
        let turned = [Point::new(0.0, 0.0), Point::new(10.0, 10.0)];
        let transform = SimilarityTransform::fit(&level, &turned).expect("two points");
        assert!((transform.rotation_degrees() - 45.0).abs() < 1e-9);
    }

    #[test]
    fn ratios_are_not_clamped() {
        let rect = Rect { left: -10.0, top: 50.0, width: 120.0, height: 100.0 };
        let ratios = BoundingBox::of(&rect, (100, 100));
        assert_eq!(ratios, BoundingBox { width: 1.2, height: 1.0, left: -0.1, top: 0.5 });
    }
}
