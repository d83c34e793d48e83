//! Collections as this node saw them last, so that a search may begin before it asks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lookalike_store::{Change, ChangeSink, Collection, CollectionKey, Step, Tenant};

/// Beyond this all are forgotten: that costs each a look-up or two.
const MOST_COLLECTIONS: usize = 4096;

/// Collections of any tenants, by name, moved on by what this node commits.
#[derive(Default)]
pub struct Seen {
    sights: Mutex<Sights>,
}

#[derive(Default)]
struct Sights {
    keys: HashMap<Tenant, HashMap<String, CollectionKey>>,
    by_key: HashMap<CollectionKey, Sight>,
}

struct Sight {
    tenant: Tenant,
    /// Its counts may be older than its revision.
    collection: Collection,
    /// Whether the last look-up found what was known: nobody else seems to write.
    is_steady: bool,
}

impl Seen {
    /// Notes what a look-up has shown.
    pub fn note(&self, tenant: &Tenant, collection: &Collection) {
        let mut sights = self.lock();
        if let Some(sight) = sights.by_key.get_mut(&collection.key) {
            sight.is_steady = sight.collection.revision == collection.revision;
            if !sight.is_steady {
                sight.collection = collection.clone();
            }
            return;
        }
        if sights.by_key.len() >= MOST_COLLECTIONS {
            *sights = Sights::default();
        }
        let (key, name) = (collection.key, collection.name.clone());
        let before = sights.keys.entry(tenant.clone()).or_default().insert(name, key);
        // One of that name that another node has deleted.
        before.map(|before| sights.by_key.remove(&before));
        let (tenant, collection) = (tenant.clone(), collection.clone());
        sights.by_key.insert(key, Sight { tenant, collection, is_steady: false });
    }

    /// The collection of that name, if it most likely still is as it was seen.
    pub fn steady(&self, tenant: &Tenant, name: &str) -> Option<Collection> {
        let sights = self.lock();
        let sight = sights.by_key.get(sights.keys.get(tenant)?.get(name)?)?;
        sight.is_steady.then(|| sight.collection.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Sights> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let mut sights = self.lock();
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
