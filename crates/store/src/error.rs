//! Why a call to the store failed.

use std::fmt;
use std::sync::Arc;

/// What every call to the store returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// A call that failed; it changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// What the call speaks of is not there.
    #[error("no such {0}")]
    NotFound(Missing),
    /// What is to be made is there already.
    #[error("the {0} exists already")]
    AlreadyExists(Existing),
    /// A limit would be passed.
    #[error("too many {0}")]
    Quota(Quota),
    /// The client request token was used with another request.
    #[error("the token was used with another request")]
    TokenMismatch,
    /// [`super::Store::close`] was called, or the server is going down.
    #[error("the store is closed")]
    Closed,
    /// The code of the write itself panicked; nothing of the call was kept.
    #[error("the write panicked")]
    Panicked,
    /// The engine failed; nothing of the call was kept.
    #[error("{failure}")]
    Database { failure: Failure, source: Arc<sqlx::Error> },
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Collection,
    User,
}

/// What was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Collection,
    User,
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    Collections,
    FacesPerCollection,
    FacesPerUser,
    Tags,
}

/// How the engine failed, in words for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    DiskFull,
    ReadOnly,
    Corrupt,
    Io,
    Busy,
    Other,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Collection => "collection",
            Self::User => "user",
        })
    }
}

impl fmt::Display for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Collection => "collection",
            Self::User => "user",
        })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Collections => "collections",
            Self::FacesPerCollection => "faces in the collection",
            Self::FacesPerUser => "faces for the user",
            Self::Tags => "tags",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "the disk or the database is full: make room and try again",
            Self::ReadOnly => "the database is read-only: check the permissions of the data directory and its files",
            Self::Corrupt => "the database file is damaged or is no database: restore it from a backup",
            Self::Io => "the database could not be read or written: check the disk and the data directory",
            Self::Busy => "another program holds the database",
            Self::Other => "the database failed",
        })
    }
}

impl Failure {
    /// Classifies by the primary result code (<https://www.sqlite.org/rescode.html>), the low byte
    /// of the extended one.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
            Some(13) => Self::DiskFull,
            Some(8) => Self::ReadOnly,
            Some(11 | 26) => Self::Corrupt,
            Some(10 | 14) => Self::Io,
            Some(5 | 6) => Self::Busy,
            _ => Self::Other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            error => Self::Database { failure: Failure::of(&error), source: Arc::new(error) },
        }
    }
}
