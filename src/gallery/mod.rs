//! The vectors of all collections, kept in step with the store.
//!
//! A collection's faces (or users), or a part of them, are loaded when they are first searched, and
//! then stay in memory until the collection is deleted or others need the room. Changes that the
//! store commits while they load are queued and applied after, in order: all that the load reads is
//! read after the queue began, so each change is either in what was read or in the queue, or in
//! both, and applying it twice does no harm.
//!
//! Where several nodes write to one database, a load shows one state of the collection, and a
//! search first brings the index to the state that its look-up of the collection has read. Where
//! every write passes this process, all states are equal and that costs nothing.

mod fill;
mod index;
mod load;
mod members;
mod nodes;
mod progress;
mod recent;
mod seen;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::index::Index;
use self::load::Load;
use self::members::{Member, Members};
pub use self::seen::{History, Seen};
use lookalike_search::{Abandoned, Hit, Query, Scanner, VectorError};
use lookalike_store::{
    Change, ChangeSink, Collection, CollectionKey, Revision, RowRange, Step, StoreError,
    VectorSource,
};

/// Loads for one search: each but the first follows a loss of commits that the one before had seen.
const MOST_LOADS: usize = 3;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MemberKind {
    /// Single faces.
    Faces,
    /// Users, each by one vector made of its faces.
    Users,
}

/// What is loaded and searched as one: a range of the rows of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub collection: CollectionKey,
    pub kind: MemberKind,
    pub rows: RowRange,
}

impl Part {
    /// All rows of a collection.
    pub fn whole(collection: CollectionKey, kind: MemberKind) -> Self {
        Self { collection, kind, rows: RowRange::ALL }
    }

    /// All parts that a collection may have.
    fn of(collection: CollectionKey) -> RangeInclusive<Self> {
        let bound = |kind, row| Self { collection, kind, rows: RowRange { first: row, end: row } };
        bound(MemberKind::Faces, i64::MIN)..=bound(MemberKind::Users, i64::MAX)
    }
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Highest cosine first, then lowest row.
    pub hits: Vec<Hit>,
    /// Vectors that were compared.
    pub compared: usize,
}

impl Found {
    /// Adds what was found in other rows, and keeps the `k` best of all.
    pub fn merge(&mut self, other: Self, k: usize) {
        self.compared += other.compared;
        self.hits.extend(other.hits);
        self.hits.sort_unstable_by(Hit::rank);
        self.hits.truncate(k);
    }
}

/// Vectors of all collections that were searched so far.
pub struct Gallery {
    scanner: Scanner,
    members: Arc<Members>,
    source: Arc<dyn VectorSource>,
}

/// Size of what is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GallerySize {
    /// Collections, or parts of them, that are held: those of faces and those of users each by itself.
    pub collections: usize,
    /// Vectors in them.
    pub vectors: usize,
    /// Bytes allocated for them.
    pub bytes: usize,
}

