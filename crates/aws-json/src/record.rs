//! What is known of one request once it is answered: for its log line, metrics and traces.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::StatusCode;
use tracing::Span;
use uuid::Uuid;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::reply::Reply;

/// The name of the span that each request is answered in, at the level of information.
pub const REQUEST_SPAN: &str = "request";

/// The facts of a request that the front end finds on its way through it.
#[derive(Debug)]
pub struct Record {
    pub request_id: Uuid,
    /// As the client named it, which need not be an operation of the service; none where it named
    /// none.
    pub operation: Option<String>,
    /// Where the connection comes from.
    pub client: Option<SocketAddr>,
    /// The access key id that the request names, true or not.
    pub access_key_id: Option<String>,
    /// Who calls, once that is known.
    pub caller: Option<Caller>,
    /// The resource that the request is about, as permissions name it.
    pub resource: Option<String>,
    /// Of the body, as far as it was read.
    pub body_bytes: usize,
    /// W3C's `traceparent`, as the client wrote it.
    pub trace_parent: Option<String>,
    pub began: Instant,
}

/// How a request ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    pub status: StatusCode,
    pub error: Option<&'a ApiError>,
    /// Whether it was a call of this protocol at all.
    pub is_call: bool,
    pub elapsed: Duration,
    /// The span that the request was answered in.
    pub span: &'a Span,
    /// The span that traces it.
    pub trace: &'a Span,
}

impl<'a> Outcome<'a> {
    pub(crate) fn of(reply: &'a Reply, record: &Record, span: &'a Span, trace: &'a Span) -> Self {
        let error = match reply {
            Reply::Error(error) => Some(error),
            _ => None,
        };
        let is_call = !matches!(reply, Reply::MissingToken | Reply::UnknownMediaType);
        Self {
            status: reply.status(),
            error,
            is_call,
            elapsed: record.began.elapsed(),
            span,
            trace,
        }
    }
}
