//! A gallery over a real store: tasks write and search at once, and all that they are answered is
//! compared with a simple reference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use crate::gallery::{Gallery, MemberKind};
use lookalike_search::testing::scattered;
use lookalike_search::{Hit, cosine, user_vector};
use lookalike_store::Tenant;
use lookalike_store::{
    AssociateFaces, BoundingBox, ChangeSink, Collection, DisassociateFaces, IndexFaces, Location,
    NewCollection, NewFace, PackId, Sqlite, Store, VectorSource,
};

const TASKS: usize = 8;
const DIMENSION: usize = 64;
/// Calls before the turns begin: 5,600 faces, far more than are searched inline, in many chunks.
const CALLS_AT_FIRST: usize = 7;
const FACES_AT_FIRST: usize = 100;
const TURNS: usize = 16;
const NEW_FACES: usize = 20;
/// More than come, so that chunks get sparse and are merged.
const DELETED_FACES: usize = 40;
const ALL: usize = usize::MAX;

struct World {
    store: Arc<Sqlite>,
    collection: Collection,
    gallery: RwLock<Arc<Gallery>>,
}

impl World {
    async fn new(location: &Location) -> Self {
        let store = Arc::new(Sqlite::open(location).await.unwrap());
        let new = NewCollection {
            name: "staff".to_owned(),
            model_version: "7.0".to_owned(),
            pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
            tags: BTreeMap::new(),
        };
        let tenant = Tenant { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() };
        let collection = store.create_collection(&tenant, new).await.unwrap();
        let gallery = RwLock::new(gallery_over(&store));
        Self { store, collection, gallery }
    }

    /// Takes a gallery into use that has loaded nothing yet, beside the writes.
    fn reload(&self) {
        *self.gallery.write().unwrap_or_else(PoisonError::into_inner) = gallery_over(&self.store);
    }

    async fn search(&self, kind: MemberKind, probe: &[f32], k: usize) -> Vec<Hit> {
        let gallery = Arc::clone(&self.gallery.read().unwrap_or_else(PoisonError::into_inner));
        gallery.search(&self.collection, kind, probe, -1.0, k).await.unwrap().hits
    }
}

fn gallery_over(store: &Arc<Sqlite>) -> Arc<Gallery> {
    let gallery = Arc::new(Gallery::new(Arc::clone(store) as Arc<dyn VectorSource>, 2).unwrap());
    let sink: Arc<dyn ChangeSink> = gallery.clone();
    store.subscribe(&sink);
    gallery
}

/// What one task has made of the collection; nobody else changes it.
#[derive(Default)]
struct Reference {
    faces: BTreeMap<i64, (Uuid, Vec<f32>)>,
    /// Rows of the faces of each user.
    users: BTreeMap<i64, (String, BTreeSet<i64>)>,
    /// All rows that there ever were.
    face_rows: BTreeSet<i64>,
    user_rows: BTreeSet<i64>,
}

impl Reference {
    fn vectors(&self, kind: MemberKind) -> BTreeMap<i64, Vec<f32>> {
        match kind {
            MemberKind::Faces => {
                self.faces.iter().map(|(row, (_, vector))| (*row, vector.clone())).collect()
            }
            MemberKind::Users => {
                let vectors = |rows: &BTreeSet<i64>| {
                    rows.iter().map(|row| self.faces[row].1.clone()).collect::<Vec<_>>()
                };
                let users = self
                    .users
                    .iter()
                    .filter_map(|(user, (_, rows))| Some((*user, user_vector(&vectors(rows))?)));
                users.collect()
            }
        }
    }

    fn free_faces(&self, count: usize) -> Vec<i64> {
        let taken: BTreeSet<i64> =
            self.users.values().flat_map(|(_, rows)| rows).copied().collect();
        let free: Vec<i64> =
            self.faces.keys().copied().filter(|row| !taken.contains(row)).collect();
        // From all over, so that no chunk is emptied at once.
        free.iter().step_by((free.len() / count).max(1)).copied().take(count).collect()
    }

    fn ids(&self, rows: &[i64]) -> Vec<Uuid> {
        rows.iter().map(|row| self.faces[row].0).collect()
    }

    /// Compares answers with what is there: of these rows an answer holds just those, as far down
    /// as it reaches.
    async fn check(&self, world: &World, kind: MemberKind) {
        let vectors = self.vectors(kind);
        let rows = if kind == MemberKind::Faces { &self.face_rows } else { &self.user_rows };
        for (probe_row, probe) in vectors.iter().take(1).chain(vectors.iter().next_back()) {
            let mut ranked: Vec<Hit> = vectors
                .iter()
                .map(|(row, vector)| Hit { id: *row, cosine: cosine(probe, vector) })
                .collect();
            ranked.sort_by(Hit::rank);
            for k in [1, 10, ALL] {
                let hits = world.search(kind, probe, k).await;
                assert!(hits.is_sorted_by(|a, b| a.rank(b).is_lt()), "out of order or doubled");
                assert_eq!(hits[0].id, *probe_row, "a vector finds itself first");
                let reached = |hit: &Hit| {
                    hits.len() < k || hits.last().is_some_and(|last| hit.rank(last).is_le())
                };
                let expected: Vec<Hit> = ranked.iter().copied().filter(reached).collect();
                let found: Vec<Hit> =
                    hits.iter().copied().filter(|hit| rows.contains(&hit.id)).collect();
                assert_eq!(found, expected, "{kind:?}, k = {k}");
            }
        }
    }
}

