//! What tests of searches begin with, those of this crate and of others.

use super::Hit;

/// Unit length, unless there is hardly any.
pub fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if norm > 1e-12 {
        vector.iter_mut().for_each(|value| *value /= norm);
    }
    vector
}

/// Deterministic unit vectors without pattern.
pub fn scattered(count: usize, dimension: usize) -> Vec<Vec<f32>> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from(state.to_le_bytes()[5].cast_signed()) + 0.5
    };
    (0..count).map(|_| unit((0..dimension).map(|_| next()).collect())).collect()
}

/// The row ids of an answer, in its order.
pub fn ids(hits: &[Hit]) -> Vec<i64> {
    hits.iter().map(|hit| hit.id).collect()
}
