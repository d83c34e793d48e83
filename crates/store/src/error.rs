//! Why a call to the store failed.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// What every call to the store returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// A call that failed; unless a variant says otherwise, it changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// What the call needs is not there.
    #[error("{0} does not exist")]
    NotFound(Entity),
    /// What the call would make is there already.
    #[error("{0} already exists")]
    AlreadyExists(Entity),
    /// A limit would be passed.
    #[error("too many {0}")]
    Quota(Quota),
    /// Another request came with this client request token.
    #[error("another request used the token {0}")]
    TokenMismatch(String),
    /// [`super::Store::close`] was called, or the server is going down.
    #[error("the store is closed")]
    Closed,
    /// The code of the write itself panicked; nothing of the call was kept.
    #[error("the write panicked")]
    Panicked,
    /// A file of the database is not the one that was opened; nothing is written any more.
    #[error(
        "{} was deleted or replaced while the server ran: stop the server, put the file back, and \
         start again",
        .0.display()
    )]
    FilesReplaced(PathBuf),
    /// The write stands, but a sink panicked on it; nothing is written any more.
    #[error("what is in memory is out of step with the database: restart the server")]
    OutOfStep,
    /// The vector of that face's row is not the one that was written.
    #[error(
        "the vector in row {0} is damaged: restore the database from a backup, or stop the server, \
         let `lookalike check` name the damaged faces, and delete them"
    )]
    DamagedVector(i64),
    /// Rows are missing that the collection counts.
    #[error(
        "the collection {0} does not hold what it counts: restore the database from a backup, or \
         stop the server and let `lookalike check` name what is wrong"
    )]
    Incomplete(String),
    /// Imported rows do not fit together; nothing of the call was kept.
    #[error("{0}")]
    InvalidImport(String),
    /// The connection to the engine broke in the commit: the write was kept or it was not.
    #[error(
        "the connection to the database broke in a commit, and whether it was kept could not be \
         found out: do the call again"
    )]
    OutcomeUnknown,
    /// The engine failed; nothing of the call was kept.
    #[error("{failure}")]
    Database { failure: Failure, source: Arc<dyn Error + Send + Sync> },
}

/// What a call names, by the name that clients know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    Collection(String),
    User(String),
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
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
    Unreachable,
    Untrusted,
    Other,
}

impl StoreError {
    /// Whether the same call may succeed a little later, with nobody doing anything but wait.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::OutcomeUnknown
                | Self::Database { failure: Failure::Busy | Failure::Unreachable, .. }
        )
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

impl Failure {
    /// What an error of either engine's driver means.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                    Some(error) => crate::postgres::classify(error.code()),
                    None => crate::sqlite::classify(error.code().as_deref()),
                }
            }
            // So rustls refuses a certificate.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Self::Untrusted,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Self::Unreachable
            }
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collection(name) => write!(f, "the collection {name}"),
            Self::User(user_id) => write!(f, "the user {user_id}"),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
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
            Self::ReadOnly => {
                "the database is read-only: check the permissions of the data directory and its files"
            }
            Self::Corrupt => {
                "the database file is damaged or is no database: restore it from a backup"
            }
            Self::Io => {
                "the database could not be read or written: check the disk and the data directory"
            }
            Self::Busy => "another program holds the database",
            Self::Unreachable => {
                "the database cannot be reached, or none of its hosts is the primary: check that it \
                 runs and that --data names all of its hosts"
            }
            Self::Untrusted => {
                "the certificate of the database's server is not trusted: name its authority with \
                 sslrootcert in the address, and the server as the certificate does"
            }
            Self::Other => "the database failed",
        })
    }
}
