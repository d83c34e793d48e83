//! From an HTTP request to its answer.
//!
//! The order of checks is that of AWS's front end: method and content type, size, target, JSON and
//! types, signature and permissions, rate, constraints; then the operation runs. Of a large body,
//! what its headers state of the signature is checked before it is read.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, header};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{Instrument as _, info_span};
use uuid::Uuid;

use crate::auth::{self, Auth};
use crate::body::{self, BodyBudget};
use crate::invocation::Invocation;
use crate::rate::RateLimiter;
use crate::record::{Outcome, REQUEST_SPAN, Record};
use crate::reply::Reply;
use crate::service::Service;

/// How long a request keeps its place while it does not use it.
const ARRIVAL: Duration = Duration::from_millis(250);

/// A service with what stands in front of it.
pub struct FrontEnd<S> {
    pub service: S,
    pub auth: Auth,
    pub rates: RateLimiter,
    bodies: BodyBudget,
}

impl<S: Service> FrontEnd<S> {
    /// `memory`: how many KiB large bodies may hold together.
    pub fn new(service: S, auth: Auth, rates: RateLimiter, memory: Arc<Semaphore>) -> Self {
        Self { service, auth, rates, bodies: BodyBudget::of(memory) }
    }
}

/// Answers one request to the API, whatever its path, as AWS does.
pub async fn serve<S: Service>(
    State(front): State<Arc<FrontEnd<S>>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut record = Record {
        request_id: Uuid::new_v4(),
        operation: target::<S>(&parts.headers).map(ToOwned::to_owned),
        client: parts.extensions.get().map(|ConnectInfo(address)| *address),
        access_key_id: auth::named_key(&parts),
        caller: None,
        resource: None,
        body_bytes: 0,
        trace_parent: trace_parent(&parts.headers),
        began: Instant::now(),
    };
    let findings = Arc::default();
    let span = info_span!(REQUEST_SPAN, request_id = %record.request_id);
    let trace = span.in_scope(|| front.service.trace(&record));
    let reply = answer(&front, parts, body, &mut record, &findings)
        .instrument(trace.clone())
        .instrument(span.clone())
        .await;
    let request_id = record.request_id;
    let cause = front.service.cause_header().zip(reply.cause());
    let outcome = Outcome::of(&reply, &record, &span, &trace);
    front.service.answered(record, &findings, &outcome);
    let mut response = reply.into_response(request_id);
    if let Some((name, cause)) = cause {
        response.headers_mut().insert(name, cause);
    }
    response
}

async fn answer<S: Service>(
    front: &FrontEnd<S>,
    parts: Parts,
    body: Body,
    record: &mut Record,
    findings: &Arc<S::Findings>,
) -> Reply {
    if parts.method != Method::POST {
        return Reply::MissingToken;
    }
    if media_type(&parts.headers).as_deref() != Some("application/x-amz-json-1.1") {
        return if auth::is_signed(&parts) { Reply::UnknownMediaType } else { Reply::MissingToken };
    }
    let operation = record.operation.clone().unwrap_or_default();
    if !body::is_light(&parts.headers)
        && let Err(refusal) = front.auth.check_headers(&parts, SystemTime::now())
    {
        body::refuse(&parts.headers, body);
        return Reply::Error(refusal);
    }
    let admission = match front.service.enter(&operation).await {
        Ok(admission) => admission,
        Err(refusal) => {
            body::refuse(&parts.headers, body);
            return Reply::Error(refusal);
        }
    };
    let read = front.bodies.read(&parts.headers, body, S::max_body_bytes(&operation));
    let (body, admission) = hold_while(read, admission).await;
    let body = match body {
        Ok(body) => body,
        Err(refusal) => return refusal.into(),
    };
    record.body_bytes = body.bytes.len();
    let invocation = Invocation::new(front, &operation, parts, body, record, findings, admission);
    S::dispatch(&operation, invocation).await.unwrap_or_else(Reply::Error)
}

/// Keeps a place while something is awaited, a body say, unless that takes long: slow clients keep
/// no others out.
pub(crate) async fn hold_while<T, P>(
    read: impl Future<Output = T>,
    admission: Option<P>,
) -> (T, Option<P>) {
    let mut read = pin!(read);
    match timeout(ARRIVAL, &mut read).await {
        Ok(body) => (body, admission),
        Err(_) => {
            drop(admission);
            (read.await, None)
        }
    }
}

/// The operation that `X-Amz-Target` names.
fn target<S: Service>(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(S::TARGET_PREFIX)
}

/// The header of W3C's Trace Context, unless it is longer than any version of it.
fn trace_parent(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    (header.len() <= 256).then(|| header.to_owned())
}

/// The content type in lower case, without its parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = value.split(';').next().unwrap_or_default().trim();
    Some(media_type.to_ascii_lowercase())
}
