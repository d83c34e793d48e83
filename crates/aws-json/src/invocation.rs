//! One call on its way from bytes to an operation and back.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::Request;
use http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::body::{Held, LIGHT_BODY_BYTES};
use crate::constraint::{Request as _, Violations, shorten};
use crate::error::{ApiError, ApiResult, ErrorCode};
use crate::record::Record;
use crate::reply::Reply;
use crate::serve::{FrontEnd, hold_while};
use crate::service::{Operation, OperationVisitor, Service};

/// A request whose body has arrived.
pub struct Invocation<'a, S: Service> {
    front: &'a FrontEnd<S>,
    operation: &'a str,
    parts: Parts,
    body: Held<'a>,
    record: &'a mut Record,
    findings: &'a Arc<S::Findings>,
    admission: Option<S::Admission>,
}

impl<'a, S: Service> Invocation<'a, S> {
    pub fn new(
        front: &'a FrontEnd<S>,
        operation: &'a str,
        parts: Parts,
        body: Held<'a>,
        record: &'a mut Record,
        findings: &'a Arc<S::Findings>,
        admission: Option<S::Admission>,
    ) -> Self {
        Self { front, operation, parts, body, record, findings, admission }
    }
}

impl<S: Service> OperationVisitor<S::Context> for Invocation<'_, S> {
    type Answer = Reply;

    async fn visit<O: Operation<Context = S::Context>>(self) -> ApiResult<Reply> {
        let Self { front, parts, body, record, findings, admission, .. } = self;
        let body_bytes = body.bytes.len();
        let (input, caller) = off_the_async_threads(body_bytes, || {
            let input: O::Input = parse(&body.bytes)?;
            record.resource = input.resource().map(shorten);
            let caller = front.auth.authenticate(&parts, &body.bytes, SystemTime::now())?;
            Ok::<_, ApiError>((input, caller))
        })?;
        drop(body);
        record.caller = Some(caller.clone());
        caller.authorize(O::NAME, input.resource())?;
        if let Some(other) = O::also_needs(&input) {
            caller.authorize(other, input.resource())?;
        }
        front.rates.admit(O::NAME, Instant::now())?;
        let (admitted, admission) =
            hold_while(front.service.admit(O::NAME, &caller), admission).await;
        admitted?;
        off_the_async_threads(body_bytes, || {
            let mut violations = Violations::default();
            input.check(&mut violations);
            violations.into_result()
        })?;
        let output = O::run(&front.service.context(caller, findings, admission), input)
            .await
            .map_err(Into::into)?;
        serde_json::to_vec(&output).map(Reply::Output).map_err(ApiError::internal)
    }

    /// What cannot be parsed at all is refused first. Whoever may call, and may perform the
    /// operation, is passed on.
    async fn unknown(self) -> ApiResult<Reply> {
        let Self { front, operation, parts, body, record, .. } = self;
        let body_bytes = body.bytes.len();
        let caller = off_the_async_threads(body_bytes, || {
            if !body.bytes.is_empty() && serde_json::from_slice::<IgnoredAny>(&body.bytes).is_err()
            {
                return Err(ApiError::bare(ErrorCode::SerializationException));
            }
            if operation.is_empty() || !front.service.forwards() {
                return Err(ApiError::new(
                    ErrorCode::UnknownOperationException,
                    S::unknown_operation(&shorten(operation)),
                ));
            }
            front.auth.authenticate(&parts, &body.bytes, SystemTime::now())
        })?;
        record.caller = Some(caller.clone());
        caller.authorize(operation, None)?;
        front.rates.admit(operation, Instant::now())?;
        front.service.admit(operation, &caller).await?;
        let request = Request::from_parts(parts, body.bytes.clone());
        front.service.forward(request).await.map(Reply::Forwarded)
    }
}

/// A small body is hashed, parsed and checked at once; a larger one must not hold up other
/// requests.
fn off_the_async_threads<T>(body_bytes: usize, work: impl FnOnce() -> T) -> T {
    if body_bytes > LIGHT_BODY_BYTES { tokio::task::block_in_place(work) } else { work() }
}

/// Reads a body as AWS's front end does: a wrong type is told in words, anything that is not a JSON
/// object is not.
fn parse<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(b'[') if serde_json::from_slice::<IgnoredAny>(body).is_ok() => {
            return Err(ApiError::new(
                ErrorCode::SerializationException,
                "Start of list found where not expected",
            ));
        }
        _ => return Err(ApiError::bare(ErrorCode::SerializationException)),
    }
    serde_json::from_slice(body).map_err(|error| {
        if !error.is_data() {
            return ApiError::bare(ErrorCode::SerializationException);
        }
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        ApiError::new(
            ErrorCode::SerializationException,
            text.strip_suffix(&position).unwrap_or(&text),
        )
    })
}
