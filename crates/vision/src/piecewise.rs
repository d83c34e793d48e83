//! Monotone piecewise linear maps, as a pack states them: knots and values.

use std::ops::RangeInclusive;

use thiserror::Error;

/// Why a pack's knots are refused.
#[derive(Debug, Error, PartialEq)]
pub enum PiecewiseError {
    #[error("needs as many values as knots, and at least two")]
    Length,
    #[error("knots must be finite and strictly increasing")]
    Knots,
    #[error("values must be within {0}..={1} and never decrease")]
    Values(f32, f32),
}

/// A map that never decreases: linear between its knots and constant outside of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Piecewise {
    knots: Vec<f32>,
    values: Vec<f32>,
}

impl Piecewise {
    /// A map through (`knots[i]`, `values[i]`) whose values lie within `range`.
    pub fn new(
        knots: Vec<f32>,
        values: Vec<f32>,
        range: RangeInclusive<f32>,
    ) -> Result<Self, PiecewiseError> {
        if knots.len() != values.len() || knots.len() < 2 {
            return Err(PiecewiseError::Length);
        }
        // A partial order of `None` (not a number) is refused too.
        if !knots.iter().all(|knot| knot.is_finite())
            || !knots.windows(2).all(|pair| pair[0] < pair[1])
        {
            return Err(PiecewiseError::Knots);
        }
        if !values.iter().all(|value| range.contains(value))
            || !values.windows(2).all(|pair| pair[0] <= pair[1])
        {
            return Err(PiecewiseError::Values(*range.start(), *range.end()));
        }
        Ok(Self { knots, values })
    }

    /// The value at `x`; never decreasing, also in f32's last bit.
    pub fn at(&self, x: f32) -> f32 {
        let above = self.knots.partition_point(|knot| *knot <= x);
        if above == 0 {
            return self.values[0];
        }
        if above == self.knots.len() {
            return self.values[above - 1];
        }
        let (x0, x1) = (self.knots[above - 1], self.knots[above]);
        let (y0, y1) = (self.values[above - 1], self.values[above]);
        // Every step rounds monotonically in `x`; the clamp keeps the last step from passing the
        // next knot.
        (y0 + (y1 - y0) * ((x - x0) / (x1 - x0))).clamp(y0, y1)
    }

    /// The knots and their values.
    pub fn points(&self) -> (&[f32], &[f32]) {
        (&self.knots, &self.values)
    }

    /// The first and the last knot.
    pub fn ends(&self) -> (f32, f32) {
        (self.knots[0], self.knots[self.knots.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_monotone() {
        let new = |knots: &[f32], values: &[f32]| {
            Piecewise::new(knots.to_vec(), values.to_vec(), 0.0..=100.0).unwrap_err()
        };
        assert_eq!(new(&[0.0], &[0.0]), PiecewiseError::Length);
        assert_eq!(new(&[0.0, 1.0], &[0.0]), PiecewiseError::Length);
        assert_eq!(new(&[0.0, 0.0], &[0.0, 1.0]), PiecewiseError::Knots);
        assert_eq!(new(&[0.0, f32::NAN], &[0.0, 1.0]), PiecewiseError::Knots);
        assert_eq!(new(&[0.0, 1.0], &[2.0, 1.0]), PiecewiseError::Values(0.0, 100.0));
        assert_eq!(new(&[0.0, 1.0], &[2.0, 101.0]), PiecewiseError::Values(0.0, 100.0));
    }
}
