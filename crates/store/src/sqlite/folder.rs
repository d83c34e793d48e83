//! The data folder: who may read it, which server uses it, and whether its files are still those
//! that were opened.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Failure, StoreError, StoreResult};
use crate::open_error::OpenError;
use crate::rows::StoreSize;

pub(super) const DATABASE: &str = "lookalike.sqlite3";
const LOG: &str = "lookalike.sqlite3-wal";
const SHARED_MEMORY: &str = "lookalike.sqlite3-shm";
const LOCK: &str = "lookalike.lock";

/// What the lock file holds once a server has used the folder. Both have one length, so that one
/// write replaces the other.
const CLOSED: &[u8] = b"closed\n";
/// Since a commit: the write-ahead log must be there.
const OPEN: &[u8] = b"open  \n";

/// The smallest write-ahead log that holds a commit: two headers and the smallest page.
const SMALLEST_LOG: u64 = 32 + 24 + 512;
/// Less free space than this counts as a full disk.
const LEAST_FREE_BYTES: u64 = 16 << 20;

/// A folder that this process has locked.
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
    is_marked_open: bool,
}

impl Folder {
    /// Makes or takes a folder, closes it to other users of the machine, and refuses one whose
    /// database has gone.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let refused = |source| OpenError::unusable(path, source);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refused)?;
        let mut lock = private_file(&path.join(LOCK)).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
        let mut mark = Vec::new();
        lock.read_to_end(&mut mark).map_err(refused)?;
        let size = |name| fs::metadata(path.join(name)).map_or(0, |file| file.len());
        if !mark.is_empty() && size(DATABASE) == 0 {
            return Err(OpenError::DatabaseGone(path.join(DATABASE)));
        }
        if mark == OPEN && size(LOG) < SMALLEST_LOG {
            return Err(OpenError::LogGone(path.join(LOG)));
        }
        let mut folder = Self { path: path.to_owned(), lock, is_marked_open: false };
        if !mark.is_empty() {
            folder.mark(CLOSED).map_err(refused)?;
        }
        // SQLite gives its other files the permissions of the database.
        private_file(&folder.database()).map_err(refused)?;
        folder.close_to_others();
        Ok(folder)
    }

    /// Takes a folder that holds a database.
    pub(super) fn open_existing(path: &Path) -> Result<Self, OpenError> {
        match fs::metadata(path.join(DATABASE)) {
            Ok(_) => Self::open(path),
            Err(_) if path.join(LOCK).exists() => Self::open(path),
            Err(error) => Err(OpenError::unusable(path, error)),
        }
    }

    /// The database's path.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Records that the folder holds a database: from now on an empty one is a loss.
    pub(super) fn mark_used(&mut self) -> io::Result<()> {
        self.mark(CLOSED)?;
        self.lock.sync_all()
    }

    /// Records that the write-ahead log holds commits.
    pub(super) fn mark_open(&mut self) {
        if !self.is_marked_open {
            self.is_marked_open = true;
            if let Err(error) = self.mark(OPEN) {
                tracing::warn!(%error, "cannot write to {}", self.path.join(LOCK).display());
            }
        }
    }

    /// Records that the write-ahead log may go.
    pub(super) fn mark_closed(&mut self) {
        if let Err(error) = self.mark(CLOSED) {
            tracing::warn!(%error, "cannot write to {}", self.path.join(LOCK).display());
        }
    }

    fn mark(&mut self, mark: &[u8]) -> io::Result<()> {
        self.lock.rewind()?;
        self.lock.write_all(mark)
    }

    /// The files as they are now, to be compared later.
    pub(super) fn files(&self) -> io::Result<Files> {
        let identify = |name| identity(self.path.join(name));
        Ok(Files { path: self.path.clone(), identities: [identify(DATABASE)?, identify(LOG)?] })
    }

    /// Takes permissions from all but the owner. A folder with files of others in it may be meant
    /// for them, so it only draws a warning.
    fn close_to_others(&self) {
        for name in [DATABASE, LOG, SHARED_MEMORY, LOCK] {
            restrict(&self.path.join(name), 0o600);
        }
        if !is_open_to_others(&self.path) {
            return;
        }
        let is_ours = fs::read_dir(&self.path).is_ok_and(|mut entries| {
            entries.all(|entry| {
                entry.is_ok_and(|entry| {
                    entry.file_name().as_encoded_bytes().starts_with(b"lookalike")
                })
            })
        });
        if is_ours {
            restrict(&self.path, 0o700);
        } else {
            tracing::warn!(
                "other users of this machine may enter {}: it holds files that are not Lookalike's, \
                 so its permissions were left alone",
                self.path.display()
            );
        }
    }
}

/// Which files a path led to when the database was opened: its log comes second.
#[derive(Clone)]
pub(super) struct Files {
    path: PathBuf,
    identities: [(u64, u64); 2],
}

impl Files {
    /// Fails when a path leads to another file, or to none.
    pub(super) fn check_in_place(&self) -> StoreResult<()> {
        for (name, opened) in [DATABASE, LOG].into_iter().zip(self.identities) {
            let path = self.path.join(name);
            if identity(path.clone()).ok() != Some(opened) {
                return Err(StoreError::FilesReplaced(path));
            }
        }
        Ok(())
    }

    /// The sizes of the files; a log that is not there is empty.
    pub(super) fn size(&self) -> StoreSize {
        let size = |name| fs::metadata(self.path.join(name)).map_or(0, |file| file.len());
        StoreSize { database: size(DATABASE), log: Some(size(LOG)) }
    }

    /// Fails when the disk is full, or nearly.
    pub(super) fn check_space(&self) -> StoreResult<()> {
        self.check_space_of(LEAST_FREE_BYTES)
    }

    pub(super) fn check_space_of(&self, bytes: u64) -> StoreResult<()> {
        let free = rustix::fs::statvfs(&self.path)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if free >= bytes {
            return Ok(());
        }
        let source = io::Error::other(format!("{free} bytes are free on {}", self.path.display()));
        Err(StoreError::Database { failure: Failure::DiskFull, source: Arc::new(source) })
    }
}

/// Device and inode.
fn identity(path: PathBuf) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Opens a file that only its owner may read, and makes it if need be.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
}

fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

fn restrict(path: &Path, mode: u32) {
    if !is_open_to_others(path) {
        return;
    }
    if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        tracing::warn!(
            %error,
            "other users of this machine may read {}: its permissions cannot be changed",
            path.display()
        );
    }
}
