//! What an emulated service declares, and what the front end does for it.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::Caller;
use crate::constraint::Request;
use crate::error::{ApiError, ApiResult};

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
    /// Runs the request as the operation `O` and returns the output's JSON.
    fn visit<O: Operation<Context = C>>(self) -> impl Future<Output = ApiResult<Vec<u8>>> + Send;

    /// The answer when there is no such operation.
    fn unknown(self) -> ApiError;
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

    /// The context of one request.
    fn context(&self, caller: Caller) -> Self::Context;

    /// The largest body that is read for an operation, which may be one that is not here.
    fn max_body_bytes(operation: &str) -> usize;

    /// Hands `visitor` the operation of that name.
    fn dispatch(
        operation: &str,
        visitor: impl OperationVisitor<Self::Context>,
    ) -> impl Future<Output = ApiResult<Vec<u8>>> + Send;
}
