//! The line of a request, and that of a change.

use std::time::Duration;

use aws_json::{ErrorCode, Outcome};
use tracing::{debug, error, info, warn};

use super::findings::Change;
use super::summary::Summary;
use crate::faults::is_injected;

/// Writes a line with everything that is known of a request, at a level of its own.
macro_rules! line {
    ($level:ident, $summary:ident, $text:literal) => {
        $level!(
            target: "lookalike::request",
            operation = $summary.operation.as_deref().unwrap_or("-"),
            status = $summary.status,
            request_id = %$summary.id,
            milliseconds = $summary.milliseconds,
            error = $summary.message.as_deref(),
            cause = $summary.cause.as_deref(),
            account = $summary.account.as_deref(),
            region = $summary.region.as_deref(),
            access_key_id = $summary.access_key_id.as_deref(),
            user = $summary.user.as_deref(),
            collection = $summary.collection.as_deref(),
            client = $summary.client.as_deref(),
            trace_id = $summary.trace_id.as_deref(),
            bytes = $summary.bytes,
            image = $summary.image.as_deref(),
            faces = $summary.faces,
            top_similarity = $summary.top_similarity,
            queue_wait_ms = $summary.stage("queue_wait"),
            fetch_ms = $summary.stage("fetch"),
            decode_ms = $summary.stage("decode"),
            detect_ms = $summary.stage("detect"),
            analyze_ms = $summary.stage("analyze"),
            embed_ms = $summary.stage("embed"),
            inference_ms = $summary.inference_ms,
            search_ms = $summary.stage("search"),
            store_ms = $summary.stage("store"),
            $text
        )
    };
}

/// One line for each request. What took longer than `slow` is a warning; what is no call of the
/// API, as the probes of a load balancer, is for those who debug.
pub fn request(summary: &Summary, outcome: &Outcome<'_>, slow: Option<Duration>) {
    let is_failure = outcome
        .error
        .is_some_and(|error| error.code() == ErrorCode::InternalServerError && !is_injected(error));
    let is_slow = slow.is_some_and(|slow| outcome.elapsed >= slow);
    match outcome.error {
        _ if is_failure => line!(error, summary, "request failed"),
        _ if !outcome.is_call => line!(debug, summary, "request refused"),
        _ if is_slow => line!(warn, summary, "request was slow"),
        Some(_) => line!(info, summary, "request refused"),
        None => line!(info, summary, "request answered"),
    }
}

/// Who changed what: a line for each write that was answered.
pub fn audit(summary: &Summary, change: &Change) {
    let faces: Vec<String> = change.faces.iter().map(ToString::to_string).collect();
    info!(
        target: "lookalike::audit",
        operation = summary.operation.as_deref(),
        account = summary.account.as_deref(),
        region = summary.region.as_deref(),
        access_key_id = summary.access_key_id.as_deref(),
        user = summary.user.as_deref(),
        client = summary.client.as_deref(),
        collection = summary.collection.as_deref(),
        faces = (!faces.is_empty()).then(|| faces.join(",")),
        changed_user = change.user.as_deref(),
        request_id = %summary.id,
        "changed"
    );
}
