//! Which indexes are in memory, and which make room for others.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::index::{Edit, Index, apply_commit};
use super::{MemberKind, Part};
use lookalike_store::{Change, CollectionKey, Step, StoreError};

/// How often the memory in use is added up.
const USES_BETWEEN_CHECKS: u64 = 256;

/// What a load found; none where the collection is gone.
pub type Loaded = Result<Option<Arc<Index>>, Arc<StoreError>>;

#[derive(Default)]
pub struct Members {
    map: Mutex<BTreeMap<Part, Member>>,
    /// Bytes that all indexes may take together; one alone may take more.
    limit: Option<usize>,
    /// Counts uses, to order them.
    uses: AtomicU64,
}

pub enum Member {
    Loading { queue: Vec<Edit>, loaded: watch::Receiver<Option<Loaded>> },
    Ready(Arc<Index>),
}

impl Members {
    pub fn with_limit(limit: usize) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, Member>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The indexes that can be searched.
    pub fn ready(&self) -> Vec<(Part, Arc<Index>)> {
        self.ready_in(..)
    }

    /// Those of some parts.
    pub fn ready_in(&self, parts: impl RangeBounds<Part>) -> Vec<(Part, Arc<Index>)> {
        let members = self.lock();
        let range = members.range(parts);
        range.filter_map(|(part, member)| Some((*part, member.ready()?))).collect()
    }

    /// Applies what a commit changed in a collection and, where other nodes write too, the step
    /// that it took.
    pub fn apply(&self, collection: CollectionKey, changes: &[Change], step: Option<Step>) {
        if changes.iter().any(|change| matches!(change, Change::CollectionDropped { .. })) {
            return self.forget_collection(collection);
        }
        let edits = |part: Part| changes.iter().flat_map(|change| edits(change, part)).collect();
        let mut ready = Vec::new();
        for (part, member) in self.lock().range_mut(Part::of(collection)) {
            if step.is_none() && !changes.iter().any(|change| concerns(change, part.kind)) {
                continue;
            }
            match member {
                // With other nodes about, the load shows one state, and what is later is caught up
                // with.
                Member::Loading { queue, .. } if step.is_none() => {
                    queue.extend::<Vec<Edit>>(edits(*part));
                }
                Member::Loading { .. } => {}
                Member::Ready(index) => ready.push((*part, Arc::clone(index))),
            }
        }
        // Without the lock: a write may have to wait for a piece of a scan, and other searches must
        // not wait for that.
        for (part, index) in ready {
            apply_commit(&index, step, edits(part));
        }
    }

    pub fn forget_collection(&self, collection: CollectionKey) {
        self.lock().retain(|part, _| part.collection != collection);
    }

    /// Forgets the indexes that are not `wanted` and have met this so many times without being used.
    pub fn forget_idle(&self, wanted: impl Fn(Part) -> bool, times: u32) {
        for (part, index) in self.ready() {
            if !wanted(part) && index.count_idle() >= times {
                tracing::debug!(collection = part.collection.0, "forgot what another node has");
                self.forget(part, &index);
            }
        }
    }

    /// Forgets an index, unless another has taken its place.
    pub fn forget(&self, part: Part, index: &Arc<Index>) {
        let mut members = self.lock();
        let now = members.get(&part).and_then(Member::ready);
        if now.is_some_and(|now| Arc::ptr_eq(&now, index)) {
            members.remove(&part);
        }
    }

    /// Counts a use of an index, and now and then what it has grown by.
    pub fn touch(&self, index: &Index) {
        let use_number = self.uses.fetch_add(1, Relaxed) + 1;
        index.use_at(use_number);
        if use_number.is_multiple_of(USES_BETWEEN_CHECKS) {
            self.keep_within_limit();
        }
    }

    /// Forgets the least recently used indexes until the rest is within the limit. Searches under
    /// way keep what they have; the next ones load it again.
    pub fn keep_within_limit(&self) {
        let Some(limit) = self.limit else { return };
        // Without the lock, as an index may have to wait for its writer.
        let mut ready: Vec<_> = self
            .ready()
            .into_iter()
            .map(|(part, index)| (index.used_at(), index.memory_bytes(), part, index))
            .collect();
        ready.sort_unstable_by_key(|(used_at, ..)| std::cmp::Reverse(*used_at));
        let mut bytes = 0;
        for (rank, (_, size, part, index)) in ready.into_iter().enumerate() {
            bytes += size;
            if rank > 0 && bytes > limit {
                bytes -= size;
                tracing::info!(
                    collection = part.collection.0,
                    kind = ?part.kind,
                    bytes = size,
                    "forgot a collection that was not searched for long: see --search-memory"
                );
                self.forget(part, &index);
            }
        }
    }
}

fn concerns(change: &Change, kind: MemberKind) -> bool {
    match change {
        Change::FacesAdded { .. } | Change::FacesRemoved { .. } => kind == MemberKind::Faces,
        Change::UserFaces { .. } | Change::UserRemoved { .. } => kind == MemberKind::Users,
        Change::CollectionDropped { .. } => true,
    }
}

/// What a change does to the index of a part.
fn edits(change: &Change, Part { kind, rows, .. }: Part) -> Vec<Edit> {
    if !concerns(change, kind) {
        return Vec::new();
    }
    match change {
        Change::FacesAdded { faces, .. } => {
            let faces = faces.iter().filter(|face| rows.contains(face.row));
            faces.map(|face| Edit::Put(face.row, face.vector.clone())).collect()
        }
        Change::FacesRemoved { rows: removed, .. } => {
            let removed = removed.iter().filter(|row| rows.contains(**row));
            removed.map(|&row| Edit::Remove(row)).collect()
        }
        Change::UserFaces { user, vectors, .. } if rows.contains(*user) => {
            vec![Edit::user(*user, vectors)]
        }
        Change::UserRemoved { user, .. } if rows.contains(*user) => vec![Edit::Remove(*user)],
        _ => Vec::new(),
    }
}

impl Member {
    pub fn ready(&self) -> Option<Arc<Index>> {
        match self {
            Self::Loading { .. } => None,
            Self::Ready(index) => Some(Arc::clone(index)),
        }
    }
}
