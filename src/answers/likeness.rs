//! Vectors of faces that nobody has seen: alike exactly where it is declared.

use lookalike_vision::Calibration;
use sha2::{Digest as _, Sha256};

/// Lifts a cosine over what 32-bit sums lose, so that a declared similarity is reached.
const MARGIN: f64 = 2e-6;

/// A unit vector that is the same for the same name. Those of different names are about at right
/// angles: in 128 dimensions their cosines have a standard deviation of 0.09.
pub(super) fn of_name(name: &str, dimensions: usize) -> Vec<f64> {
    let numbers = (0_u64..).flat_map(|block| {
        let mut hash = Sha256::new_with_prefix(block.to_le_bytes());
        hash.update(name);
        let digest: [u8; 32] = hash.finalize().into();
        let words = [0, 8, 16, 24].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&digest[at..at + 8]);
            // Within 0 and 1, both excluded.
            ((u64::from_le_bytes(word) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        });
        // Box and Muller: two uniform numbers give two normal ones.
        [[words[0], words[1]], [words[2], words[3]]].into_iter().flat_map(|[radius, angle]| {
            let radius = (-2.0 * radius.ln()).sqrt();
            let (sin, cos) = (angle * std::f64::consts::TAU).sin_cos();
            [radius * cos, radius * sin]
        })
    });
    unit(numbers.take(dimensions).collect())
}

/// A unit vector whose similarity to `target` is the given one, and not less; it lies towards
/// `away`.
pub(super) fn at_similarity(
    target: &[f64],
    away: &[f64],
    similarity: f32,
    calibration: &Calibration,
) -> Vec<f32> {
    let length = dot(target, target).sqrt();
    let cosine = match calibration.cosine_floor(similarity) {
        floor if similarity >= 100.0 || floor > 1.0 => 1.0,
        floor => f64::from(floor.max(0.0)) + MARGIN,
    };
    let cosine = (cosine / length).min(1.0);
    let target = unit(target.to_vec());
    let along = dot(away, &target);
    let aside: Vec<f64> = away.iter().zip(&target).map(|(away, own)| away - along * own).collect();
    let aside = unit(aside);
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    let mixed = target.iter().zip(aside).map(|(own, aside)| cosine * own + sine * aside);
    mixed.map(|value| value as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(vector: Vec<f64>) -> Vec<f64> {
    let length = dot(&vector, &vector).sqrt().max(f64::MIN_POSITIVE);
    vector.into_iter().map(|value| value / length).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calibration() -> Calibration {
        Calibration::new(
            vec![-1.0, 0.0, 0.388, 0.5127, 0.5319, 1.0],
            vec![0.0, 0.0, 80.0, 95.0, 99.0, 100.0],
        )
        .expect("monotone")
    }

    proptest! {
        #[test]
        fn a_declared_similarity_is_reached_and_hardly_passed(
            (name, other) in ("[a-z]{1,8}", "[A-Z]{1,8}"), similarity in 1.0..100.0_f32, length in 0.7..1.0_f64
        ) {
            let target: Vec<f64> = of_name(&name, 128).iter().map(|value| value * length).collect();
            let face = at_similarity(&target, &of_name(&other, 128), similarity, &calibration());
            let cosine: f32 = face.iter().zip(&target).map(|(a, b)| a * (*b as f32)).sum();
            let reached = calibration().similarity(cosine);
            // No unit vector is closer to a short one than its own length.
            let most = calibration().similarity(length as f32);
            prop_assert!(reached >= similarity.min(most) - 0.01 && reached <= similarity + 0.01, "{reached}");
            prop_assert!(reached >= similarity || similarity > most - 0.01, "{reached} of {similarity}");
        }

        #[test]
        fn names_are_at_right_angles(a in "[a-z]{1,12}", b in "[A-Z]{1,12}") {
            let (a, b) = (of_name(&a, 128), of_name(&b, 128));
            prop_assert!((dot(&a, &a) - 1.0).abs() < 1e-9);
            prop_assert!(dot(&a, &b).abs() < 0.5, "{}", dot(&a, &b));
        }
    }
}
