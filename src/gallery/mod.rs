//! The vectors of all collections, kept in step with the store.
//!
//! A collection's faces (or users) are loaded when they are first searched, and then stay in memory
//! until the collection is deleted or others need the room. Changes that the store commits while they load are queued and
//! applied after, in order: all that the load reads is read after the queue began, so each change
//! is either in what was read or in the queue, or in both, and applying it twice does no harm.

mod progress;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;

use self::progress::Progress;
use lookalike_search::{Abandoned, Arena, Hit, Query, Scanner, VectorError, user_vector};
use lookalike_store::{Change, ChangeSink, CollectionKey, StoreError, StoreResult, VectorSource};

/// How often the memory in use is added up.
const USES_BETWEEN_CHECKS: u64 = 256;

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
struct Members {
    map: Mutex<HashMap<Key, Member>>,
    /// Bytes that all indexes may take together; one alone may take more.
    limit: Option<usize>,
    /// Counts uses, to order them.
    uses: AtomicU64,
}

enum Member {
    Loading { queue: Vec<Edit>, loaded: watch::Receiver<Option<Loaded>> },
    Ready(Arc<Index>),
}

type Loaded = Result<Arc<Index>, Arc<StoreError>>;

/// The vectors of one kind of one collection; the first one decides on the dimension.
#[derive(Default)]
struct Index {
    arena: OnceLock<Arc<Arena>>,
    /// The last of [`Members::uses`] that was this one's.
    used_at: AtomicU64,
}

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

    /// Forgets collections, the least recently used first, where all together take more than so
    /// many bytes.
    #[must_use]
    pub fn with_memory_limit(self, limit: usize) -> Self {
        Self { members: Arc::new(Members { limit: Some(limit), ..Members::default() }), ..self }
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
        let Some(arena) = index.arena.get() else { return Ok(Vec::new()) };
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
        Ok(index.arena.get().and_then(|arena| arena.get(row)))
    }

    /// Vectors of a collection that are in memory.
    pub fn vectors_of(&self, collection: CollectionKey, kind: Kind) -> usize {
        let index = self.members.lock().get(&(collection, kind)).and_then(Member::ready);
        index.and_then(|index| index.arena.get().map(|arena| arena.len())).unwrap_or_default()
    }

    /// Size of what is in memory.
    pub fn size(&self) -> GallerySize {
        let ready: Vec<Arc<Index>> =
            self.members.lock().values().filter_map(Member::ready).collect();
        let arenas = || ready.iter().filter_map(|index| index.arena.get());
        GallerySize {
            collections: ready.len(),
            vectors: arenas().map(|arena| arena.len()).sum(),
            bytes: arenas().map(|arena| arena.memory_bytes()).sum(),
        }
    }

    /// The index of a collection; loads it if nobody has yet, waits if somebody does.
    async fn index(&self, key: Key) -> Result<Arc<Index>, SearchError> {
        let index = self.find_or_load(key).await?;
        self.members.touch(&index);
        Ok(index)
    }

    async fn find_or_load(&self, key: Key) -> Result<Arc<Index>, SearchError> {
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
            let applied = catch_unwind(AssertUnwindSafe(|| self.members.apply_change(change)));
            if applied.is_err() {
                let collection = change.collection();
                tracing::error!(
                    collection = collection.0,
                    "a change could not be applied in memory: the collection is loaded again when it \
                     is searched next"
                );
                self.members.forget_collection(collection);
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
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply_change(&self, change: &Change) {
        match change {
            Change::FacesAdded { collection, faces } => {
                self.apply((*collection, Kind::Faces), || {
                    faces.iter().map(|face| Edit::Put(face.row, face.vector.clone())).collect()
                });
            }
            Change::FacesRemoved { collection, rows } => {
                self.apply((*collection, Kind::Faces), || {
                    rows.iter().map(|&row| Edit::Remove(row)).collect()
                });
            }
            Change::UserFaces { collection, user, vectors } => {
                self.apply((*collection, Kind::Users), || vec![user_edit(*user, vectors)]);
            }
            Change::UserRemoved { collection, user } => {
                self.apply((*collection, Kind::Users), || vec![Edit::Remove(*user)]);
            }
            Change::CollectionDropped { collection } => {
                self.forget_collection(*collection);
            }
        }
    }

    fn forget_collection(&self, collection: CollectionKey) {
        let mut members = self.lock();
        members.remove(&(collection, Kind::Faces));
        members.remove(&(collection, Kind::Users));
    }

    /// Counts a use of an index, and now and then what it has grown by.
    fn touch(&self, index: &Index) {
        let use_number = self.uses.fetch_add(1, Relaxed) + 1;
        index.used_at.store(use_number, Relaxed);
        if use_number.is_multiple_of(USES_BETWEEN_CHECKS) {
            self.keep_within_limit();
        }
    }

    /// Forgets the least recently used indexes until the rest is within the limit. Searches under
    /// way keep what they have; the next ones load it again.
    fn keep_within_limit(&self) {
        let Some(limit) = self.limit else { return };
        let ready: Vec<(Key, Arc<Index>)> =
            self.lock().iter().filter_map(|(key, member)| Some((*key, member.ready()?))).collect();
        // Without the lock, as an index may have to wait for its writer.
        let mut ready: Vec<_> = ready
            .into_iter()
            .map(|(key, index)| (index.used_at.load(Relaxed), index.memory_bytes(), key, index))
            .collect();
        ready.sort_unstable_by_key(|(used_at, ..)| std::cmp::Reverse(*used_at));
        let mut bytes = 0;
        for (rank, (_, size, key, index)) in ready.into_iter().enumerate() {
            bytes += size;
            if rank > 0 && bytes > limit {
                bytes -= size;
                tracing::info!(
                    collection = key.0.0,
                    kind = ?key.1,
                    bytes = size,
                    "forgot a collection that was not searched for long: see --search-memory"
                );
                let mut members = self.lock();
                let now = members.get(&key).and_then(Member::ready);
                if now.is_some_and(|now| Arc::ptr_eq(&now, &index)) {
                    members.remove(&key);
                }
            }
        }
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
    fn memory_bytes(&self) -> usize {
        self.arena.get().map_or(0, |arena| arena.memory_bytes())
    }

    fn apply(&self, edits: Vec<Edit>) {
        for edit in edits {
            match edit {
                Edit::Put(row, vector) => self.put(row, &vector),
                Edit::Remove(row) => {
                    self.arena.get().map(|arena| arena.remove(row));
                }
            }
        }
    }

    fn put(&self, row: i64, vector: &[f32]) {
        if vector.is_empty() {
            return tracing::error!(row, "a stored vector is empty; it will not be found");
        }
        let arena = self.arena.get_or_init(|| Arc::new(Arena::new(vector.len())));
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
                self.members.touch(&index);
                self.members.keep_within_limit();
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
