//! The vectors of all collections, kept in step with the store.
//!
//! A collection's faces (or users) are loaded when they are first searched, and then stay in memory
//! until the collection is deleted. Changes that the store commits while they load are queued and
//! applied after, in order: all that the load reads is read after the queue began, so each change
//! is either in what was read or in the queue, or in both, and applying it twice does no harm.

mod progress;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;

use self::progress::Progress;
use lookalike_search::{Abandoned, Arena, Hit, Query, Scanner, VectorError, user_vector};
use lookalike_store::{Change, ChangeSink, CollectionKey, StoreError, StoreResult, VectorSource};

/// Why a search has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SearchError {
    /// The query does not fit the collection.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// The collection could not be loaded; the next search tries again.
    #[error("the collection could not be loaded")]
    Load(#[source] Arc<StoreError>),
    /// The scan or the load broke off.
    #[error(transparent)]
    Abandoned(#[from] Abandoned),
}

/// What of a collection is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Single faces.
    Faces,
    /// Users, each by one vector made of its faces.
    Users,
}

/// Vectors of all collections that were searched so far.
pub struct Gallery {
    scanner: Scanner,
    members: Arc<Members>,
    source: Arc<dyn VectorSource>,
}

type Key = (CollectionKey, Kind);

#[derive(Default)]
struct Members(Mutex<HashMap<Key, Member>>);

enum Member {
    Loading { queue: Vec<Edit>, loaded: watch::Receiver<Option<Loaded>> },
    Ready(Arc<Index>),
}

type Loaded = Result<Arc<Index>, Arc<StoreError>>;

/// The vectors of one kind of one collection; the first one decides on the dimension.
#[derive(Default)]
struct Index(OnceLock<Arc<Arena>>);

#[derive(Debug)]
enum Edit {
    Put(i64, Vec<f32>),
    Remove(i64),
}

/// Size of what is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GallerySize {
    /// Collections that are held, those of faces and those of users each by itself.
    pub collections: usize,
    /// Vectors in them.
    pub vectors: usize,
    /// Bytes allocated for them.
    pub bytes: usize,
}

impl Gallery {
    /// An empty gallery that loads from `source` and scans on `threads` threads of its own.
    pub fn new(source: Arc<dyn VectorSource>, threads: usize) -> std::io::Result<Self> {
        Ok(Self { scanner: Scanner::new(threads)?, members: Arc::default(), source })
    }

    /// The `k` best faces or users of a collection whose cosine is at least `min_cosine`, highest
    /// cosine first, then lowest row.
    pub async fn search(
        &self,
        collection: CollectionKey,
        kind: Kind,
        vector: &[f32],
        min_cosine: f32,
        k: usize,
    ) -> Result<Vec<Hit>, SearchError> {
        let query = Query::new(vector, min_cosine, k)?;
        let index = self.index((collection, kind)).await?;
        let Some(arena) = index.0.get() else { return Ok(Vec::new()) };
        arena.accepts(&query)?;
        Ok(self.scanner.search(arena, query).await?)
    }

    /// The vector of one face, or the one that stands for a user; none if there is no such row, or
    /// if the user has no faces.
    pub async fn vector(
        &self,
        collection: CollectionKey,
        kind: Kind,
        row: i64,
    ) -> Result<Option<Vec<f32>>, SearchError> {
        let index = self.index((collection, kind)).await?;
        Ok(index.0.get().and_then(|arena| arena.get(row)))
    }

    /// Size of what is in memory.
    pub fn size(&self) -> GallerySize {
        let ready: Vec<Arc<Index>> =
            self.members.lock().values().filter_map(Member::ready).collect();
        let arenas = || ready.iter().filter_map(|index| index.0.get());
        GallerySize {
            collections: ready.len(),
            vectors: arenas().map(|arena| arena.len()).sum(),
            bytes: arenas().map(|arena| arena.memory_bytes()).sum(),
        }
    }

    /// The index of a collection; loads it if nobody has yet, waits if somebody does.
    async fn index(&self, key: Key) -> Result<Arc<Index>, SearchError> {
        let mut loaded = {
            let mut members = self.members.lock();
            match members.get(&key) {
                Some(Member::Ready(index)) => return Ok(Arc::clone(index)),
                Some(Member::Loading { loaded, .. }) => loaded.clone(),
                None => {
                    let (sender, loaded) = watch::channel(None);
                    members
                        .insert(key, Member::Loading { queue: Vec::new(), loaded: loaded.clone() });
                    let load = Load { key, members: Arc::clone(&self.members), sender };
                    // A task of its own: the load goes on when the client that caused it has gone
                    // away.
                    tokio::spawn(load.run(Arc::clone(&self.source)));
                    loaded
                }
            }
        };
        let outcome = loaded.wait_for(Option::is_some).await.map_err(|_| Abandoned)?.clone();
        outcome.ok_or(Abandoned)?.map_err(SearchError::Load)
    }
}

