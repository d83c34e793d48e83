//! Thumbnails in the data folder: a folder for each collection, a file for each face.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::spawn_blocking;

use super::{ThumbnailError, is_on};
use lookalike_store::{CollectionKey, Store, StoreResult};

/// Begins as the other names in the data folder do.
const NAME: &str = "lookalike-thumbnails";
/// What is asked of the store at a time.
const PAGE: usize = 500;

/// The folder, and the way to what clears it up.
pub(super) struct Folder {
    path: PathBuf,
    removals: UnboundedSender<Removal>,
}

enum Removal {
    Faces(CollectionKey, Vec<i64>),
    Collection(CollectionKey),
}

impl Folder {
    /// Makes the folder, closed to others, and starts the task that removes files.
    pub(super) fn open(data: &Path) -> Result<Self, ThumbnailError> {
        let path = data.join(NAME);
        make(&path).map_err(|source| ThumbnailError::Folder {
            path: path.display().to_string(),
            source,
        })?;
        let (removals, mut queue) = unbounded_channel();
        let root = path.clone();
        tokio::spawn(async move {
            while let Some(removal) = queue.recv().await {
                let root = root.clone();
                let removed = spawn_blocking(move || match removal {
                    Removal::Faces(collection, rows) => remove_faces(&root, collection, &rows),
                    Removal::Collection(collection) => remove_folder(&folder(&root, collection)),
                });
                match removed.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => warn_of(&error),
                    Err(error) => tracing::warn!(%error, "thumbnails were not removed"),
                }
            }
        });
        Ok(Self { path, removals })
    }

    pub(super) async fn write(
        &self,
        collection: CollectionKey,
        pictures: Vec<(i64, Vec<u8>)>,
    ) -> io::Result<()> {
        let folder = folder(&self.path, collection);
        let write = spawn_blocking(move || {
            make(&folder)?;
            pictures.iter().try_for_each(|(row, picture)| write(&folder, *row, picture))
        });
        write.await.map_err(io::Error::other)?
    }

    pub(super) async fn read(&self, collection: CollectionKey, row: i64) -> Option<Bytes> {
        let path = file(&folder(&self.path, collection), row);
        match tokio::fs::read(&path).await {
            Ok(picture) => Some(picture.into()),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(%error, "cannot read {}", path.display());
                }
                None
            }
        }
    }

    pub(super) fn remove_soon(&self, collection: CollectionKey, rows: Vec<i64>) {
        // It fails once the runtime has ended; the next start clears up.
        let _ = self.removals.send(Removal::Faces(collection, rows));
    }

    pub(super) fn remove_all_soon(&self, collection: CollectionKey) {
        let _ = self.removals.send(Removal::Collection(collection));
    }

    pub(super) async fn remove_all(&self, collection: CollectionKey) {
        let folder = folder(&self.path, collection);
        match spawn_blocking(move || remove_folder(&folder)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn_of(&error),
            Err(error) => tracing::warn!(%error, "thumbnails were not removed"),
        }
    }

    /// Removes, in the background, what belongs to no face, or to a collection that asks for none.
    pub(super) fn sweep(&self, store: Arc<dyn Store>) {
        let root = self.path.clone();
        // What is here now; a server that is ready makes more.
        let folders: Vec<_> =
            entries(&root).into_iter().map(|(name, path)| (name, entries(&path), path)).collect();
        spawn_blocking(move || {
            if let Err(error) = Handle::current().block_on(sweep(&root, folders, &*store)) {
                tracing::warn!(%error, "thumbnails of deleted faces may remain until the next start");
            }
        });
    }
}

/// Names in a folder with their paths.
type Entries = Vec<(String, PathBuf)>;

async fn sweep(
    root: &Path,
    folders: Vec<(String, Entries, PathBuf)>,
    store: &dyn Store,
) -> StoreResult<()> {
    let wanted = if folders.is_empty() { HashSet::new() } else { wanted(store).await? };
    for (name, files, path) in folders {
        let key = name.parse().map(CollectionKey).ok().filter(|key| wanted.contains(key));
        let Some(key) = key else {
            remove_folder(&path).unwrap_or_else(|error| warn_of(&error));
            continue;
        };
        let mut rows = Vec::new();
        for (name, path) in files {
            match name.strip_suffix(".jpg").and_then(|row| row.parse::<i64>().ok()) {
                Some(row) => rows.push(row),
                // What a crash has left half written.
                None => fs::remove_file(path).unwrap_or_else(|error| warn_of(&error)),
            }
        }
        for rows in rows.chunks(PAGE) {
            let there = store.faces_by_rows(key, rows).await?;
            let there: HashSet<i64> = there.into_iter().map(|face| face.row).collect();
            let gone: Vec<i64> = rows.iter().filter(|row| !there.contains(row)).copied().collect();
            remove_faces(root, key, &gone).unwrap_or_else(|error| warn_of(&error));
        }
    }
    Ok(())
}

/// The collections that ask for thumbnails.
async fn wanted(store: &dyn Store) -> StoreResult<HashSet<CollectionKey>> {
    let mut wanted = HashSet::new();
    for totals in store.tenants().await? {
        let mut after = None;
        loop {
            let page = store.list_collections(&totals.tenant, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            for collection in page {
                if is_on(&store.tags(&totals.tenant, &collection.name).await?) {
                    wanted.insert(collection.key);
                }
            }
        }
    }
    Ok(wanted)
}

fn folder(root: &Path, collection: CollectionKey) -> PathBuf {
    root.join(collection.0.to_string())
}

fn file(folder: &Path, row: i64) -> PathBuf {
    folder.join(format!("{row}.jpg"))
}

fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whole or not at all.
fn write(folder: &Path, row: i64, picture: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{row}.{}", uuid::Uuid::new_v4()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&draft)?.write_all(picture)?;
    fs::rename(draft, file(folder, row))
}

fn remove_faces(root: &Path, collection: CollectionKey, rows: &[i64]) -> io::Result<()> {
    let folder = folder(root, collection);
    rows.iter().try_for_each(|row| absent_is_fine(fs::remove_file(file(&folder, *row))))
}

fn remove_folder(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_dir_all(path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The names in a folder with their paths; none if it cannot be read.
fn entries(path: &Path) -> Entries {
    let read = fs::read_dir(path).inspect_err(warn_of);
    let entries = read.into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}

fn warn_of(error: &io::Error) {
    tracing::warn!(%error, "thumbnails cannot be cleared up; the next start tries again");
}
