//! Rekognition's API as this program calls it itself: of any endpoint, or of its own operations.

mod in_process;
mod remote;

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use thiserror::Error;

pub use in_process::InProcess;
pub use remote::{Endpoint, EndpointError, Remote};

/// Calls are repeated so often before they fail.
const ATTEMPTS: u32 = 9;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Takes calls of operations.
#[async_trait]
pub trait Api: Send + Sync {
    /// Calls an operation once.
    async fn call_once(&self, operation: &str, input: &Value) -> Result<Value, CallError>;
}

/// Why a call failed.
#[derive(Debug, Clone, Error)]
pub enum CallError {
    #[error("{code}: {message}")]
    Refused { status: u16, code: String, message: String },
    #[error("no answer from the endpoint: {0}")]
    Silent(String),
    #[error("the call cannot be signed: {0}")]
    Unsigned(String),
}

impl CallError {
    /// The error's code, if the endpoint gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                *status >= 500
                    || *status == 429
                    || matches!(
                        code.as_str(),
                        "ThrottlingException" | "ProvisionedThroughputExceededException"
                    )
            }
            Self::Silent(_) => true,
            Self::Unsigned(_) => false,
        }
    }
}

/// Calls an operation, again and again with growing pauses while it is throttled or fails.
pub async fn call(api: &dyn Api, operation: &str, input: Value) -> Result<Value, CallError> {
    with_pauses(|| api.call_once(operation, &input)).await
}

async fn with_pauses<F>(mut attempt: impl FnMut() -> F) -> Result<Value, CallError>
where
    F: Future<Output = Result<Value, CallError>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_passing() => {
                tracing::debug!(%error, ?pause, "trying again");
                tokio::time::sleep(pause.mul_f64(random_share())).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
    attempt().await
}

/// Between a half and one, so that calls that failed together are not repeated together.
fn random_share() -> f64 {
    let random = uuid::Uuid::new_v4().as_u128() as u32;
    0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn refused(status: u16, code: &str) -> CallError {
        CallError::Refused { status, code: code.to_owned(), message: String::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_calls_are_repeated_and_wrong_ones_are_not() {
        for (error, attempts) in [
            (refused(400, "ThrottlingException"), 3),
            (refused(400, "ProvisionedThroughputExceededException"), 3),
            (refused(500, "InternalServerError"), 3),
            (CallError::Silent(String::new()), 3),
            (refused(400, "InvalidParameterException"), 1),
            (refused(403, "AccessDeniedException"), 1),
        ] {
            let made = Cell::new(0);
            let outcome = with_pauses(|| {
                made.set(made.get() + 1);
                let result = if made.get() < 3 { Err(error.clone()) } else { Ok(Value::Null) };
                std::future::ready(result)
            });
            assert_eq!((outcome.await.is_ok(), made.get()), (attempts == 3, attempts), "{error}");
        }
        let made = Cell::new(0);
        let outcome = with_pauses(|| {
            made.set(made.get() + 1);
            std::future::ready(Err(refused(500, "InternalServerError")))
        });
        assert_eq!((outcome.await.is_err(), made.get()), (true, ATTEMPTS));
    }
}
