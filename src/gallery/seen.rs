//! Collections as this node saw them last, so that a search may begin before it asks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::recent::RecentFaces;
use lookalike_store::{Change, ChangeSink, Collection, CollectionKey, Step, Tenant};

/// Beyond this all are forgotten: that costs each a look-up or two.
const MOST_COLLECTIONS: usize = 4096;

/// Collections of any tenants, by name, moved on by what this node commits.
#[derive(Default)]
pub struct Seen {
    sights: Mutex<Sights>,
    faces: Mutex<RecentFaces>,
}

/// Names a stretch of a collection's history of which the node has missed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct History(u64);

impl History {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[derive(Default)]
struct Sights {
    last: History,
    keys: HashMap<Tenant, HashMap<String, CollectionKey>>,
    by_key: HashMap<CollectionKey, Sight>,
}

struct Sight {
    tenant: Tenant,
    /// Its counts may be older than its revision.
    collection: Collection,
    history: History,
    /// Whether the last look-up found what was known: nobody else seems to write.
    is_steady: bool,
}

impl Seen {
    /// Notes what a look-up has shown, and names the history that it is of.
    pub fn note(&self, tenant: &Tenant, collection: &Collection) -> History {
        let mut sights = lock(&self.sights);
        if let Some(sight) = sights.by_key.get_mut(&collection.key)
            && sight.collection.revision == collection.revision
        {
            sight.is_steady = true;
            return sight.history;
        }
        let history = sights.last.next();
        sights.last = history;
        let is_new = !sights.by_key.contains_key(&collection.key);
        if is_new && sights.by_key.len() >= MOST_COLLECTIONS {
            *sights = Sights { last: history, ..Sights::default() };
        }
        let (key, name) = (collection.key, collection.name.clone());
        let before = sights.keys.entry(tenant.clone()).or_default().insert(name, key);
        // What was known of it, or one of that name that another node has deleted.
        before.map(|before| sights.by_key.remove(&before));
        let (tenant, collection) = (tenant.clone(), collection.clone());
        sights.by_key.insert(key, Sight { tenant, collection, history, is_steady: false });
        history
    }

    /// The collection of that name, if it most likely still is as it was seen.
    pub fn steady(&self, tenant: &Tenant, name: &str) -> Option<(Collection, History)> {
        let sights = lock(&self.sights);
        let sight = sights.by_key.get(sights.keys.get(tenant)?.get(name)?)?;
        sight.is_steady.then(|| (sight.collection.clone(), sight.history))
    }

    /// Notes the rows of faces that were read after the collection was noted or found steady.
    pub fn note_faces(&self, history: History, faces: impl Iterator<Item = (Uuid, i64)>) {
        let mut recent = lock(&self.faces);
        faces.for_each(|(face_id, row)| recent.insert(history, face_id, row));
    }

    /// The row that a face has, or had until it was deleted.
    pub fn row(&self, history: History, face_id: Uuid) -> Option<i64> {
        lock(&self.faces).row(history, face_id)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sights {
    fn forget(&mut self, key: CollectionKey) {
        let Some(Sight { tenant, collection, .. }) = self.by_key.remove(&key) else { return };
        if let Some(keys) = self.keys.get_mut(&tenant) {
            keys.retain(|name, of_name| *name != collection.name || *of_name != key);
            if keys.is_empty() {
                self.keys.remove(&tenant);
            }
        }
    }
}

impl ChangeSink for Seen {
    fn committed(&self, changes: &[Change], step: Option<Step>) {
        let mut sights = lock(&self.sights);
        if let Some(Step { collection, from, to }) = step
            && let Some(sight) = sights.by_key.get_mut(&collection)
            && sight.collection.revision == from
        {
            sight.collection.revision = to;
            let last = changes.iter().filter_map(last_row).max().unwrap_or(0);
            sight.collection.next_row = sight.collection.next_row.max(last.saturating_add(1));
        }
        for change in changes {
            if let Change::CollectionDropped { collection } = change {
                sights.forget(*collection);
            }
        }
    }
}

/// The last row of those that came; a user without faces is not searched.
fn last_row(change: &Change) -> Option<i64> {
    match change {
        Change::FacesAdded { faces, .. } => faces.iter().map(|face| face.row).max(),
        Change::UserFaces { user, .. } => Some(*user),
        _ => None,
    }
}
