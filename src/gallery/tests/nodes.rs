//! A gallery over a collection that other nodes write to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::looked_up;
use crate::gallery::{Gallery, MemberKind};
use lookalike_search::testing::{ids, scattered};
use lookalike_store::{
    Collection, CollectionKey, FaceVisitor, Revision, RowRange, Since, StoreResult, UserVisitor,
    VectorSource,
};

type State = (Revision, BTreeMap<i64, Vec<f32>>);

/// A collection with all states that it had, the last one being what it is.
#[derive(Default)]
struct Ledger {
    states: Mutex<Vec<State>>,
    loads: AtomicUsize,
}

impl Ledger {
    /// Commits another state with this nonce.
    fn commit(&self, nonce: i64, faces: &[(i64, &Vec<f32>)]) {
        let mut states = self.states.lock().unwrap();
        let version = states.len() as i64;
        let faces = faces.iter().map(|(row, vector)| (*row, (*vector).clone())).collect();
        states.push((Revision { version, nonce }, faces));
    }

    /// Forgets the last state, as a failover does to commits that the replica did not have.
    fn lose(&self) {
        self.states.lock().unwrap().pop();
    }

    fn look_up(&self) -> Collection {
        let states = self.states.lock().unwrap();
        let (revision, faces) = states.last().expect("a state");
        Collection {
            face_count: faces.len() as u64,
            revision: *revision,
            next_row: 1000,
            ..looked_up(CollectionKey(7))
        }
    }
}

#[async_trait]
impl VectorSource for Ledger {
    async fn collection_by_key(&self, _: CollectionKey) -> StoreResult<Option<Collection>> {
        Ok(Some(self.look_up()))
    }

    async fn load_faces(
        &self,
        _: CollectionKey,
        rows: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision> {
        self.loads.fetch_add(1, Relaxed);
        let (revision, faces) = self.states.lock().unwrap().last().expect("a state").clone();
        let faces = faces.iter().filter(|(row, _)| rows.contains(**row));
        faces.for_each(|(row, vector)| visit(*row, vector));
        Ok(revision)
    }

    async fn load_users(
        &self,
        _: CollectionKey,
        _: RowRange,
        _: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision> {
        Ok(self.look_up().revision)
    }

    async fn faces_since(
        &self,
        _: CollectionKey,
        rows: RowRange,
        since: Revision,
    ) -> StoreResult<Option<Since<Vec<f32>>>> {
        let states = self.states.lock().unwrap();
        let Some(from) = states.iter().position(|(revision, _)| *revision == since) else {
            return Ok(None);
        };
        let (to, now) = states.last().expect("a state");
        let touched = states[from..].iter().flat_map(|(_, faces)| faces.keys());
        let touched = touched.filter(|row| rows.contains(**row));
        let rows = touched.map(|row| (*row, now.get(row).cloned())).collect();
        Ok(Some(Since { to: *to, rows }))
    }
}

async fn found(gallery: &Gallery, collection: &Collection, probe: &[f32]) -> Vec<i64> {
    ids(&gallery.search(collection, MemberKind::Faces, probe, 0.999, 5).await.unwrap().hits)
}

#[tokio::test]
async fn a_search_sees_what_its_look_up_saw() {
    let vectors = scattered(3, 32);
    let ledger = Arc::new(Ledger::default());
    let gallery = Gallery::new(Arc::clone(&ledger) as Arc<dyn VectorSource>, 1).unwrap();
    ledger.commit(10, &[(1, &vectors[0])]);
    let before = ledger.look_up();
    assert_eq!(found(&gallery, &before, &vectors[0]).await, [1]);
    ledger.commit(11, &[(1, &vectors[0]), (2, &vectors[1])]);
    assert_eq!(found(&gallery, &ledger.look_up(), &vectors[1]).await, [2]);
    ledger.commit(12, &[(2, &vectors[1])]);
    assert!(found(&gallery, &ledger.look_up(), &vectors[0]).await.is_empty());
    // A look-up that was a moment earlier than another search's is no reason to load again.
    assert_eq!(found(&gallery, &before, &vectors[1]).await, [2]);
    assert_eq!(ledger.loads.load(Relaxed), 1);
}

#[tokio::test]
async fn commits_that_a_failover_lost_are_forgotten() {
    let vectors = scattered(3, 32);
    let ledger = Arc::new(Ledger::default());
    let gallery = Gallery::new(Arc::clone(&ledger) as Arc<dyn VectorSource>, 1).unwrap();
    ledger.commit(10, &[]);
    ledger.commit(11, &[(1, &vectors[0])]);
    assert_eq!(found(&gallery, &ledger.look_up(), &vectors[0]).await, [1]);
    // The same version and the same row again, in another history.
    ledger.lose();
    assert!(found(&gallery, &ledger.look_up(), &vectors[0]).await.is_empty());
    ledger.commit(12, &[(1, &vectors[1])]);
    assert!(found(&gallery, &ledger.look_up(), &vectors[0]).await.is_empty());
    assert_eq!(found(&gallery, &ledger.look_up(), &vectors[1]).await, [1]);
    ledger.lose();
    ledger.commit(13, &[(1, &vectors[2])]);
    ledger.commit(14, &[(1, &vectors[2])]);
    assert!(found(&gallery, &ledger.look_up(), &vectors[1]).await.is_empty());
    assert_eq!(found(&gallery, &ledger.look_up(), &vectors[2]).await, [1]);
}
