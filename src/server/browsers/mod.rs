//! What a page in a browser may do here.
//!
//! Any page that a developer visits can send requests to his machine. Two checks keep such pages
//! out where no signature does: the `Origin` that the browser states must be allowed, and the name
//! by which the page reached the server must be one of the server's (DNS rebinding: a hostile name
//! that is made to resolve to 127.0.0.1 turns a foreign page into one of the same origin). SDKs
//! outside of browsers send no `Origin`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use tracing::info;
use uuid::Uuid;

mod host;
mod origin;
mod policy;
#[cfg(test)]
mod tests;

pub use host::parse_host_name;
pub use origin::AllowedOrigin;
pub use policy::{BrowserPolicy, Refusal};

/// The headers that AWS's SDKs send from a page.
const ALLOWED_HEADERS: &str = "amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,user-agent,\
    x-amz-content-sha256,x-amz-date,x-amz-security-token,x-amz-target,x-amz-user-agent,x-amzn-trace-id";
const EXPOSED_HEADERS: &str =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";
const MAX_AGE_SECONDS: &str = "7200";

/// Browsers state where a request comes from; over plain HTTP a page's GET of its own origin bears
/// nothing but the browser's name. `Sec-Fetch-Mode` alone is what the `fetch` of Node.js sends.
pub fn is_from_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    ["origin", "sec-fetch-site", "sec-fetch-dest"].iter().any(|name| headers.contains_key(*name))
        || agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

/// Answers what the policy refuses, and preflights; lets all other requests pass.
pub async fn guard(
    State(policy): State<Arc<BrowserPolicy>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ORIGIN);
    match policy.admit(request.uri(), request.headers()) {
        Err(refusal) => refuse(&refusal),
        Ok(allowed) if is_preflight => {
            let mut response = Response::new(Body::empty());
            let headers = response.headers_mut();
            headers.insert("x-amzn-requestid", request_id());
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
                (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            expose(headers, allowed);
            response
        }
        Ok(allowed) => {
            let mut response = next.run(request).await;
            expose(response.headers_mut(), allowed);
            response
        }
    }
}

/// Lets a page read the answer and its request id.
fn expose(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    let Some(allowed) = allowed else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    headers
        .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// An error that SDKs read as well as people do.
fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = match refusal {
        Refusal::Origin(_) | Refusal::Foreign(_) => StatusCode::FORBIDDEN,
        Refusal::Host(_) => StatusCode::MISDIRECTED_REQUEST,
    };
    info!(status = status.as_u16(), error = %refusal, "request refused");
    let body = serde_json::json!({
        "__type": "AccessDeniedException", "Code": "AccessDeniedException", "Message": refusal.to_string()
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert("x-amzn-requestid", request_id());
    response
}

fn request_id() -> HeaderValue {
    HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("a UUID is ASCII")
}
