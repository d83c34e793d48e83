//! Opening a database: where it is, who may use it, and which schema it has.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::checksums;
use super::error::classify;
use super::folder::{Files, Folder};
use super::import;
use crate::error::Failure;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

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
    #[error(
        "cannot use {} as the data directory: make it writable to the user {user}, or choose \
         another with --data",
        path.display()
    )]
    Directory { path: PathBuf, user: u32, source: io::Error },
    #[error(
        "{} is missing or empty, and it held data before: put the database back from a backup. To \
         begin anew, delete its whole folder",
        .0.display()
    )]
    DatabaseGone(PathBuf),
    #[error(
        "{} is missing or cut short, and the server before ended without closing it: what was \
         written last is lost. Put it back, or delete lookalike.lock beside it to go on without",
        .0.display()
    )]
    LogGone(PathBuf),
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

impl OpenError {
    /// A folder that the operating system keeps from the server.
    pub(super) fn unusable(path: &Path, source: io::Error) -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self::Directory { path: path.to_owned(), user, source }
    }
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
    pub(super) folder: Option<Folder>,
    pub(super) files: Option<Files>,
}

pub(super) async fn open(location: &Location) -> Result<Database, OpenError> {
    let mut database = match location {
        Location::Memory => {
            let writer = pool(1).connect_with(SqliteConnectOptions::new().in_memory(true)).await?;
            Database { readers: writer.clone(), writer, folder: None, files: None }
        }
        Location::Directory(path) => {
            let folder = Folder::open(path)?;
            let options = SqliteConnectOptions::new()
                .filename(folder.database())
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(5))
                .pragma("cache_size", "-16384")
                .pragma("wal_autocheckpoint", "4000")
                .pragma("journal_size_limit", "67108864");
            let writer = pool(1).connect_with(options.clone()).await?;
            let readers = pool(READERS)
                .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"));
            Database { writer, readers, folder: Some(folder), files: None }
        }
    };
    MIGRATIONS.run(&database.writer).await?;
    checksums::fill(&database.writer).await?;
    import::clear_unfinished(&database.writer).await?;
    if let (Some(folder), Location::Directory(path)) = (&mut database.folder, location) {
        let refused = |source| OpenError::unusable(path, source);
        folder.mark_used().map_err(refused)?;
        database.files = Some(folder.files().map_err(refused)?);
    }
    Ok(database)
}

/// Connections live as long as the pool: a memory database lives in its connection.
pub(super) fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
