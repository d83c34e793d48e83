//! Calls of the API: how they end, how long each stage takes, what images and searches come to.

use std::error::Error as _;

use aws_json::{ApiError, BodyRefused, ErrorCode, Outcome, Record, Service as _};
use lookalike_vision::RunError;
use lookalike_vision::image::DecodeError;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{
    CodeLabel, ImageLabels, Operation, OperationLabels, ReasonLabel, StageLabel, reason,
};
use super::{Histograms, histograms, registered};
use crate::objects::ObjectError;
use crate::operations::Rekognition;
use crate::telemetry::findings::Found;
use crate::telemetry::stages::Stages;

const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const STAGE_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
const CANDIDATES: &[f64] = &[1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
/// The ends of what people read into a similarity.
const SIMILARITIES: &[f64] = &[0.0, 50.0, 70.0, 80.0, 90.0, 95.0, 99.0, 100.0];

#[derive(Debug)]
pub struct OperationMetrics {
    durations: Histograms<OperationLabels>,
    stages: Histograms<StageLabel>,
    rejected: Family<ReasonLabel, Counter>,
    auth_failures: Family<ReasonLabel, Counter>,
    images: Family<ImageLabels, Counter>,
    detected: Counter,
    indexed: Counter,
    unindexed: Family<ReasonLabel, Counter>,
    candidates: Histograms<Operation>,
    top_similarities: Histograms<Operation>,
    fetches: Histograms<CodeLabel>,
}

impl OperationMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            durations: histograms(
                registry,
                "lookalike_operation_duration_seconds",
                "Time of a call, by the name of its error or ok",
                SECONDS,
            ),
            stages: histograms(
                registry,
                "lookalike_stage_duration_seconds",
                "Time of a call in each stage",
                STAGE_SECONDS,
            ),
            rejected: registered(
                registry,
                "lookalike_inference_rejected",
                "Calls that were throttled, by what was exhausted",
            ),
            auth_failures: registered(
                registry,
                "lookalike_auth_failures",
                "Calls that were refused for their signature, key or permissions",
            ),
            images: registered(registry, "lookalike_images", "Images that were looked at"),
            detected: registered(registry, "lookalike_faces_detected", "Faces in these images"),
            indexed: registered(registry, "lookalike_faces_indexed", "Faces that were stored"),
            unindexed: registered(
                registry,
                "lookalike_faces_unindexed",
                "Faces that IndexFaces did not store, by the first reason",
            ),
            candidates: histograms(
                registry,
                "lookalike_search_candidates",
                "Vectors that a search compared",
                CANDIDATES,
            ),
            top_similarities: histograms(
                registry,
                "lookalike_search_top_similarity",
                "The best match of a search, 0 where nothing reached the threshold",
                SIMILARITIES,
            ),
            fetches: histograms(
                registry,
                "lookalike_s3_request_duration_seconds",
                "Time to read an object, by the name of the error or ok",
                SECONDS,
            ),
        }
    }

    /// Counts an answered call.
    pub fn observe(&self, record: &Record, found: &Found, stages: &Stages, outcome: &Outcome<'_>) {
        let operation = operation(record.operation.as_deref());
        let labels = OperationLabels { operation, code: code(outcome) };
        self.durations.get_or_create(&labels).observe(outcome.elapsed.as_secs_f64());
        for stage in &stages.list {
            let label = StageLabel { stage: stage.name };
            self.stages.get_or_create(&label).observe(stage.took.as_secs_f64());
        }
        if let Some(error) = outcome.error {
            if let Some(reason) = exhausted(error) {
                self.rejected.get_or_create(&ReasonLabel { reason }).inc();
            }
            if let Some(reason) = auth_failure(error.code()) {
                self.auth_failures.get_or_create(&ReasonLabel { reason }).inc();
            }
        }
        self.observe_images(found);
        if let Some(search) = found.search {
            let label = Operation { operation };
            self.candidates.get_or_create(&label).observe(search.candidates as f64);
            let top = search.top_similarity.unwrap_or_default();
            self.top_similarities.get_or_create(&label).observe(top.into());
        }
    }

    fn observe_images(&self, found: &Found) {
        for image in &found.images {
            self.images.get_or_create(&image.into()).inc();
        }
        self.detected.inc_by(found.faces().unwrap_or_default() as u64);
        self.indexed.inc_by(found.indexed as u64);
        for unindexed in &found.unindexed {
            self.unindexed.get_or_create(&ReasonLabel { reason: reason(*unindexed) }).inc();
        }
        for fetch in &found.fetches {
            let label = CodeLabel { code: fetch.error.map_or("ok", ErrorCode::name) };
            self.fetches.get_or_create(&label).observe(fetch.took.as_secs_f64());
        }
    }
}

/// Clients may name operations that are not here.
fn operation(named: Option<&str>) -> &'static str {
    let known = Rekognition::OPERATIONS.iter().find(|known| Some(**known) == named);
    known.copied().unwrap_or("other")
}

/// The name of the error; of answers without one, what their status says.
fn code(outcome: &Outcome<'_>) -> &'static str {
    match (outcome.error, outcome.status.as_u16()) {
        (Some(error), _) => error.code().name(),
        (None, 200..300) => "ok",
        (None, 408) => "request_timeout",
        (None, 413) => "content_too_large",
        (None, 400..500) => "client_error",
        (None, _) => "server_error",
    }
}

/// What a throttled call would have needed.
fn exhausted(error: &ApiError) -> Option<&'static str> {
    if error.code() == ErrorCode::ProvisionedThroughputExceededException {
        return Some("rate_limit");
    }
    let cause = error.source()?;
    if let Some(RunError::Busy) = cause.downcast_ref() {
        Some("queue_full")
    } else if let Some(DecodeError::Busy) = cause.downcast_ref() {
        Some("pixel_budget")
    } else if cause.is::<BodyRefused>() || matches!(cause.downcast_ref(), Some(ObjectError::NoRoom))
    {
        Some("body_budget")
    } else {
        None
    }
}

fn auth_failure(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidSignatureException | ErrorCode::IncompleteSignatureException => {
            Some("signature")
        }
        ErrorCode::MissingAuthenticationTokenException => Some("missing"),
        ErrorCode::UnrecognizedClientException => Some("unknown_key"),
        ErrorCode::ExpiredTokenException => Some("expired"),
        ErrorCode::AccessDeniedException => Some("denied"),
        _ => None,
    }
}
