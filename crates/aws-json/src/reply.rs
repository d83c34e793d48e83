//! What goes back: an operation's output, one of the two error envelopes, or the XML of AWS's front
//! end.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use uuid::Uuid;

use crate::error::{ApiError, ErrorCode, causes};

const MISSING_TOKEN: &str = "<MissingAuthenticationTokenException>\n  <Message>Missing Authentication Token</Message>\n\
                             </MissingAuthenticationTokenException>\n";
/// What a header shows of causes.
const MOST_CAUSE_CHARS: usize = 1000;
const UNKNOWN_OPERATION: &str = "<UnknownOperationException/>\n";

/// The answer to one request.
pub enum Reply {
    /// The JSON of an operation's output.
    Output(Vec<u8>),
    /// The answer of another server.
    Forwarded(Response<Body>),
    Error(ApiError),
    /// Not a call of this protocol at all: not a POST, or of another media type and without a
    /// signature.
    MissingToken,
    /// A signed POST of another media type, or of none.
    UnknownMediaType,
    /// A body that is larger than any valid request.
    TooLarge,
    /// A body that did not arrive in time or broke off.
    Incomplete,
    /// A body whose chunks are not framed as HTTP demands.
    Malformed,
}

impl Reply {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Output(_) => StatusCode::OK,
            Self::Forwarded(response) => response.status(),
            Self::Error(error) => error.code().status(),
            Self::MissingToken => StatusCode::FORBIDDEN,
            Self::UnknownMediaType => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed => StatusCode::BAD_REQUEST,
        }
    }

    /// The causes of an error as a header can carry them; none where there is nothing to add.
    pub fn cause(&self) -> Option<HeaderValue> {
        let Self::Error(error) = self else { return None };
        let text: String = causes(error).chars().take(MOST_CAUSE_CHARS).collect();
        let plain: String = text.replace(|letter: char| !matches!(letter, ' '..='~'), "?");
        HeaderValue::from_str(&plain).ok().filter(|value| !value.is_empty())
    }

    pub fn into_response(self, request_id: Uuid) -> Response<Body> {
        let status = self.status();
        let (body, json) = match self {
            Self::Forwarded(response) => return response,
            Self::Output(output) => (output, true),
            Self::Error(error) => (envelope(&error, request_id), true),
            Self::MissingToken => (MISSING_TOKEN.into(), false),
            Self::UnknownMediaType => (UNKNOWN_OPERATION.into(), false),
            Self::TooLarge | Self::Incomplete | Self::Malformed => (Vec::new(), false),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        if json {
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-amz-json-1.1"),
            );
        }
        request_id_header(response.headers_mut(), request_id);
        response
    }
}

/// Names the request in its answer.
pub fn request_id_header(headers: &mut HeaderMap, request_id: Uuid) {
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), value);
    }
}

/// The JSON of an error: the service's own errors carry `Message`, `Code` and `Logref`, those of
/// the front end a lower-case `message`.
fn envelope(error: &ApiError, request_id: Uuid) -> Vec<u8> {
    let name = error.code().name();
    let mut body = json!({ "__type": name });
    if !error.code().is_framework() {
        body["Code"] = name.into();
        body["Logref"] = request_id.to_string().into();
    }
    if let Some(message) = error.message() {
        let lower_case =
            error.code().is_framework() && error.code() != ErrorCode::SerializationException;
        body[if lower_case { "message" } else { "Message" }] = message.into();
    }
    body.to_string().into_bytes()
}
