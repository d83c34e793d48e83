//! From the product of two embeddings to the API's `Similarity`, 0..=100.

use super::piecewise::{Piecewise, PiecewiseError};

/// A monotone map from the inner product of two faces' vectors to their similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration(Piecewise);

impl Calibration {
    pub fn new(cosine: Vec<f32>, similarity: Vec<f32>) -> Result<Self, PiecewiseError> {
        Piecewise::new(cosine, similarity, 0.0..=100.0).map(Self)
    }

    /// The inner products at the corners of the map, and their similarities.
    pub fn points(&self) -> (&[f32], &[f32]) {
        self.0.points()
    }

    /// The similarity, 0..=100, of two faces whose embeddings have this inner product; never
    /// decreasing, also in f32's last bit.
    pub fn similarity(&self, cosine: f32) -> f32 {
        self.0.at(cosine)
    }

    /// The smallest cosine whose [`Self::similarity`] is at least `similarity`, so that comparing
    /// cosines with it equals comparing similarities with the threshold. Negative infinity if every
    /// cosine qualifies, positive infinity if none does.
    pub fn cosine_floor(&self, similarity: f32) -> f32 {
        let (first, last) = self.0.ends();
        if self.similarity(first) >= similarity {
            return f32::NEG_INFINITY;
        }
        // Written so that a threshold that is not a number matches nothing.
        let reachable = self.similarity(last) >= similarity;
        if !reachable {
            return f32::INFINITY;
        }
        // Bisection over the f32 values themselves, not over the reals: the answer is exact. `low`
        // fails, `high` passes.
        let (mut low, mut high) = (ordinal(first), ordinal(last));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.similarity(from_ordinal(middle)) >= similarity {
                high = middle;
            } else {
                low = middle;
            }
        }
        from_ordinal(high)
    }
}

/// The position of a finite f32 among all of them: neighbors differ by one, and order is kept.
fn ordinal(value: f32) -> i64 {
    let magnitude = i64::from(value.to_bits() & 0x7fff_ffff);
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

fn from_ordinal(ordinal: i64) -> f32 {
    let magnitude = f32::from_bits(u32::try_from(ordinal.unsigned_abs()).unwrap_or(u32::MAX));
    if ordinal < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Calibration {
        Calibration::new(vec![-1.0, 0.1, 0.35, 0.5, 1.0], vec![0.0, 1.0, 80.0, 99.0, 100.0])
            .expect("monotone")
    }

    fn arbitrary() -> impl Strategy<Value = Calibration> {
        (prop::collection::vec(0.0001..1.0_f32, 2..20), prop::collection::vec(0.0..1.0_f32, 20))
            .prop_map(|(steps, rises)| {
                let total: f32 = steps.iter().sum();
                let rise_total: f32 = rises[..steps.len()].iter().sum::<f32>() + 1e-6;
                let (mut x, mut y) = (-1.0, 0.0_f32);
                let (mut cosine, mut similarity) = (Vec::new(), Vec::new());
                for (step, rise) in steps.iter().zip(&rises) {
                    cosine.push(x);
                    similarity.push(y.min(100.0));
                    x += 2.0 * step / total;
                    y += 100.0 * rise / rise_total;
                }
                Calibration::new(cosine, similarity).expect("built monotone")
            })
    }

    proptest! {
        #[test]
        fn similarity_never_decreases(calibration in arbitrary(), cosine in -1.1..1.1_f32, step in 1..1_000_i64) {
            let next = from_ordinal(ordinal(cosine) + step);
            prop_assert!(calibration.similarity(cosine) <= calibration.similarity(next));
            prop_assert!((0.0..=100.0).contains(&calibration.similarity(cosine)));
        }

        #[test]
        fn the_floor_is_exact(calibration in arbitrary(), threshold in 0.0..100.0_f32) {
            let floor = calibration.cosine_floor(threshold);
            if floor.is_finite() {
                prop_assert!(calibration.similarity(floor) >= threshold);
                prop_assert!(calibration.similarity(from_ordinal(ordinal(floor) - 1)) < threshold);
            } else if floor > 0.0 {
                prop_assert!(calibration.similarity(2.0) < threshold);
            } else {
                prop_assert!(calibration.similarity(-2.0) >= threshold);
            }
        }
    }

    #[test]
    fn knots_and_ends() {
        let calibration = sample();
        assert_eq!(calibration.similarity(0.35), 80.0);
        assert_eq!(calibration.similarity(1.000_001), 100.0);
        assert_eq!(calibration.similarity(-3.0), 0.0);
        assert_eq!(calibration.cosine_floor(80.0), 0.35);
        assert_eq!(calibration.cosine_floor(0.0), f32::NEG_INFINITY);
        // The last few cosines below 1 round to 100.
        assert!((0.9999..=1.0).contains(&calibration.cosine_floor(100.0)));
        assert_eq!(calibration.cosine_floor(100.1), f32::INFINITY);
        assert_eq!(calibration.cosine_floor(f32::NAN), f32::INFINITY);
    }
}
