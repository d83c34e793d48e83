//! Cross-origin requests, so that the JavaScript SDK works in a browser.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use uuid::Uuid;

use super::reply::request_id_header;

const EXPOSED: &str =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";
const MAX_AGE_SECONDS: &str = "172800";

/// Answers a preflight: whatever the browser asks for is allowed, as on AWS.
pub fn preflight(asked: &HeaderMap, request_id: Uuid) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    request_id_header(headers, request_id);
    echo(
        asked,
        &header::ACCESS_CONTROL_REQUEST_HEADERS,
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
    );
    echo(
        asked,
        &header::ACCESS_CONTROL_REQUEST_METHOD,
        headers,
        header::ACCESS_CONTROL_ALLOW_METHODS,
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
    expose(headers);
    response
}

/// Lets a page read the answer and its request id.
pub fn expose(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

fn echo(asked: &HeaderMap, name: &HeaderName, headers: &mut HeaderMap, answer: HeaderName) {
    if let Some(value) = asked.get(name) {
        headers.insert(answer, value.clone());
    }
}
