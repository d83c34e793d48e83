//! SQLite's failures in the words of the contract.

use std::sync::Arc;

use crate::error::{Failure, StoreError};

/// Classifies by the primary result code (<https://www.sqlite.org/rescode.html>), the low byte of
/// the extended one.
pub(super) fn classify(error: &sqlx::Error) -> Failure {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
        Some(13) => Failure::DiskFull,
        Some(8) => Failure::ReadOnly,
        Some(11 | 26) => Failure::Corrupt,
        Some(10 | 14) => Failure::Io,
        Some(5 | 6) => Failure::Busy,
        _ => Failure::Other,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            error => Self::Database { failure: classify(&error), source: Arc::new(error) },
        }
    }
}
