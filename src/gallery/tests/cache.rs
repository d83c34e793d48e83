use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::looked_up;
use crate::gallery::{Gallery, MemberKind, SearchError};
use lookalike_search::testing::{ids, scattered};
use lookalike_search::user_vector;
use lookalike_store::{
    Change, ChangeSink, Collection, CollectionKey, FaceVector, FaceVisitor, Revision, RowRange,
    StoreError, StoreResult, UserVisitor, VectorSource,
};

const COLLECTION: CollectionKey = CollectionKey(7);
const DIMENSION: usize = 32;

/// A store in a map, whose loads are slow enough for writes to come between.
#[derive(Default)]
struct Shelf {
    faces: Mutex<BTreeMap<i64, Vec<f32>>>,
    users: Mutex<BTreeMap<i64, Vec<Vec<f32>>>>,
    dropped: AtomicBool,
    loads: AtomicUsize,
    failures: AtomicUsize,
}

#[async_trait]
impl VectorSource for Shelf {
    async fn collection_by_key(&self, key: CollectionKey) -> StoreResult<Option<Collection>> {
        if self.dropped.load(Relaxed) {
            return Ok(None);
        }
        Ok(Some(Collection {
            face_count: self.faces.lock().unwrap().len() as u64,
            user_count: self.users.lock().unwrap().len() as u64,
            ..looked_up(key)
        }))
    }

    async fn load_faces(
        &self,
        _: CollectionKey,
        _: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision> {
        self.loads.fetch_add(1, Relaxed);
        if self.failures.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(StoreError::Closed);
        }
        let snapshot = self.faces.lock().unwrap().clone();
        for (row, vector) in snapshot {
            tokio::task::yield_now().await;
            visit(row, &vector);
        }
        Ok(Revision::default())
    }

    async fn load_users(
        &self,
        _: CollectionKey,
        _: RowRange,
        visit: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision> {
        let snapshot = self.users.lock().unwrap().clone();
        for (user, faces) in snapshot {
            tokio::task::yield_now().await;
            visit(user, &faces);
        }
        Ok(Revision::default())
    }
}

/// The shelf, a gallery over it, and the order of commits.
struct World {
    shelf: Arc<Shelf>,
    gallery: Gallery,
    writer: Mutex<()>,
}

impl World {
    fn over(shelf: Arc<Shelf>) -> Self {
        let gallery = Gallery::new(Arc::clone(&shelf) as Arc<dyn VectorSource>, 2).unwrap();
        Self { shelf, gallery, writer: Mutex::default() }
    }

    /// Commits, then tells the gallery, one write at a time. Loads may read between the two.
    fn write(&self, change: Change) {
        let _writer = self.writer.lock().unwrap();
        match &change {
            Change::FacesAdded { faces, .. } => {
                self.shelf
                    .faces
                    .lock()
                    .unwrap()
                    .extend(faces.iter().map(|face| (face.row, face.vector.clone())));
            }
            Change::FacesRemoved { rows, .. } => {
                self.shelf.faces.lock().unwrap().retain(|row, _| !rows.contains(row));
            }
            Change::UserFaces { user, vectors, .. } => {
                self.shelf.users.lock().unwrap().insert(*user, vectors.clone());
            }
            Change::UserRemoved { user, .. } => {
                self.shelf.users.lock().unwrap().remove(user);
            }
            Change::CollectionDropped { .. } => {
                self.shelf.faces.lock().unwrap().clear();
                self.shelf.users.lock().unwrap().clear();
                self.shelf.dropped.store(true, Relaxed);
            }
        }
        self.gallery.committed(&[change], None);
    }

    fn add(&self, row: i64, vector: &[f32]) {
        self.write(Change::FacesAdded {
            collection: COLLECTION,
            faces: vec![FaceVector { row, vector: vector.to_vec() }],
        });
    }

    fn remove(&self, row: i64) {
        self.write(Change::FacesRemoved { collection: COLLECTION, rows: vec![row] });
    }

