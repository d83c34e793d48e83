//! Opening a database: where it is, who may use it, and which schema it has.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::error::classify;
use crate::error::Failure;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

const FILE_NAME: &str = "lookalike.sqlite3";
const LOCK_NAME: &str = "lookalike.lock";
/// Reads at the same time; each connection has a thread of its own that sleeps when idle.
const READERS: u32 = 8;

/// Where the data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In memory, gone with the store.
    Memory,
    /// In a directory, which is made when it is not there.
    Directory(PathBuf),
}

/// Why a database could not be opened, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another lookalike server is using the data directory {}: stop it or give this one another directory", .0.display())]
    InUse(PathBuf),
    #[error("cannot use {} as the data directory", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error(
        "the database was written by a newer lookalike (schema {found}, this one knows {known}): run that version or a newer one, or \
         use another data directory"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database's schema {0} is not the one that this lookalike makes: it was written by an unreleased version"
    )]
    ForeignSchema(i64),
    #[error("cannot bring the database's schema up to date")]
    Migration(#[source] MigrateError),
    #[error("cannot open the database: {failure}")]
    Database { failure: Failure, source: sqlx::Error },
}

impl From<sqlx::Error> for OpenError {
    fn from(source: sqlx::Error) -> Self {
        Self::Database { failure: classify(&source), source }
    }
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(found) => {
                let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
                Self::NewerSchema { found, known }
            }
            MigrateError::VersionMismatch(version) => Self::ForeignSchema(version),
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                source.into()
            }
            error => Self::Migration(error),
        }
    }
}

/// An open database.
pub(super) struct Database {
    /// The one connection that writes.
    pub(super) writer: SqlitePool,
    /// In memory the writer again: a second connection would see another database.
    pub(super) readers: SqlitePool,
    /// Keeps other servers out for as long as it is open.
    pub(super) lock: Option<File>,
}

pub(super) async fn open(location: &Location) -> Result<Database, OpenError> {
    let database = match location {
        Location::Memory => {
            let writer = pool(1).connect_with(SqliteConnectOptions::new().in_memory(true)).await?;
            Database { readers: writer.clone(), writer, lock: None }
        }
        Location::Directory(path) => {
            let lock = lock(path)?;
            let options = SqliteConnectOptions::new()
                .filename(path.join(FILE_NAME))
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(5))
                .pragma("cache_size", "-16384")
                .pragma("wal_autocheckpoint", "4000")
                .pragma("journal_size_limit", "67108864");
            let writer = pool(1).connect_with(options.clone()).await?;
            let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
            Database { writer, readers, lock: Some(lock) }
        }
    };
    MIGRATIONS.run(&database.writer).await?;
    Ok(database)
}

/// Connections live as long as the pool: a memory database lives in its connection.
fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let refused = |source| OpenError::Directory { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(refused)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK_NAME))
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(refused(source)),
    }
}
