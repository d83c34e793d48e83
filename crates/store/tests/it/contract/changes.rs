//! What sinks hear, and what loading shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lookalike_store::{Change, ChangeSink, CollectionKey, FaceVector, RowRange, Step, StoreError};

use super::{World, assert_fails, association, disassociation, ids, image_of};

/// Writes down what it hears.
#[derive(Default)]
struct Recorder(Mutex<Vec<Change>>);

impl ChangeSink for Recorder {
    fn committed(&self, changes: &[Change], _: Option<Step>) {
        self.0.lock().unwrap().extend_from_slice(changes);
    }
}

impl Recorder {
    fn take(&self) -> Vec<Change> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn record(world: &World) -> Arc<Recorder> {
    let recorder = Arc::new(Recorder::default());
    let sink: Arc<dyn ChangeSink> = recorder.clone();
    world.store.subscribe(&sink);
    recorder
}

pub async fn sinks_hear_what_was_committed(world: World) {
    let recorder = record(&world);
    let staff = world.collection("staff").await;
    let collection = staff.key;
    assert_eq!(recorder.take(), []);

    let request = image_of(&staff, "photo", None, 3);
    let faces = world.store.index_faces(request.clone()).await.unwrap();
    let added: Vec<FaceVector> = faces
        .iter()
        .zip(&request.faces)
        .map(|(face, new)| FaceVector { row: face.row, vector: new.vector.clone() })
        .collect();
    assert_eq!(recorder.take(), [Change::FacesAdded { collection, faces: added.clone() }]);
    world.store.index_faces(request).await.unwrap();
    assert_eq!(recorder.take(), [], "known faces were announced again");

    world.store.create_user(&staff, "ann", None).await.unwrap();
    let user = world.store.user(collection, "ann").await.unwrap().unwrap().row;
    let of = |indexes: &[usize]| Change::UserFaces {
        collection,
        user,
        vectors: indexes.iter().map(|index| added[*index].vector.clone()).collect(),
    };
    let face_ids = ids(&faces);
    world
        .store
        .associate_faces(association(&staff, "ann", &[face_ids[2], face_ids[0]]), None)
        .await
        .unwrap();
    world.store.associate_faces(association(&staff, "ann", &face_ids), None).await.unwrap();
    world.store.associate_faces(association(&staff, "ann", &face_ids), None).await.unwrap();
    world
        .store
        .disassociate_faces(disassociation(&staff, "ann", &face_ids[..2]), None)
        .await
        .unwrap();
    world.store.disassociate_faces(disassociation(&staff, "ann", &face_ids), None).await.unwrap();
    assert_eq!(recorder.take(), [of(&[0, 2]), of(&[0, 1, 2]), of(&[2]), of(&[])]);

    world.store.delete_user(&staff, "ann", None).await.unwrap();
    world.store.delete_faces(&staff, &face_ids[1..2]).await.unwrap();
    world.store.delete_faces(&staff, &face_ids[1..2]).await.unwrap();
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    assert_eq!(
        recorder.take(),
        [
            Change::UserRemoved { collection, user },
            Change::FacesRemoved { collection, rows: vec![added[1].row] },
            Change::CollectionDropped { collection },
        ]
    );
}

pub async fn a_failed_write_is_not_heard(world: World) {
    let recorder = record(&world);
    let staff = world.collection("staff").await;
    world.store.create_user(&staff, "bob", None).await.unwrap();
    let faces = ids(&world.index(&staff, "crowd", 101).await);
    recorder.take();
    assert_fails!(
        world.store.associate_faces(association(&staff, "bob", &faces), None).await,
        StoreError::Quota(_)
    );
    assert_fails!(world.store.delete_user(&staff, "ann", None).await, StoreError::NotFound(_));
    assert_eq!(recorder.take(), []);
    // A sink that its owner has dropped is forgotten.
    let count = Arc::downgrade(&recorder);
    drop(recorder);
    world.index(&staff, "photo", 1).await;
    assert_eq!(count.strong_count(), 0);
}

type Loaded = (BTreeMap<i64, Vec<f32>>, BTreeMap<i64, Vec<Vec<f32>>>);

async fn load(world: &World, collection: CollectionKey) -> Loaded {
    load_rows(world, collection, RowRange::ALL).await
}

async fn load_rows(world: &World, collection: CollectionKey, rows: RowRange) -> Loaded {
    let mut faces = BTreeMap::new();
    let mut last = i64::MIN;
    let mut visit_face = |row: i64, vector: &[f32]| {
        assert!(row > last, "rows do not rise");
        last = row;
        faces.insert(row, vector.to_vec());
    };
    world.store.load_faces(collection, rows, &mut visit_face).await.unwrap();
    let mut users = BTreeMap::new();
    let mut visit_user =
        |user: i64, vectors: &[Vec<f32>]| assert_eq!(users.insert(user, vectors.to_vec()), None);
    world.store.load_users(collection, rows, &mut visit_user).await.unwrap();
    (faces, users)
}

struct Panicking;

impl ChangeSink for Panicking {
    fn committed(&self, _: &[Change], _: Option<Step>) {
        panic!("as the test wants");
    }
}

pub async fn a_panicking_sink_stops_the_writes(mut world: World) {
    let staff = world.collection("staff").await;
    let sink: Arc<dyn ChangeSink> = Arc::new(Panicking);
    world.store.subscribe(&sink);
    let index = |image| world.store.index_faces(image_of(&staff, image, None, 1));
    assert_fails!(index("photo").await, StoreError::OutOfStep);
    assert_fails!(index("other").await, StoreError::OutOfStep);
    assert_fails!(world.store.check_ready().await, StoreError::OutOfStep);
    // The first write stands, and reads go on.
    assert_eq!(world.look_up("staff").await.face_count, 1);
    drop(sink);
    assert_fails!(index("other").await, StoreError::OutOfStep);
    if world.keeps() {
        world.reopen().await;
        world.index(&staff, "other", 1).await;
        assert_eq!(world.look_up("staff").await.face_count, 2);
    }
}

pub async fn loading_shows_what_is_there(mut world: World) {
    let staff = world.collection("staff").await;
    let other = world.collection("visitors").await;
    let request = image_of(&staff, "photo", None, 5);
    let faces = world.store.index_faces(request.clone()).await.unwrap();
    let of_other = world.index(&other, "photo", 1).await;
    for user_id in ["without faces", "ann", "bob"] {
        world.store.create_user(&staff, user_id, None).await.unwrap();
    }
    let face_ids = ids(&faces);
    world
        .store
        .associate_faces(association(&staff, "bob", &[face_ids[4], face_ids[0]]), None)
        .await
        .unwrap();
    world.store.associate_faces(association(&staff, "ann", &face_ids[3..4]), None).await.unwrap();
    world.store.delete_faces(&staff, &face_ids[1..2]).await.unwrap();
    world.reopen().await;
    let ann = world.store.user(staff.key, "ann").await.unwrap().unwrap();
    let bob = world.store.user(staff.key, "bob").await.unwrap().unwrap();

    let vector = |index: usize| request.faces[index].vector.clone();
    let expected_faces = [0, 2, 3, 4].map(|index: usize| (faces[index].row, vector(index)));
    let expected_users = [(ann.row, vec![vector(3)]), (bob.row, vec![vector(0), vector(4)])];
    assert_eq!(
        load(&world, staff.key).await,
        (BTreeMap::from(expected_faces), BTreeMap::from(expected_users))
    );
    let (faces_of_other, users_of_other) = load(&world, other.key).await;
    assert_eq!(
        (faces_of_other.into_keys().collect::<Vec<_>>(), users_of_other.len()),
        (vec![of_other[0].row], 0)
    );
}

pub async fn loading_goes_page_by_page(world: World) {
    const IMAGES: usize = 45;
    const USERS: usize = 300;
    let staff = world.collection("staff").await;
    let mut faces = Vec::new();
    for image in 0..IMAGES {
        faces.extend(world.index(&staff, &image.to_string(), 100).await);
    }
    for user in 0..USERS {
        let user_id = user.to_string();
        world.store.create_user(&staff, &user_id, None).await.unwrap();
        // Every third has none.
        if user % 3 < 2 {
            let face_ids = ids(&faces[user * 2..][..2]);
            world
                .store
                .associate_faces(association(&staff, &user_id, &face_ids), None)
                .await
                .unwrap();
        }
    }
    let (loaded, users) = load(&world, staff.key).await;
    let mut rows: Vec<i64> = faces.iter().map(|face| face.row).collect();
    rows.sort_unstable();
    assert_eq!(loaded.keys().copied().collect::<Vec<_>>(), rows);
    assert_eq!(users.len(), USERS * 2 / 3);
    assert!(users.values().all(|vectors| vectors.len() == 2));

    let in_the_middle = *users.keys().nth(130).expect("a user");
    for cut in [rows[0], rows[2500], in_the_middle] {
        let (below, above) =
            (RowRange { end: cut, ..RowRange::ALL }, RowRange { first: cut, ..RowRange::ALL });
        let (mut all, mut all_users) = load_rows(&world, staff.key, below).await;
        assert!(all.keys().chain(all_users.keys()).all(|row| below.contains(*row)));
        let (rest, rest_users) = load_rows(&world, staff.key, above).await;
        all.extend(rest);
        all_users.extend(rest_users);
        assert!(all == loaded && all_users == users, "two ranges are not the whole");
    }
    let vectors = world.store.user_vectors(staff.key, in_the_middle).await.unwrap();
    assert_eq!(vectors, users[&in_the_middle]);
    assert!(world.store.user_vectors(staff.key, i64::MAX - 1).await.unwrap().is_empty());
}

pub async fn loading_takes_turns_with_others(world: World) {
    let staff = world.collection("staff").await;
    let mut rows = Vec::new();
    for image in 0..45 {
        rows.extend(world.index(&staff, &image.to_string(), 100).await.iter().map(|face| face.row));
    }
    rows.sort_unstable();
    // Asked for at the first face, answered before the last is shown.
    let mut asked = None;
    let mut answered = false;
    let mut visit = |row: i64, _: &[f32]| {
        let (store, tenant) = (Arc::clone(&world.store), world.tenant.clone());
        let read = asked.get_or_insert_with(|| {
            tokio::spawn(async move { store.collection(&tenant, "staff").await })
        });
        answered |= Some(&row) == rows.last() && read.is_finished();
    };
    world.store.load_faces(staff.key, RowRange::ALL, &mut visit).await.unwrap();
    assert!(answered, "a read had to wait for the whole load");
    assert_eq!(asked.unwrap().await.unwrap().unwrap().face_count, 4500);
}

pub async fn replayed_changes_equal_the_store(world: World) {
    let recorder = record(&world);
    let staff = world.collection("staff").await;
    let world = Arc::new(world);
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (world, staff) = (Arc::clone(&world), staff.clone());
        writers.push(tokio::spawn(async move {
            let user_id = format!("user {writer}");
            world.store.create_user(&staff, &user_id, None).await.unwrap();
            for round in 0..10 {
                let faces = ids(&world.index(&staff, &format!("{writer} {round}"), 3).await);
                world
                    .store
                    .associate_faces(association(&staff, &user_id, &faces[..2]), None)
                    .await
                    .unwrap();
                world
                    .store
                    .disassociate_faces(disassociation(&staff, &user_id, &faces[..1]), None)
                    .await
                    .unwrap();
                world.store.delete_faces(&staff, &faces).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let (mut faces, mut users) = (BTreeMap::new(), BTreeMap::new());
    for change in recorder.take() {
        match change {
            Change::FacesAdded { faces: added, .. } => {
                faces.extend(added.into_iter().map(|face| (face.row, face.vector)));
            }
            Change::FacesRemoved { rows, .. } => {
                for row in rows {
                    assert!(faces.remove(&row).is_some(), "a face was removed before it was added");
                }
            }
            Change::UserFaces { user, vectors, .. } => drop(users.insert(user, vectors)),
            Change::UserRemoved { user, .. } => drop(users.remove(&user)),
            Change::CollectionDropped { .. } => panic!("nothing was dropped"),
        }
    }
    assert_eq!((faces.len(), users.len()), (40, 4));
    assert_eq!(load(&world, staff.key).await, (faces, users));
}
