//! The one vector that stands for a user with several faces.

#![allow(
    clippy::cast_possible_truncation,
    reason = "sums in f64 are narrowed to the vectors' own precision"
)]

/// The unit vector that stands for a user: the direction of the mean of the faces' unit vectors.
/// None if there are no faces, or if they cancel out.
pub fn user_vector(faces: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = vec![0f64; faces.first()?.len()];
    for face in faces {
        for (sum, &value) in sum.iter_mut().zip(face) {
            *sum += f64::from(value);
        }
    }
    let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    (norm > 1e-6).then(|| sum.iter().map(|value| (value / norm) as f32).collect())
}
