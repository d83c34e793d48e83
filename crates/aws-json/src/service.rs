//! What an emulated service declares, and what the front end does for it.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, Request as HttpRequest, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Span;

use crate::auth::Caller;
use crate::constraint::Request;
use crate::error::{ApiError, ApiResult, ErrorCode};
use crate::record::{Outcome, Record};

/// An operation of a service.
pub trait Operation {
    /// Its name in `X-Amz-Target`.
    const NAME: &'static str;
    /// The largest body that is read. Texts and ids take far less than this, even with every
    /// character escaped.
    const MAX_BODY_BYTES: usize = 1 << 20;
    /// What the service gives each of its operations.
    type Context: Sync;
    type Input: DeserializeOwned + Request + Send;
    type Output: Serialize + Send;
    /// How it fails: the service's own error, which becomes the one that the client reads.
    type Error: Into<ApiError> + Send;

    /// Another operation whose permission this request needs too.
    fn also_needs(_input: &Self::Input) -> Option<&'static str> {
        None
    }

    /// Runs the operation. The input satisfies the model's constraints.
    fn run(
        context: &Self::Context,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// A request on its way to the operation that it names.
pub trait OperationVisitor<C>: Send {
    type Answer;

    /// Runs the request as the operation `O`.
    fn visit<O: Operation<Context = C>>(
        self,
    ) -> impl Future<Output = ApiResult<Self::Answer>> + Send;

    /// Does what there is to do when the service has no such operation.
    fn unknown(self) -> impl Future<Output = ApiResult<Self::Answer>> + Send;
}

/// A service that speaks AWS JSON 1.1.
pub trait Service: Send + Sync + Sized + 'static {
    /// The service's name in signatures and ARNs.
    const SIGNING_NAME: &'static str;
    /// What stands in front of the operation's name in `X-Amz-Target`.
    const TARGET_PREFIX: &'static str;
    /// The names of all operations.
    const OPERATIONS: &'static [&'static str];
    /// What each operation works with.
    type Context: Send + Sync;
    /// What operations find out about a request beyond its answer.
    type Findings: Default + Send + Sync;

    /// What a request holds from before its body is read until its operation gives it up.
    type Admission: Send + Sync;

    /// Lets a request in before its body is read, or refuses it where too many are inside. Its
    /// place is given up again if the body is slow to arrive.
    fn enter(
        &self,
        operation: &str,
    ) -> impl Future<Output = ApiResult<Option<Self::Admission>>> + Send;

    /// The context of one request, whose operation adds to `findings`.
    fn context(
        &self,
        caller: Caller,
        findings: &Arc<Self::Findings>,
        admission: Option<Self::Admission>,
    ) -> Self::Context;

    /// The span that traces a request, where somebody traces.
    fn trace(&self, _record: &Record) -> Span {
        Span::none()
    }

    /// The header in which the answer to an error states the causes that AWS's text leaves out.
    fn cause_header(&self) -> Option<HeaderName> {
        None
    }

    /// Takes note of an answered request: its log line above all. A failure of the server's own is
    /// logged here and nowhere else.
    fn answered(&self, record: Record, findings: &Self::Findings, outcome: &Outcome<'_>);

    /// Lets a request pass that has proven who sends it and that he may send it, or refuses it; may
    /// take its time.
    fn admit(
        &self,
        _operation: &str,
        _caller: &Caller,
    ) -> impl Future<Output = ApiResult<()>> + Send {
        async { Ok(()) }
    }

    /// The largest body that is read for an operation, which may be one that is not here.
    fn max_body_bytes(operation: &str) -> usize;

    /// Hands `visitor` the operation of that name.
    fn dispatch<V: OperationVisitor<Self::Context>>(
        operation: &str,
        visitor: V,
    ) -> impl Future<Output = ApiResult<V::Answer>> + Send;

    /// Whether requests for operations that are not here go to another server.
    fn forwards(&self) -> bool {
        false
    }

    /// Sends the other server a request as it came.
    fn forward(
        &self,
        _request: HttpRequest<Bytes>,
    ) -> impl Future<Output = ApiResult<Response<Body>>> + Send {
        async { Err(ApiError::bare(ErrorCode::UnknownOperationException)) }
    }

    /// The message of the answer to an operation that is not here; empty where none was named.
    fn unknown_operation(operation: &str) -> String;
}
