//! Opening a database: where it is, who may use it, and which schema it has.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::checksums;
use super::folder::{Files, Folder};
use super::import;
use crate::open_error::OpenError;

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
    MIGRATIONS
        .run(&database.writer)
        .await
        .map_err(|error| OpenError::migrating(&MIGRATIONS, error))?;
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
