//! Where requests with images stand in line, before their bodies are read.
//!
//! To refuse a request after its body was read, parsed and decoded would cost as much as many an
//! answer, and whoever is refused comes back at once. So there are as many places as images may wait
//! and be looked at together; who finds none waits for one with nothing but its headers in memory,
//! and is refused when that takes too long. First come, first served.

use std::sync::Arc;
use std::time::Duration;

use aws_json::ApiError;
use lookalike_vision::RunError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a request waits for a place. Clients that are refused thus come back once a second at
/// most.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places.
#[derive(Debug)]
pub struct Door(Arc<Semaphore>);

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Admission(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Door {
    /// A door with so many places.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Result<Admission, ApiError> {
        match timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await {
            Ok(Ok(admission)) => Ok(Admission(admission)),
            _ => Err(ApiError::throttled().because(RunError::Busy)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_waited_for_but_not_for_long() {
        let door = Door::new(1);
        let first = door.enter().await.expect("a place");
        let second = async {
            let admission = door.enter().await.expect("the first one leaves");
            sleep(10 * PATIENCE).await;
            drop(admission);
        };
        let third = async {
            let started = Instant::now();
            let refusal = door.enter().await.expect_err("both stay");
            assert_eq!(started.elapsed(), PATIENCE);
            let cause = refusal.source().expect("a cause");
            assert!(cause.is::<RunError>());
        };
        let leave = async {
            sleep(PATIENCE / 2).await;
            drop(first);
        };
        tokio::join!(second, third, leave);
        assert!(door.enter().await.is_ok());
    }
}
