//! Which nodes share a database.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreResult;

/// The list of nodes that a database keeps, by its own clock.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Notes that the node of this address lives, and reads which ones have noted so within
    /// `lifetime`. Waits for no replica, and keeps no other call waiting.
    async fn beat(&self, address: &str, lifetime: Duration) -> StoreResult<Beat>;

    /// Takes the node of this address from the list.
    async fn leave(&self, address: &str) -> StoreResult<()>;
}

/// What a node learns when it notes that it lives.
#[derive(Clone, PartialEq, Eq)]
pub struct Beat {
    /// Addresses of the nodes that live, in ascending order.
    pub addresses: Vec<String>,
    /// Milliseconds since 1970-01-01 UTC, by the clock of the database.
    pub now: i64,
    /// What only nodes of this database know.
    pub secret: Vec<u8>,
}

/// Shows no secret.
impl fmt::Debug for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beat").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
