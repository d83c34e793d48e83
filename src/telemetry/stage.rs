//! The stages beyond those of [`lookalike_vision::stage`].

use lookalike_vision::stage::TARGET;
use tracing::{Span, debug_span};

/// Reading an object of S3.
pub fn fetch() -> Span {
    debug_span!(target: TARGET, "fetch")
}

/// Comparing with the vectors of a collection, loading them included.
pub fn search() -> Span {
    debug_span!(target: TARGET, "search")
}

/// Waiting for the database.
pub fn store() -> Span {
    debug_span!(target: TARGET, "store")
}
