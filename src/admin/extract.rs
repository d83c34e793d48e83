//! JSON in and out, and what a query states.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header;
use http::request::Parts;
use http_body_util::LengthLimitError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::AdminError;

/// The largest body that is read into memory.
const MOST_BYTES: usize = 4 << 20;

/// A JSON body, of whatever content type; as an input, an empty one stands for `{}`.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AdminError> {
        let body = to_bytes(request.into_body(), MOST_BYTES).await.map_err(|error| {
            let source = std::error::Error::source(&error);
            let is_too_large = source.is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
            if is_too_large { AdminError::TooLarge(MOST_BYTES) } else { AdminError::Body(error) }
        })?;
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body.trim_ascii() };
        // A list would be taken for the members of an object in their order.
        if !body.starts_with(b"{") {
            return Err(AdminError::Invalid("the body is no JSON object".to_owned()));
        }
        let parsed = serde_json::from_slice(body);
        parsed.map(Self).map_err(|error| AdminError::Invalid(format!("the body is wrong: {error}")))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0).expect("the types of answers are plain JSON");
        ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
    }
}

/// The members of a query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AdminError> {
        let parsed = axum::extract::Query::try_from_uri(&parts.uri);
        parsed.map(|axum::extract::Query(query)| Self(query)).map_err(|refusal| {
            AdminError::Invalid(format!("the query is wrong: {}", refusal.body_text()))
        })
    }
}
