//! Where the time of a request goes: a span for each stage.
//!
//! A subscriber that takes spans of the target [`TARGET`] sees them below the span that was current
//! when [`Vision::run`](crate::Vision::run) was called. Without one they cost a load and a branch.

use tracing::{Span, debug_span};

/// The target of all stages, those of other crates too.
pub const TARGET: &str = "lookalike::stage";
/// The name of the span around each run of a network, inside of the stage that needs it.
pub const INFERENCE: &str = "inference";

/// From joining the queue of jobs until a worker takes the job.
pub(crate) fn queue_wait() -> Span {
    debug_span!(target: TARGET, "queue_wait")
}

/// From the bytes of an image to its pixels.
pub(crate) fn decode() -> Span {
    debug_span!(target: TARGET, "decode")
}

/// Detector and verifier.
pub(crate) fn detect() -> Span {
    debug_span!(target: TARGET, "detect")
}

/// Landmarks, pose, quality and attributes.
pub(crate) fn analyze() -> Span {
    debug_span!(target: TARGET, "analyze")
}

/// From faces to vectors.
pub(crate) fn embed() -> Span {
    debug_span!(target: TARGET, "embed")
}

/// Inside ONNX Runtime.
pub(crate) fn inference() -> Span {
    debug_span!(target: TARGET, INFERENCE)
}
