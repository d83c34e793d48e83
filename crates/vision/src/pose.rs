//! Head pose from the five landmarks alone, for packs without an analyzer, and angles in general.

use super::face::Pose;
use super::geometry::Point;

/// Where the nose tip stands on the way from the eye line to the mouth line of a face that looks
/// straight ahead; the median of `YuNet`'s landmarks over portraits is 0.56 to 0.57.
const LEVEL_NOSE: f32 = 0.57;
/// How far the nose tip stands out of the plane of eyes and mouth, in eye distances.
const NOSE_DEPTH: f32 = 0.5;

/// An estimate: roll is the angle of the eye line; yaw and pitch follow from how far the nose tip
/// is displaced against the plane of eyes and mouth, under parallel projection and with the
/// proportions of an average face. Expect errors of some ten degrees.
///
/// `landmarks` in pixels: eyes, nose, mouth corners. Degrees, with the signs of [`Pose`].
pub(crate) fn estimate(landmarks: &[Point; 5]) -> Pose {
    let [left_eye, right_eye, nose, left_mouth, right_mouth] = *landmarks;
    let (eye_x, eye_y) = (right_eye.x - left_eye.x, right_eye.y - left_eye.y);
    let roll = eye_y.atan2(eye_x);
    // Upright coordinates with the origin between the eyes.
    let (sin, cos) = roll.sin_cos();
    let (origin_x, origin_y) =
        (f32::midpoint(left_eye.x, right_eye.x), f32::midpoint(left_eye.y, right_eye.y));
    let upright = |x: f32, y: f32| {
        ((x - origin_x) * cos + (y - origin_y) * sin, (y - origin_y) * cos - (x - origin_x) * sin)
    };
    let (nose_x, nose_y) = upright(nose.x, nose.y);
    let (mouth_x, mouth_y) = upright(
        f32::midpoint(left_mouth.x, right_mouth.x),
        f32::midpoint(left_mouth.y, right_mouth.y),
    );
    let eyes = eye_x.hypot(eye_y).max(f32::EPSILON);
    let face_height = mouth_y.max(f32::EPSILON);
    // A turn by `yaw` shortens the eye distance by its cosine and moves the tip by depth * sine:
    // their ratio is the tangent.
    let aside = nose_x - mouth_x * (nose_y / face_height).clamp(0.0, 1.0);
    let yaw = (aside / (eyes * NOSE_DEPTH)).atan();
    let raised = LEVEL_NOSE - nose_y / face_height;
    // The same for pitch, with the face's height, about one eye distance, in place of the eye
    // distance.
    let pitch = (raised / NOSE_DEPTH).atan();
    Pose { roll: roll.to_degrees(), yaw: yaw.to_degrees(), pitch: pitch.to_degrees() }
}

/// The same angle within -180..=180.
pub(crate) fn wrap_degrees(angle: f32) -> f32 {
    let wrapped = angle.rem_euclid(360.0);
    if wrapped > 180.0 { wrapped - 360.0 } else { wrapped }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SimilarityTransform;

    /// A head whose five points are turned in space by yaw and pitch and then projected.
    fn head(yaw: f32, pitch: f32) -> [Point; 5] {
        let (yaw, pitch) = (yaw.to_radians(), pitch.to_radians());
        // x right, y down, z towards the viewer, in eye distances around the point between the
        // eyes.
        [(-0.5, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.57, 0.5), (-0.4, 1.0, 0.0), (0.4, 1.0, 0.0)]
            .map(|(x, y, z): (f32, f32, f32)| {
                let (x, z) = (x * yaw.cos() + z * yaw.sin(), z * yaw.cos() - x * yaw.sin());
                Point::new(x * 100.0 + 300.0, (y * pitch.cos() - z * pitch.sin()) * 100.0 + 200.0)
            })
    }

    #[test]
    fn signs_and_sizes() {
        let straight = estimate(&head(0.0, 0.0));
        assert!(
            straight.roll.abs() < 0.01 && straight.yaw.abs() < 0.01 && straight.pitch.abs() < 0.1,
            "{straight:?}"
        );
        for angle in [-40.0, -20.0, 20.0, 40.0] {
            let turned = estimate(&head(angle, 0.0));
            assert!((turned.yaw - angle).abs() < 3.0, "{turned:?}");
            let nodding = estimate(&head(0.0, angle));
            assert!((nodding.pitch - angle).abs() < 3.0, "{nodding:?}");
        }
    }

    proptest! {
        #[test]
        fn turning_the_image_changes_roll_alone(yaw in -40.0..40.0_f32, roll in -170.0..170.0_f32, scale in 0.2..3.0_f32) {
            let (sin, cos) = roll.to_radians().sin_cos();
            let turn = SimilarityTransform { a: f64::from(cos * scale), b: f64::from(sin * scale), tx: 30.0, ty: -20.0 };
            let upright = estimate(&head(yaw, 10.0));
            let turned = estimate(&head(yaw, 10.0).map(|point| turn.apply(point)));
            prop_assert!(wrap_degrees(turned.roll - upright.roll - roll).abs() < 0.1);
            prop_assert!((turned.yaw - upright.yaw).abs() < 0.2 && (turned.pitch - upright.pitch).abs() < 0.2);
        }

        #[test]
        fn any_landmarks_give_finite_angles(values in prop::array::uniform10(-1e4..1e4_f32)) {
            let pose = estimate(&std::array::from_fn(|i| Point::new(values[2 * i], values[2 * i + 1])));
            prop_assert!([pose.roll, pose.yaw, pose.pitch].iter().all(|angle| (-180.0..=180.0).contains(angle)), "{pose:?}");
        }
    }

    #[test]
    fn angles_wrap() {
        assert_eq!(
            [190.0, -190.0, 180.0, -180.0, 720.0].map(wrap_degrees),
            [-170.0, 170.0, 180.0, 180.0, 0.0]
        );
    }
}