impl GallerySize {
    fn of(ready: &[(Part, Arc<Index>)]) -> Self {
        let arenas = || ready.iter().filter_map(|(_, index)| index.arena());
        Self {
            collections: ready.len(),
            vectors: arenas().map(|arena| arena.len()).sum(),
            bytes: arenas().map(|arena| arena.memory_bytes()).sum(),
        }
    }
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
        Self { members: Arc::new(Members::with_limit(limit)), ..self }
    }

    /// Leaves cores to as many busy threads as `others` states.
    pub fn yield_to(&self, others: impl Fn() -> usize + Send + Sync + 'static) {
        self.scanner.yield_to(others);
    }

    /// The `k` best faces or users of a collection whose cosine is at least `min_cosine`, highest
    /// cosine first, then lowest row. Finds all that was committed before the collection was looked
    /// up.
    pub async fn search(
        &self,
        collection: &Collection,
        kind: MemberKind,
        vector: &[f32],
        min_cosine: f32,
        k: usize,
    ) -> Result<Found, SearchError> {
        let all = Part::whole(collection.key, kind);
        self.search_part(all, collection.revision, vector, min_cosine, k).await
    }

    /// The same in some rows of a collection, at the state that a look-up has read or a later one.
    pub async fn search_part(
        &self,
        part: Part,
        revision: Revision,
        vector: &[f32],
        min_cosine: f32,
        k: usize,
    ) -> Result<Found, SearchError> {
        let query = Query::new(vector, min_cosine, k)?;
        let index = self.index(part, revision).await?;
        let Some(arena) = index.as_ref().and_then(|index| index.arena()) else {
            return Ok(Found::default());
        };
        arena.accepts(&query)?;
        let compared = arena.len();
        Ok(Found { hits: self.scanner.search(arena, query).await?, compared })
    }

    /// Loads a part, which goes on when nobody waits for it any more.
    pub async fn load(&self, part: Part) -> Result<(), SearchError> {
        self.find_or_load(part).await.map(drop)
    }

    /// Whether a part is in memory.
    pub fn is_loaded(&self, part: Part) -> bool {
        matches!(self.members.lock().get(&part), Some(Member::Ready(_)))
    }

    /// Whether a part is in memory in that state, so that a search of it asks nobody.
    pub fn is_at(&self, part: Part, revision: Revision) -> bool {
        self.at(part, revision).is_some()
    }

    /// The vector of a row of a part that is in memory in that state, or a later one.
    pub fn vector(&self, part: Part, revision: Revision, row: i64) -> Option<Vec<f32>> {
        self.at(part, revision)?.arena()?.get(row)
    }

    fn at(&self, part: Part, revision: Revision) -> Option<Arc<Index>> {
        let index = self.members.lock().get(&part).and_then(Member::ready)?;
        (index.revision() == revision).then_some(index)
    }

    /// Forgets the parts that are not `wanted` and have met this so many times without being
    /// searched.
    pub fn forget_idle(&self, wanted: impl Fn(Part) -> bool, times: u32) {
        self.members.forget_idle(wanted, times);
    }

    /// Size of what is in memory.
    pub fn size(&self) -> GallerySize {
        GallerySize::of(&self.members.ready())
    }

    /// Size of what is in memory of the faces or the users of a collection.
    pub fn size_of(&self, collection: CollectionKey, kind: MemberKind) -> GallerySize {
        let mut ready = self.members.ready_in(Part::of(collection));
        ready.retain(|(part, _)| part.kind == kind);
        GallerySize::of(&ready)
    }

    /// Starts keeping up with other nodes while nobody searches.
    pub fn sweep(&self) {
        tokio::spawn(nodes::sweep(Arc::downgrade(&self.members), Arc::clone(&self.source)));
    }

    /// The index of a part, at that state or a later one; none when the collection is gone.
    async fn index(
        &self,
        part: Part,
        revision: Revision,
    ) -> Result<Option<Arc<Index>>, SearchError> {
        for _ in 0..MOST_LOADS {
            let Some(index) = self.find_or_load(part).await? else { return Ok(None) };
            let current = nodes::catch_up(&*self.source, part, &index, revision).await;
            if current.map_err(|error| SearchError::Load(Arc::new(error)))? {
                self.members.touch(&index);
                return Ok(Some(index));
            }
            self.members.forget(part, &index);
        }
        Err(Abandoned.into())
    }

    fn apply(&self, collection: CollectionKey, changes: &[Change], step: Option<Step>) {
        let apply = || self.members.apply(collection, changes, step);
        if catch_unwind(AssertUnwindSafe(apply)).is_err() {
            tracing::error!(
                collection = collection.0,
                "a change could not be applied in memory: the collection is loaded again when it \
                 is searched next"
            );
            self.members.forget_collection(collection);
        }
    }

    /// Loads an index if nobody has yet, waits if somebody does.
    async fn find_or_load(&self, part: Part) -> Result<Option<Arc<Index>>, SearchError> {
        let mut loaded = {
            let mut members = self.members.lock();
            match members.get(&part) {
                Some(Member::Ready(index)) => return Ok(Some(Arc::clone(index))),
                Some(Member::Loading { loaded, .. }) => loaded.clone(),
                None => {
                    let (sender, loaded) = watch::channel(None);
                    members.insert(
                        part,
                        Member::Loading { queue: Vec::new(), loaded: loaded.clone() },
                    );
                    let load = Load { part, members: Arc::clone(&self.members), sender };
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
    fn committed(&self, changes: &[Change], step: Option<Step>) {
        if let Some(step) = step {
            return self.apply(step.collection, changes, Some(step));
        }
        for change in changes {
            self.apply(change.collection(), std::slice::from_ref(change), None);
        }
    }
}
