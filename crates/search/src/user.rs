//! The one vector that stands for a user with several faces.

#![allow(
    clippy::cast_possible_truncation,
    reason = "sums in f64 are narrowed to the vectors' own precision"
)]

/// The vector that stands for a user: the direction of the sum of the faces' vectors, in which a
/// face counts by its length, and the mean of their lengths, weighted by themselves. Faces of length
/// one give a vector of length one. None if there are no faces, or if they cancel out.
pub fn user_vector(faces: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = vec![0f64; faces.first()?.len()];
    let (mut lengths, mut squares) = (0.0, 0.0);
    for face in faces {
        let square: f64 = face.iter().map(|&value| f64::from(value).powi(2)).sum();
        squares += square;
        lengths += square.sqrt();
        for (sum, &value) in sum.iter_mut().zip(face) {
            *sum += f64::from(value);
        }
    }
    let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    // Rounding must not make it longer than a unit vector.
    let length = (squares / lengths).min(1.0);
    (norm > 1e-6).then(|| sum.iter().map(|value| (value / norm * length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(vector: &[f32]) -> f32 {
        vector.iter().map(|value| value * value).sum::<f32>().sqrt()
    }

    #[test]
    fn faces_of_length_one_give_the_direction_of_their_mean() {
        let user = user_vector(&[vec![1.0, 0.0], vec![0.0, 1.0]]).expect("a direction");
        assert!((user[0] - user[1]).abs() < 1e-6 && (length(&user) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_short_face_counts_for_little() {
        let user = user_vector(&[vec![1.0, 0.0], vec![0.0, 0.1]]).expect("a direction");
        assert!(user[1] < 0.11 * user[0], "{user:?}");
        // (1 + 0.01) / (1 + 0.1)
        assert!((length(&user) - 0.918_182).abs() < 1e-5, "{}", length(&user));
        let alone = user_vector(&[vec![0.0, 0.1]]).expect("a direction");
        assert!((length(&alone) - 0.1).abs() < 1e-6);
    }

    #[test]
    fn there_is_no_user_without_a_direction() {
        assert_eq!(user_vector(&[]), None);
        assert_eq!(user_vector(&[vec![1.0, 0.0], vec![-1.0, 0.0]]), None);
        assert_eq!(user_vector(&[vec![0.0, 0.0]]), None);
    }
}
