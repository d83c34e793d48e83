//! Decoding: whatever is accepted has pixels, as many as were planned. Panics of the decoders are
//! caught and count as refusals, so only faults that no guard catches are found here: memory that
//! is read or written outside of what was asked for, aborts, endless loops.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use lookalike_vision::image::DecodePlan;

/// Larger images only make a run slow.
const MOST_MEMORY: usize = 16 << 20;
/// Larger sides are made smaller.
const KEPT_SIDE: u32 = 4096;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(plan) = DecodePlan::of(bytes) else { return Corpus::Reject };
    if plan.memory() > MOST_MEMORY {
        return Corpus::Reject;
    }
    if let Ok(image) = plan.decode(bytes) {
        let (width, height) = plan.dimensions();
        let (found, longest) = (image.pixels.dimensions(), width.max(height));
        let whole = found == (width, height) || found == (height, width);
        assert!(whole || (longest > KEPT_SIDE && found.0.max(found.1) <= KEPT_SIDE), "{found:?}");
    }
    Corpus::Keep
});
