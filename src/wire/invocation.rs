//! One call on its way from bytes to an operation and back.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::body::{Held, LIGHT_BODY_BYTES};
use crate::api::constraint::{Request as _, Violations};
use crate::api::{ApiError, ApiResult, ErrorCode};
use crate::operations::{Call, Context, Operation};
use crate::wire::Edge;

/// A request whose body has arrived.
pub struct Invocation<'a> {
    edge: &'a Edge,
    parts: Parts,
    body: Held<'a>,
}

impl<'a> Invocation<'a> {
    pub fn new(edge: &'a Edge, parts: Parts, body: Held<'a>) -> Self {
        Self { edge, parts, body }
    }
}

impl Call for Invocation<'_> {
    async fn run<O: Operation>(self) -> ApiResult<Vec<u8>> {
        let Self { edge, parts, body } = self;
        let body_bytes = body.bytes.len();
        let (input, caller) = off_the_async_threads(body_bytes, || {
            let input: O::Input = parse(&body.bytes)?;
            let caller = edge.auth.authenticate(&parts, &body.bytes, SystemTime::now())?;
            Ok::<_, ApiError>((input, caller))
        })?;
        drop(body);
        caller.authorize(O::NAME, input.collection())?;
        if let Some(other) = O::also_needs(&input) {
            caller.authorize(other, input.collection())?;
        }
        edge.rates.admit(O::NAME, Instant::now())?;
        off_the_async_threads(body_bytes, || {
            let mut violations = Violations::default();
            input.check(&mut violations);
            violations.into_result()
        })?;
        let output = O::run(&Context { app: Arc::clone(&edge.app), tenant: caller.tenant }, input).await?;
        serde_json::to_vec(&output).map_err(ApiError::internal)
    }

    /// What cannot be parsed at all is told first.
    fn refuse(self) -> ApiError {
        let unparsable = !self.body.bytes.is_empty() && serde_json::from_slice::<IgnoredAny>(&self.body.bytes).is_err();
        ApiError::bare(if unparsable { ErrorCode::SerializationException } else { ErrorCode::UnknownOperationException })
    }
}

/// A small body is hashed, parsed and checked at once; a larger one must not hold up other requests.
fn off_the_async_threads<T>(body_bytes: usize, work: impl FnOnce() -> T) -> T {
    if body_bytes > LIGHT_BODY_BYTES { tokio::task::block_in_place(work) } else { work() }
}

/// Reads a body as AWS's front end does: a wrong type is told in words, anything that is not a JSON object is not.
fn parse<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(b'[') if serde_json::from_slice::<IgnoredAny>(body).is_ok() => {
            return Err(ApiError::new(ErrorCode::SerializationException, "Start of list found where not expected"));
        }
        _ => return Err(ApiError::bare(ErrorCode::SerializationException)),
    }
    serde_json::from_slice(body).map_err(|error| {
        if !error.is_data() {
            return ApiError::bare(ErrorCode::SerializationException);
        }
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        ApiError::new(ErrorCode::SerializationException, text.strip_suffix(&position).unwrap_or(&text))
    })
}
