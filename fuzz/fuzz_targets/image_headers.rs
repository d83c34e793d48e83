//! The headers of JPEG and PNG files: an image is planned within bounds or refused, and nothing is
//! decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lookalike_vision::image::{DecodePlan, MAX_SIDE, MIN_SIDE};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(plan) = DecodePlan::of(bytes) {
        let (width, height) = plan.dimensions();
        assert!((MIN_SIDE..=MAX_SIDE).contains(&width) && (MIN_SIDE..=MAX_SIDE).contains(&height));
        assert!(plan.memory() >= 3 * MIN_SIDE as usize * MIN_SIDE as usize);
    }
});
