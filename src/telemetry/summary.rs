//! One request in plain values: what its log line and its entry in the list of requests show.

use std::time::Duration;

use aws_json::auth::Caller;
use aws_json::{ApiError, Outcome, Record, causes};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use super::findings::Found;
use super::stages::{Stage, Stages};
use super::traces;

/// A request that was answered. Images, vectors and secrets are not in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Summary {
    /// As in the header `x-amzn-RequestId`.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// When the answer was ready.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String)]
    pub time: OffsetDateTime,
    pub account: Option<String>,
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub user: Option<String>,
    /// As the client named it.
    pub operation: Option<String>,
    pub collection: Option<String>,
    /// Of the answer in HTTP.
    pub status: u16,
    /// The name of the error, where it is one.
    pub code: Option<&'static str>,
    /// The error's text as the log may show it.
    pub message: Option<String>,
    /// What is behind the error, where AWS's text hides it.
    pub cause: Option<String>,
    /// Address and port.
    pub client: Option<String>,
    pub trace_id: Option<String>,
    /// Of the body.
    pub bytes: usize,
    /// Width x height in pixels of the first image.
    pub image: Option<String>,
    /// In all images of the request.
    pub faces: Option<usize>,
    pub top_similarity: Option<f64>,
    pub milliseconds: f64,
    /// Inside ONNX Runtime.
    pub inference_ms: Option<f64>,
    #[serde(serialize_with = "printed")]
    #[schema(value_type = Vec<PrintedStage>)]
    pub stages: Stages,
}

impl Summary {
    pub(super) fn of(record: Record, found: &Found, outcome: &Outcome<'_>, stages: Stages) -> Self {
        let caller = record.caller.as_ref();
        let error = outcome.error;
        let first = found.images.iter().find_map(|image| image.contents);
        let trace_id = record.trace_parent.as_deref().and_then(traces::trace_id);
        let trace_id = trace_id.map(ToOwned::to_owned);
        let top = found.search.and_then(|search| search.top_similarity);
        Self {
            id: record.request_id,
            time: OffsetDateTime::now_utc(),
            account: caller.map(|caller| caller.account.clone()),
            region: caller.map(|caller| caller.region.clone()),
            user: caller.and_then(Caller::user).map(ToOwned::to_owned),
            access_key_id: record.access_key_id,
            operation: record.operation.map(shortened),
            collection: record.resource.or_else(|| found.collection.clone()),
            status: outcome.status.as_u16(),
            code: error.map(|error| error.code().name()),
            message: error.map(ApiError::for_log),
            cause: error.map(|error| causes(error)).filter(|cause| !cause.is_empty()),
            client: record.client.map(|address| address.to_string()),
            trace_id,
            bytes: record.body_bytes,
            image: first.map(|((width, height), _)| format!("{width}x{height}")),
            faces: found.faces(),
            top_similarity: top.map(|top| three_places(f64::from(top))),
            milliseconds: milliseconds(outcome.elapsed),
            inference_ms: (!stages.inference.is_zero()).then(|| milliseconds(stages.inference)),
            stages,
        }
    }

    /// Milliseconds in a stage; none where the request did not pass it.
    pub(super) fn stage(&self, name: &str) -> Option<f64> {
        self.stages.total(name).map(milliseconds)
    }
}

/// The name of an operation that is not here may be of any length.
fn shortened(name: String) -> String {
    const MOST: usize = 64;
    if name.len() <= MOST { name } else { name.chars().take(MOST).collect() }
}

/// Milliseconds to three places: microseconds.
fn milliseconds(time: Duration) -> f64 {
    three_places(time.as_secs_f64() * 1000.0)
}

fn three_places(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn rfc3339<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.format(&Rfc3339).map_err(S::Error::custom)?)
}

/// A stage as it is printed.
#[derive(Serialize, ToSchema)]
#[schema(as = Stage)]
pub struct PrintedStage {
    name: &'static str,
    /// From the start of the request, in milliseconds.
    start_ms: f64,
    ms: f64,
}

fn printed<S: Serializer>(stages: &Stages, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = stages.list.clone();
    list.sort_by_key(|stage| stage.start);
    serializer.collect_seq(list.iter().map(|Stage { name, start, took }| PrintedStage {
        name,
        start_ms: milliseconds(*start),
        ms: milliseconds(*took),
    }))
}