impl ChangeSink for Gallery {
    fn committed(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::FacesAdded { collection, faces } => {
                    self.members.apply((*collection, Kind::Faces), || {
                        faces.iter().map(|face| Edit::Put(face.row, face.vector.clone())).collect()
                    });
                }
                Change::FacesRemoved { collection, rows } => {
                    self.members.apply((*collection, Kind::Faces), || {
                        rows.iter().map(|&row| Edit::Remove(row)).collect()
                    });
                }
                Change::UserFaces { collection, user, vectors } => {
                    self.members
                        .apply((*collection, Kind::Users), || vec![user_edit(*user, vectors)]);
                }
                Change::UserRemoved { collection, user } => {
                    self.members.apply((*collection, Kind::Users), || vec![Edit::Remove(*user)]);
                }
                Change::CollectionDropped { collection } => {
                    let mut members = self.members.lock();
                    members.remove(&(*collection, Kind::Faces));
                    members.remove(&(*collection, Kind::Users));
                }
            }
        }
    }
}

/// A user without a vector is not found.
fn user_edit(user: i64, faces: &[Vec<f32>]) -> Edit {
    user_vector(faces).map_or(Edit::Remove(user), |vector| Edit::Put(user, vector))
}

impl Members {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies edits to a loaded index, queues them for one that loads; one that is not in memory
    /// will load them from the store.
    fn apply(&self, key: Key, edits: impl FnOnce() -> Vec<Edit>) {
        let index = match self.lock().get_mut(&key) {
            None => return,
            Some(Member::Loading { queue, .. }) => return queue.extend(edits()),
            Some(Member::Ready(index)) => Arc::clone(index),
        };
        // Without the lock: a write may have to wait for a piece of a scan, and other searches must
        // not wait for that.
        index.apply(edits());
    }
}

impl Member {
    fn ready(&self) -> Option<Arc<Index>> {
        match self {
            Self::Loading { .. } => None,
            Self::Ready(index) => Some(Arc::clone(index)),
        }
    }
}

impl Index {
    fn apply(&self, edits: Vec<Edit>) {
        for edit in edits {
            match edit {
                Edit::Put(row, vector) => self.put(row, &vector),
                Edit::Remove(row) => {
                    self.0.get().map(|arena| arena.remove(row));
                }
            }
        }
    }

    fn put(&self, row: i64, vector: &[f32]) {
        if vector.is_empty() {
            return tracing::error!(row, "a stored vector is empty; it will not be found");
        }
        let arena = self.0.get_or_init(|| Arc::new(Arena::new(vector.len())));
        if let Err(error) = arena.insert(row, vector) {
            tracing::error!(row, %error, "a stored vector cannot be searched");
        }
    }
}

/// A load that is under way; if it ends in any way but well, the collection is as if it had never
/// been asked for.
struct Load {
    key: Key,
    members: Arc<Members>,
    sender: watch::Sender<Option<Loaded>>,
}

impl Load {
    async fn run(self, source: Arc<dyn VectorSource>) {
        let index = Arc::new(Index::default());
        let outcome = self.read(&*source, &index).await;
        let loaded = match outcome {
            Ok(Some(())) => {
                self.replay(&index);
                Ok(index)
            }
            // Deleted since the search asked for it: nothing is found and, as nobody would ever
            // remove it, nothing is kept.
            Ok(None) => {
                self.forget();
                Ok(index)
            }
            Err(error) => {
                tracing::error!(collection = self.key.0.0, %error, "a collection could not be loaded");
                self.forget();
                Err(Arc::new(error))
            }
        };
        self.sender.send_replace(Some(loaded));
    }

    /// Fills the index; none when the collection is gone.
    async fn read(&self, source: &dyn VectorSource, index: &Index) -> StoreResult<Option<()>> {
        let (collection, kind) = self.key;
        let Some(described) = source.collection_by_key(collection).await? else { return Ok(None) };
        let mut progress = Progress::new(described, kind);
        match kind {
            Kind::Faces => {
                let mut visit = |row: i64, vector: &[f32]| {
                    index.put(row, vector);
                    progress.step();
                };
                source.load_faces(collection, &mut visit).await?;
            }
            Kind::Users => {
                let mut visit = |user: i64, faces: &[Vec<f32>]| {
                    index.apply(vec![user_edit(user, faces)]);
                    progress.step();
                };
                source.load_users(collection, &mut visit).await?;
            }
        }
        progress.done();
        Ok(Some(()))
    }

    /// Applies what was committed since the load began, until nothing is left, and then opens the
    /// index to searches and direct writes.
    fn replay(&self, index: &Arc<Index>) {
        loop {
            let edits = {
                let mut members = self.members.lock();
                let Some(member) = members.get_mut(&self.key).filter(|member| self.owns(member))
                else {
                    return;
                };
                match member {
                    Member::Loading { queue, .. } if !queue.is_empty() => std::mem::take(queue),
                    _ => {
                        *member = Member::Ready(Arc::clone(index));
                        return;
                    }
                }
            };
            index.apply(edits);
        }
    }

    fn forget(&self) {
        let mut members = self.members.lock();
        if members.get(&self.key).is_some_and(|member| self.owns(member)) {
            members.remove(&self.key);
        }
    }

    /// Whether an entry is this load's: the collection may have been dropped and asked for again.
    fn owns(&self, member: &Member) -> bool {
        matches!(member, Member::Loading { loaded, .. } if loaded.same_channel(&self.sender.subscribe()))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.forget();
    }
}
