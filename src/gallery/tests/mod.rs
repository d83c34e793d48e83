//! The gallery against a model of it, over stand-ins and over the real store.

mod cache;
mod nodes;
mod seen;
mod store;

use lookalike_store::{Collection, CollectionKey, PackId, Revision};

/// What a look-up of a collection gives.
fn looked_up(key: CollectionKey) -> Collection {
    Collection {
        key,
        name: "staff".to_owned(),
        model_version: "7.0".to_owned(),
        pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
        created_at: 0,
        face_count: 0,
        user_count: 0,
        revision: Revision::default(),
        next_row: i64::MAX,
    }
}
