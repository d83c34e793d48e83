//! Copying a data folder, whether or not a server uses it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::folder::{DATABASE, Folder, private_file};
use crate::error::Failure;
use crate::open_error::OpenError;

/// What a copy holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Backup {
    pub collections: u64,
    pub faces: u64,
    pub bytes: u64,
}

/// Why there is no copy, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Folder(#[from] OpenError),
    #[error("{} is there already: name a folder that is not", .0.display())]
    TargetExists(PathBuf),
    #[error("cannot write {}", path.display())]
    Target { path: PathBuf, source: io::Error },
    #[error("cannot copy the database: {failure}")]
    Copy { failure: Failure, source: sqlx::Error },
}

impl From<sqlx::Error> for BackupError {
    fn from(source: sqlx::Error) -> Self {
        Self::Copy { failure: Failure::of(&source), source }
    }
}

/// Copies the database in `folder`, as it is at one moment, into the new folder `target`. A server
/// that uses it goes on reading and writing.
pub async fn backup(folder: &Path, target: &Path) -> Result<Backup, BackupError> {
    // Where no server holds the folder, none can start while it is copied.
    let _held = match Folder::open_existing(folder) {
        Ok(folder) => Some(folder),
        Err(OpenError::InUse(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let failed = |source| BackupError::Target { path: target.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(target) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::TargetExists(target.to_owned()));
        }
        Err(source) => return Err(failed(source)),
    }
    let copied = copy(&folder.join(DATABASE), target).await;
    if copied.is_err() {
        // What is there is part of a copy, and nobody else's.
        let _ = fs::remove_dir_all(target);
    }
    copied
}

async fn copy(database: &Path, target: &Path) -> Result<Backup, BackupError> {
    let failed = |source| BackupError::Target { path: target.to_owned(), source };
    let part = target.join("lookalike.part");
    private_file(&part).map_err(failed)?;
    // A connection that only reads leaves the write-ahead log alone, even if the server is killed
    // meanwhile and this connection is the last to close.
    let mut source =
        SqliteConnectOptions::new().filename(database).read_only(true).connect().await?;
    sqlx::query("VACUUM INTO ?")
        .bind(part.to_string_lossy().into_owned())
        .execute(&mut source)
        .await?;
    let mut copy = SqliteConnectOptions::new().filename(&part).read_only(true).connect().await?;
    let (collections, faces): (i64, i64) = sqlx::query_as(
        "SELECT count(*), ifnull(sum(face_count), 0) FROM collections WHERE dropped = 0",
    )
    .fetch_one(&mut copy)
    .await?;
    let file = File::open(&part).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    file.sync_all()
        .and_then(|()| fs::rename(&part, target.join(DATABASE)))
        .and_then(|()| File::open(target)?.sync_all())
        .map_err(failed)?;
    Ok(Backup { collections: collections as u64, faces: faces as u64, bytes })
}