    async fn search(
        &self,
        kind: MemberKind,
        vector: &[f32],
        min_cosine: f32,
        k: usize,
    ) -> Vec<i64> {
        ids(&self
            .gallery
            .search(&looked_up(COLLECTION), kind, vector, min_cosine, k)
            .await
            .unwrap()
            .hits)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn eight_writers_leave_no_face_lost_doubled_or_behind() {
    const CLIENTS: i64 = 8;
    let vectors = Arc::new(scattered(6000, DIMENSION));
    let shelf = Arc::new(Shelf::default());
    shelf.faces.lock().unwrap().extend((0i64..).zip(vectors.iter().take(3000).cloned()));
    // Each round begins with a fresh gallery, so that its load runs beside the writes.
    for round in 0..4 {
        let world = Arc::new(World::over(Arc::clone(&shelf)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (world, vectors) = (Arc::clone(&world), Arc::clone(&vectors));
                tokio::spawn(async move {
                    let mut state = (round * CLIENTS + client + 1)
                        .cast_unsigned()
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    for _ in 0..60 {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        let row = i64::try_from(state % 700).unwrap() * CLIENTS + client;
                        let vector = &vectors[usize::try_from(row).unwrap()];
                        let present = world.shelf.faces.lock().unwrap().contains_key(&row);
                        if present {
                            world.remove(row);
                        } else {
                            world.add(row, vector);
                        }
                        // Vectors are distinct, and a vector's cosine with itself is 1 up to
                        // rounding.
                        let found = world.search(MemberKind::Faces, vector, 0.999, 9).await;
                        assert_eq!(
                            found,
                            if present { vec![] } else { vec![row] },
                            "an answered write is visible"
                        );
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let model: Vec<i64> = shelf.faces.lock().unwrap().keys().copied().collect();
        let mut found = world.search(MemberKind::Faces, &vectors[0], -1.0, usize::MAX).await;
        found.sort_unstable();
        assert_eq!(found, model);
        assert_eq!(world.gallery.size().vectors, model.len());
    }
    assert_eq!(shelf.loads.load(Relaxed), 4, "concurrent first searches share a load");
}

#[tokio::test]
async fn users_follow_their_faces() {
    let vectors = scattered(4, DIMENSION);
    let world = World::over(Arc::default());
    let faces = |user, vectors: &[Vec<f32>]| Change::UserFaces {
        collection: COLLECTION,
        user,
        vectors: vectors.to_vec(),
    };
    world.write(faces(1, &vectors[..2]));
    let of_two = user_vector(&vectors[..2]).unwrap();
    assert_eq!(world.search(MemberKind::Users, &of_two, 0.999, 5).await, [1]);
    world.write(faces(2, &vectors[2..3]));
    world.write(faces(1, &vectors[..1]));
    assert_eq!(world.search(MemberKind::Users, &vectors[2], 0.999, 5).await, [2]);
    assert_eq!(world.search(MemberKind::Users, &vectors[0], 0.999, 5).await, [1]);
    world.write(faces(2, &[]));
    world.write(Change::UserRemoved { collection: COLLECTION, user: 1 });
    assert!(world.search(MemberKind::Users, &vectors[2], -1.0, 5).await.is_empty());
}

#[tokio::test]
async fn a_dropped_collection_is_gone_and_gives_its_memory_back() {
    let vectors = scattered(10, DIMENSION);
    let world = World::over(Arc::default());
    for (row, vector) in (0i64..).zip(&vectors) {
        world.add(row, vector);
    }
    assert_eq!(world.search(MemberKind::Faces, &vectors[3], 0.999, 5).await, [3]);
    assert!(world.gallery.size().bytes > 0);
    world.write(Change::CollectionDropped { collection: COLLECTION });
    assert_eq!(world.gallery.size(), crate::gallery::GallerySize::default());
    for kind in [MemberKind::Faces, MemberKind::Users] {
        assert!(world.search(kind, &vectors[3], -1.0, 5).await.is_empty());
    }
    assert_eq!(
        world.gallery.size().collections,
        0,
        "a search after the deletion left something that nobody removes"
    );
}

#[tokio::test]
async fn a_failed_load_is_tried_again() {
    let vectors = scattered(1, DIMENSION);
    let world = World::over(Arc::default());
    world.add(1, &vectors[0]);
    world.shelf.failures.store(1, Relaxed);
    let failed =
        world.gallery.search(&looked_up(COLLECTION), MemberKind::Faces, &vectors[0], 0.0, 1).await;
    assert!(matches!(failed, Err(SearchError::Load(_))));
    assert_eq!(world.search(MemberKind::Faces, &vectors[0], 0.0, 1).await, [1]);
}

#[tokio::test]
async fn what_was_not_searched_for_long_makes_room() {
    let vectors = scattered(100, DIMENSION);
    let shelf = Arc::new(Shelf::default());
    shelf.faces.lock().unwrap().extend((0i64..).zip(vectors.iter().cloned()));
    let gallery = Gallery::new(Arc::clone(&shelf) as Arc<dyn VectorSource>, 2).unwrap();
    let search = async |gallery: &Gallery, key| {
        ids(&gallery
            .search(&looked_up(CollectionKey(key)), MemberKind::Faces, &vectors[3], 0.999, 1)
            .await
            .unwrap()
            .hits)
    };
    assert_eq!(search(&gallery, 1).await, [3]);
    let one = gallery.size().bytes;
    // Room for two and a half.
    let gallery = gallery.with_memory_limit(one * 5 / 2);
    for key in [1, 2, 1, 3] {
        assert_eq!(search(&gallery, key).await, [3]);
    }
    assert_eq!((gallery.size().collections, gallery.size().bytes), (2, 2 * one));
    let loads = || shelf.loads.load(Relaxed);
    let before = loads();
    for (key, loaded) in [(1, 0), (3, 0), (2, 1), (1, 2)] {
        assert_eq!(search(&gallery, key).await, [3]);
        assert_eq!(loads() - before, loaded, "collection {key}");
    }
    // One that is larger than the limit is searched all the same.
    let small = Gallery::new(Arc::clone(&shelf) as Arc<dyn VectorSource>, 2).unwrap();
    let small = small.with_memory_limit(1);
    assert_eq!(search(&small, 1).await, [3]);
    assert_eq!(search(&small, 2).await, [3]);
    assert_eq!(small.size().collections, 1);
}

#[tokio::test]
async fn a_panic_in_memory_is_mended_from_the_store() {
    let vectors = scattered(2, DIMENSION);
    let world = World::over(Arc::default());
    assert!(world.search(MemberKind::Faces, &vectors[0], -1.0, 5).await.is_empty());
    // More components than an arena takes: it panics on the first of them.
    world.add(1, &vec![0.001; 1 << 20]);
    world.add(2, &vectors[0]);
    let broken =
        world.gallery.search(&looked_up(COLLECTION), MemberKind::Faces, &vectors[0], 0.0, 1).await;
    assert!(matches!(broken, Err(SearchError::Abandoned(_))), "{broken:?}");
    world.remove(1);
    assert_eq!(world.search(MemberKind::Faces, &vectors[0], 0.999, 5).await, [2]);
    world.add(3, &vectors[1]);
    assert_eq!(world.search(MemberKind::Faces, &vectors[1], 0.999, 5).await, [3]);
}

#[tokio::test]
async fn a_query_of_another_dimension_is_refused() {
    let world = World::over(Arc::default());
    let vectors = scattered(1, DIMENSION);
    world.add(1, &vectors[0]);
    let refused =
        world.gallery.search(&looked_up(COLLECTION), MemberKind::Faces, &[1.0], 0.0, 1).await;
    assert!(matches!(refused, Err(SearchError::Vector(_))));
}
