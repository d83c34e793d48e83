//! Thumbnails in memory: as many as there is room for, the newest ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lookalike_store::CollectionKey;

/// About eight thousand thumbnails.
const MOST_BYTES: usize = 32 << 20;

/// A face by its collection and row.
type Key = (CollectionKey, i64);

/// The thumbnails, and the order in which they came.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    pictures: HashMap<Key, (u64, Bytes)>,
    order: BTreeMap<u64, Key>,
    next: u64,
    bytes: usize,
}

impl Shelf {
    pub(super) fn get(&self, key: Key) -> Option<Bytes> {
        self.kept().pictures.get(&key).map(|(_, picture)| picture.clone())
    }

    /// Adds a picture, or replaces it; the oldest ones make room.
    pub(super) fn put(&self, key: Key, picture: Bytes) {
        let mut kept = self.kept();
        kept.take(key);
        let place = kept.next;
        kept.next += 1;
        kept.bytes += picture.len();
        kept.pictures.insert(key, (place, picture));
        kept.order.insert(place, key);
        while kept.bytes > MOST_BYTES {
            let Some((_, oldest)) = kept.order.first_key_value() else { return };
            let oldest = *oldest;
            kept.take(oldest);
        }
    }

    pub(super) fn remove(&self, collection: CollectionKey, rows: &[i64]) {
        let mut kept = self.kept();
        for row in rows {
            kept.take((collection, *row));
        }
    }

    pub(super) fn remove_all(&self, collection: CollectionKey) {
        let mut kept = self.kept();
        let gone: Vec<Key> =
            kept.pictures.keys().filter(|(owner, _)| *owner == collection).copied().collect();
        for key in gone {
            kept.take(key);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, key: Key) {
        if let Some((place, picture)) = self.pictures.remove(&key) {
            self.order.remove(&place);
            self.bytes -= picture.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CollectionKey = CollectionKey(1);
    const TWO: CollectionKey = CollectionKey(2);

    #[test]
    fn the_oldest_make_room_and_what_is_removed_gives_room() {
        let shelf = Shelf::default();
        let third = Bytes::from(vec![7; MOST_BYTES / 3]);
        for row in 0..3 {
            shelf.put((ONE, row), third.clone());
        }
        shelf.put((ONE, 0), third.clone());
        shelf.put((TWO, 9), third.clone());
        assert_eq!(shelf.get((ONE, 1)), None, "put again, row 0 is newer");
        assert!(shelf.get((ONE, 0)).is_some() && shelf.get((TWO, 9)).is_some());
        shelf.remove(ONE, &[0, 4]);
        shelf.remove_all(TWO);
        let kept = shelf.kept();
        assert_eq!((kept.pictures.len(), kept.order.len(), kept.bytes), (1, 1, third.len()));
    }
}
