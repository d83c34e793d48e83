//! How AWS prints floats.

use serde::{Serialize, Serializer};

/// A 32-bit float, printed widened to 64 bits as AWS prints fresh values: 0.22206704 goes out as
/// 0.22206704318523407.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Number(pub f32);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0))
    }
}

impl Number {
    /// The value as AWS gives it back from a collection: rounded to six significant digits, then
    /// widened.
    pub fn stored(value: f32) -> Self {
        Self(format!("{value:.5e}").parse().unwrap_or(value))
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    /// The pairs that AWS's own documentation prints: what IndexFaces answered, and what a search
    /// gave back.
    #[test]
    fn stored_values_have_six_digits() {
        for (fresh, stored) in [
            (0.222_067_043_185_234_07_f64, 0.222_066_998_481_750_5_f64),
            (99.999_656_677_246_1, 99.999_702_453_613_28),
            (0.161_801_502_108_573_9, 0.161_801_993_846_893_3),
        ] {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the samples are exact 32-bit floats"
            )]
            let Number(rounded) = Number::stored(fresh as f32);
            assert_eq!(f64::from(rounded), stored);
        }
    }

    #[test]
    fn floats_are_widened() {
        assert_eq!(serde_json::to_string(&Number(0.222_067_04)).unwrap(), "0.22206704318523407");
        assert_eq!(serde_json::to_string(&Number(100.0)).unwrap(), "100.0");
    }
}
