//! The vectors of one kind of one collection, in memory.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lookalike_search::{Arena, user_vector};
use lookalike_store::{Revision, Step};

/// Vectors by row, all of one range; the first one decides on the dimension.
#[derive(Default)]
pub struct Index {
    arena: OnceLock<Arc<Arena>>,
    /// The state of the collection that the vectors are of.
    revision: Mutex<Revision>,
    /// Held by the one who catches up.
    pub catching_up: tokio::sync::Mutex<()>,
    /// When it was last used, in uses.
    used_at: AtomicU64,
    /// How often it was looked at since without being used.
    idle: AtomicU32,
}

/// A change to one row.
#[derive(Debug)]
pub enum Edit {
    Put(i64, Vec<f32>),
    Remove(i64),
}

impl Edit {
    /// A face that is there, or not.
    pub fn face(row: i64, vector: Option<Vec<f32>>) -> Self {
        vector.map_or(Self::Remove(row), |vector| Self::Put(row, vector))
    }

    /// A user, by the vectors of its faces; one without a vector is not found.
    pub fn user(row: i64, faces: &[Vec<f32>]) -> Self {
        Self::face(row, user_vector(faces))
    }
}

impl Index {
    pub fn arena(&self) -> Option<&Arc<Arena>> {
        self.arena.get()
    }

    pub fn memory_bytes(&self) -> usize {
        self.arena.get().map_or(0, |arena| arena.memory_bytes())
    }

    /// Notes the number of a use.
    pub fn use_at(&self, number: u64) {
        self.used_at.store(number, Relaxed);
        self.idle.store(0, Relaxed);
    }

    /// Counts the times that it is looked at without being used in between.
    pub fn count_idle(&self) -> u32 {
        self.idle.fetch_add(1, Relaxed) + 1
    }

    pub fn used_at(&self) -> u64 {
        self.used_at.load(Relaxed)
    }

    /// The state that the index is at.
    pub fn revision(&self) -> Revision {
        *self.state()
    }

    /// Notes the state that a load has shown.
    pub fn loaded(&self, revision: Revision) {
        *self.state() = revision;
    }

    /// Applies edits that take the collection from one state to the next, if the index is at the
    /// first; says whether it was.
    pub fn step(&self, from: Revision, to: Revision, edits: Vec<Edit>) -> bool {
        let mut state = self.state();
        if *state != from {
            return false;
        }
        self.apply(edits);
        *state = to;
        true
    }

    /// Applies edits in the order of their commits.
    pub fn apply(&self, edits: Vec<Edit>) {
        for edit in edits {
            match edit {
                Edit::Put(row, vector) => self.put(row, &vector),
                Edit::Remove(row) => {
                    self.arena.get().map(|arena| arena.remove(row));
                }
            }
        }
    }

    pub fn put(&self, row: i64, vector: &[f32]) {
        if vector.is_empty() {
            return tracing::error!(row, "a stored vector is empty; it will not be found");
        }
        let arena = self.arena.get_or_init(|| Arc::new(Arena::new(vector.len())));
        if let Err(error) = arena.insert(row, vector) {
            tracing::error!(row, %error, "a stored vector cannot be searched");
        }
    }

    fn state(&self) -> MutexGuard<'_, Revision> {
        self.revision.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies a commit of this node: in order where it sees all writes, else if it follows.
pub fn apply_commit(index: &Index, step: Option<Step>, edits: Vec<Edit>) {
    match step {
        None => index.apply(edits),
        // One that does not follow is caught up with by the next search.
        Some(step) => drop(index.step(step.from, step.to, edits)),
    }
}
