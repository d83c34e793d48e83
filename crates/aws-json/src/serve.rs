//! From an HTTP request to its answer.
//!
//! The order of checks is that of AWS's front end: method and content type, size, target, JSON and
//! types, signature and permissions, rate, constraints; then the operation runs. Of a large body,
//! what its headers state of the signature is checked before it is read.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, Method, Request, Response, header};
use tokio::sync::Semaphore;
use tracing::{error, info};
use uuid::Uuid;

use crate::auth::{self, Auth};
use crate::body::{self, BodyBudget};
use crate::error::{ErrorCode, causes};
use crate::invocation::Invocation;
use crate::rate::RateLimiter;
use crate::reply::Reply;
use crate::service::Service;

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
    let started = Instant::now();
    let request_id = Uuid::new_v4();
    let operation = target::<S>(request.headers()).unwrap_or("-").to_owned();
    let reply = answer(&front, request).await;
    log(&operation, &reply, request_id, started);
    reply.into_response(request_id)
}

async fn answer<S: Service>(front: &FrontEnd<S>, request: Request<Body>) -> Reply {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Reply::MissingToken;
    }
    if media_type(&parts.headers).as_deref() != Some("application/x-amz-json-1.1") {
        return if auth::is_signed(&parts) { Reply::UnknownMediaType } else { Reply::MissingToken };
    }
    let operation = target::<S>(&parts.headers).unwrap_or_default().to_owned();
    if !body::is_light(&parts.headers)
        && let Err(refusal) = front.auth.check_headers(&parts, SystemTime::now())
    {
        body::refuse(&parts.headers, body);
        return Reply::Error(refusal);
    }
    let body = match front.bodies.read(&parts.headers, body, S::max_body_bytes(&operation)).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into(),
    };
    let invocation = Invocation::new(front, &operation, parts, body);
    S::dispatch(&operation, invocation).await.unwrap_or_else(Reply::Error)
}

/// The operation that `X-Amz-Target` names.
fn target<S: Service>(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(S::TARGET_PREFIX)
}

/// The content type in lower case, without its parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = value.split(';').next().unwrap_or_default().trim();
    Some(media_type.to_ascii_lowercase())
}

/// One line a request; a failure of ours is told here and nowhere else.
fn log(operation: &str, reply: &Reply, request_id: Uuid, started: Instant) {
    let status = reply.status().as_u16();
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    match reply {
        Reply::Error(failure) if failure.code() == ErrorCode::InternalServerError => {
            error!(operation, status, %request_id, milliseconds, cause = causes(failure), "request failed");
        }
        Reply::Error(refusal) => {
            let cause = Some(causes(refusal)).filter(|cause| !cause.is_empty());
            info!(operation, status, %request_id, milliseconds, error = refusal.for_log(), cause, "request refused");
        }
        _ => info!(operation, status, %request_id, milliseconds, "request answered"),
    }
}
