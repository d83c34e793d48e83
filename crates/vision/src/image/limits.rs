//! Bounds on what is decoded, and on what is kept of it.

use image::RgbImage;

use super::DecodeError;
use super::resize::Resizer;

/// The longest side accepted, in pixels.
pub const MAX_SIDE: u32 = 10_000;
/// The shortest side accepted, in pixels.
pub const MIN_SIDE: u32 = 80;

/// The longest side kept. The smallest face that the API finds, 40 pixels in 1920, still has 85
/// pixels here, and an image waiting for its turn takes 50 MB at most instead of 300.
pub(super) const KEPT_SIDE: u32 = 4096;

/// The dimensions kept of an image: the longer side at most [`KEPT_SIDE`], the aspect the same.
pub(super) fn kept(width: u32, height: u32) -> (u32, u32) {
    if width.max(height) <= KEPT_SIDE {
        return (width, height);
    }
    let scale = f64::from(KEPT_SIDE) / f64::from(width.max(height));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    (side(width), side(height))
}

/// Makes an image with a longer side than [`KEPT_SIDE`] smaller; answers are ratios, so nobody sees
/// it.
pub(super) fn shrink(image: RgbImage) -> RgbImage {
    let kept = kept(image.width(), image.height());
    if kept == image.dimensions() { image } else { Resizer::default().resize(&image, kept) }
}

/// Refuses dimensions outside of [`MIN_SIDE`]..=[`MAX_SIDE`].
pub(super) fn check(width: u32, height: u32) -> Result<(), DecodeError> {
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(DecodeError::TooLarge { width, height });
    }
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(DecodeError::TooSmall { width, height });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_count() {
        assert!(check(80, 10_000).is_ok());
        assert!(matches!(check(79, 500), Err(DecodeError::TooSmall { width: 79, height: 500 })));
        assert!(matches!(check(500, 79), Err(DecodeError::TooSmall { .. })));
        assert!(matches!(check(10_001, 500), Err(DecodeError::TooLarge { .. })));
        assert!(matches!(
            check(10, 10_001),
            Err(DecodeError::TooLarge { width: 10, height: 10_001 })
        ));
    }
}