/// One of the writers.
struct Task {
    world: Arc<World>,
    number: usize,
    /// Of faces that are still to come.
    vectors: Vec<Vec<f32>>,
    calls: u8,
    reference: Reference,
}

impl Task {
    async fn index(&mut self, count: usize) {
        let mut image_sha256 = [0; 32];
        image_sha256[..2].copy_from_slice(&[u8::try_from(self.number).unwrap(), self.calls]);
        self.calls += 1;
        let vectors: Vec<Vec<f32>> = self.vectors.drain(..count).collect();
        let face = |(ordinal, vector): (u32, &Vec<f32>)| NewFace {
            face_id: Uuid::new_v4(),
            ordinal,
            bounding_box: BoundingBox { left: 0.1, top: 0.1, width: 0.5, height: 0.5 },
            confidence: 99.0,
            vector: vector.clone(),
        };
        let request = IndexFaces {
            collection: self.world.collection.clone(),
            image_sha256,
            external_image_id: None,
            image_id: Uuid::nil(),
            model_version: "7.0".to_owned(),
            faces: (0..).zip(&vectors).map(face).collect(),
        };
        let faces = self.world.store.index_faces(request).await.unwrap();
        for (face, vector) in faces.into_iter().zip(vectors) {
            self.reference.face_rows.insert(face.row);
            self.reference.faces.insert(face.row, (face.face_id, vector));
        }
    }

    async fn delete_faces(&mut self) {
        let rows = self.reference.free_faces(DELETED_FACES);
        self.world
            .store
            .delete_faces(&self.world.collection, &self.reference.ids(&rows))
            .await
            .unwrap();
        self.reference.faces.retain(|row, _| !rows.contains(row));
    }

    async fn create_user(&mut self, turn: usize) {
        let (world, user_id) = (Arc::clone(&self.world), format!("{}-{turn}", self.number));
        world.store.create_user(&world.collection, &user_id, None).await.unwrap();
        let user = world.store.user(world.collection.key, &user_id).await.unwrap().unwrap().row;
        let rows = self.reference.free_faces(5);
        let request = AssociateFaces {
            collection: world.collection.clone(),
            user_id: user_id.clone(),
            face_ids: self.reference.ids(&rows),
            threshold: 0.0,
            similarity: Arc::new(|_, _| 100.0),
        };
        world.store.associate_faces(request, None).await.unwrap();
        self.reference.user_rows.insert(user);
        self.reference.users.insert(user, (user_id, rows.into_iter().collect()));
    }

    /// Takes from the eldest user two faces, until it has none left.
    async fn disassociate(&mut self) {
        let Some((user_id, faces)) = self.reference.users.values().next().cloned() else { return };
        let rows: Vec<i64> = faces.into_iter().take(2).collect();
        let (collection, face_ids) = (self.world.collection.clone(), self.reference.ids(&rows));
        let request = DisassociateFaces { collection, user_id, face_ids };
        self.world.store.disassociate_faces(request, None).await.unwrap();
        if let Some(mut eldest) = self.reference.users.first_entry() {
            eldest.get_mut().1.retain(|row| !rows.contains(row));
        }
    }

    async fn delete_user(&mut self) {
        if let Some((_, (user_id, _))) = self.reference.users.pop_first() {
            self.world.store.delete_user(&self.world.collection, &user_id, None).await.unwrap();
        }
    }

    async fn run(mut self) -> Reference {
        for _ in 0..CALLS_AT_FIRST {
            self.index(FACES_AT_FIRST).await;
        }
        for turn in 0..TURNS {
            if (self.number, turn) == (0, TURNS / 2) {
                self.world.reload();
            }
            self.index(NEW_FACES).await;
            self.delete_faces().await;
            match turn % 4 {
                0 | 1 => self.create_user(turn).await,
                2 => self.disassociate().await,
                _ => self.delete_user().await,
            }
            for kind in [MemberKind::Faces, MemberKind::Users] {
                self.reference.check(&self.world, kind).await;
            }
        }
        self.reference
    }
}

async fn eight_tasks_agree_with_their_references(location: Location) {
    let world = Arc::new(World::new(&location).await);
    let faces_each = CALLS_AT_FIRST * FACES_AT_FIRST + TURNS * NEW_FACES;
    let vectors = scattered(TASKS * faces_each, DIMENSION);
    let tasks: Vec<_> = (0..)
        .zip(vectors.chunks(faces_each))
        .map(|(number, vectors)| {
            let (world, vectors) = (Arc::clone(&world), vectors.to_vec());
            tokio::spawn(
                Task { world, number, vectors, calls: 0, reference: Reference::default() }.run(),
            )
        })
        .collect();
    let mut all = Reference::default();
    for task in tasks {
        let one = task.await.unwrap();
        all.faces.extend(one.faces);
        all.users.extend(one.users);
        all.face_rows.extend(one.face_rows);
        all.user_rows.extend(one.user_rows);
    }
    // As the changes have left it, and as the store loads.
    for _ in 0..2 {
        for kind in [MemberKind::Faces, MemberKind::Users] {
            all.check(&world, kind).await;
            let found = world.search(kind, &vectors[0], ALL).await.len();
            assert_eq!(found, all.vectors(kind).len(), "something is found that nobody made");
        }
        world.reload();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gallery_over_a_store_in_memory_agrees_with_its_writers() {
    eight_tasks_agree_with_their_references(Location::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gallery_over_a_store_in_a_directory_agrees_with_its_writers() {
    let directory = tempfile::tempdir().unwrap();
    eight_tasks_agree_with_their_references(Location::Directory(directory.path().to_owned())).await;
}
