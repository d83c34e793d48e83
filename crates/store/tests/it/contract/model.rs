//! Random calls against a simple model of the store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lookalike_store::{
    AssociateFaces, AssociationFailure, Collection, DisassociationFailure, FaceDeletion,
    FaceFilter, RowRange, StoreError, User,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::{World, disassociation, ids, image_of};

const NAMES: [&str; 2] = ["one", "two"];

/// A call; numbers are reduced to what there is when it is made.
#[derive(Debug, Clone)]
enum Call {
    Create { name: usize },
    Drop { name: usize },
    Index { name: usize, image: u8, external: Option<u8>, count: u32 },
    DeleteFaces { name: usize, faces: Vec<usize> },
    CreateUser { name: usize, user: u8 },
    DeleteUser { name: usize, user: u8 },
    Associate { name: usize, user: u8, faces: Vec<usize> },
    Disassociate { name: usize, user: u8, faces: Vec<usize> },
    Reopen,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let name = 0..NAMES.len();
    let user = 0..3_u8;
    let faces = || prop::collection::vec(any::<usize>(), 1..6);
    let call = prop_oneof![
        2 => name.clone().prop_map(|name| Call::Create { name }),
        1 => name.clone().prop_map(|name| Call::Drop { name }),
        8 => (name.clone(), 0..4_u8, prop::option::of(0..2_u8), 0..4_u32)
            .prop_map(|(name, image, external, count)| Call::Index { name, image, external, count }),
        4 => (name.clone(), faces()).prop_map(|(name, faces)| Call::DeleteFaces { name, faces }),
        4 => (name.clone(), user.clone()).prop_map(|(name, user)| Call::CreateUser { name, user }),
        2 => (name.clone(), user.clone()).prop_map(|(name, user)| Call::DeleteUser { name, user }),
        6 => (name.clone(), user.clone(), faces()).prop_map(|(name, user, faces)| Call::Associate { name, user, faces }),
        3 => (name, user, faces()).prop_map(|(name, user, faces)| Call::Disassociate { name, user, faces }),
        1 => Just(Call::Reopen),
    ];
    prop::collection::vec(call, 1..60)
}

/// Image, external image id and ordinal of a face.
type Content = (u8, Option<u8>, u32);

#[derive(Default)]
struct Model {
    collections: BTreeMap<usize, ModelCollection>,
    /// Every face id ever seen, so that calls name faces that are gone or live elsewhere, too.
    seen: Vec<Uuid>,
}

struct ModelCollection {
    of_store: Collection,
    faces: BTreeMap<Uuid, (Content, Option<u8>)>,
    users: BTreeSet<u8>,
}

impl ModelCollection {
    fn faces_of(&self, user: u8) -> Vec<Uuid> {
        self.faces
            .iter()
            .filter(|(_, (_, owner))| *owner == Some(user))
            .map(|(face_id, _)| *face_id)
            .collect()
    }
}

impl Model {
    fn pick(&self, numbers: &[usize]) -> Vec<Uuid> {
        let known = self.seen.len() + 1;
        numbers
            .iter()
            .map(|number| self.seen.get(number % known).copied().unwrap_or(Uuid::nil()))
            .collect()
    }
}

/// Each id once, in the order of first mention.
fn distinct(face_ids: &[Uuid]) -> Vec<Uuid> {
    let mut seen = BTreeSet::new();
    face_ids.iter().copied().filter(|face_id| seen.insert(*face_id)).collect()
}

fn user_id(user: u8) -> String {
    format!("user {user}")
}

/// A face is alike when the last byte of its vector's first number is even: no sense, but the model
/// can tell, too.
fn alike(vector: &[f32]) -> bool {
    vector[0].to_le_bytes()[0].is_multiple_of(2)
}

async fn make(world: &mut World, model: &mut Model, call: &Call) {
    match *call {
        Call::Create { name } => {
            let made = world
                .store
                .create_collection(&world.tenant, super::new_collection(NAMES[name]))
                .await;
            assert_eq!(made.is_ok(), !model.collections.contains_key(&name));
            if let Ok(of_store) = made {
                model.collections.insert(
                    name,
                    ModelCollection { of_store, faces: BTreeMap::new(), users: BTreeSet::new() },
                );
            }
        }
        Call::Drop { name } => {
            let dropped = world.store.delete_collection(&world.tenant, NAMES[name]).await;
            assert_eq!(dropped.is_ok(), model.collections.remove(&name).is_some());
        }
        Call::Reopen => world.reopen().await,
        Call::Index { name, .. }
        | Call::DeleteFaces { name, .. }
        | Call::CreateUser { name, .. }
        | Call::DeleteUser { name, .. }
        | Call::Associate { name, .. }
        | Call::Disassociate { name, .. } => {
            let asked = match call {
                Call::DeleteFaces { faces, .. }
                | Call::Associate { faces, .. }
                | Call::Disassociate { faces, .. } => model.pick(faces),
                _ => Vec::new(),
            };
            if let Some(collection) = model.collections.get_mut(&name) {
                make_inside(world, collection, &mut model.seen, call, &asked).await;
            }
        }
    }
}

async fn make_inside(
    world: &World,
    collection: &mut ModelCollection,
    seen: &mut Vec<Uuid>,
    call: &Call,
    asked: &[Uuid],
) {
    let of_store = collection.of_store.clone();
    match *call {
        Call::Index { image, external, count, .. } => {
            let external_text = external.map(|external| external.to_string());
            let request =
                image_of(&collection.of_store, &image.to_string(), external_text.as_deref(), count);
            let contents: Vec<Content> =
                (0..count).map(|ordinal| (image, external, ordinal)).collect();
            let known = |content: &Content| {
                collection
                    .faces
                    .iter()
                    .find(|(_, (of_face, _))| of_face == content)
                    .map(|(id, _)| *id)
            };
            let expected: Vec<Option<Uuid>> = contents.iter().map(known).collect();
            let result = world.store.index_faces(request).await;
            for ((face, content), expected) in
                result.unwrap().into_iter().zip(contents).zip(expected)
            {
                if let Some(face_id) = expected {
                    assert_eq!(face.face_id, face_id);
                } else {
                    assert!(!seen.contains(&face.face_id));
                    seen.push(face.face_id);
                    collection.faces.insert(face.face_id, (content, None));
                }
            }
        }
        Call::DeleteFaces { .. } => {
            let expected: Vec<_> = distinct(asked)
                .into_iter()
                .map(|face_id| {
                    let outcome = match collection.faces.get(&face_id) {
                        None => FaceDeletion::NotFound,
                        Some((_, Some(user))) => FaceDeletion::AssociatedTo(user_id(*user)),
                        Some((_, None)) => FaceDeletion::Deleted,
                    };
                    (face_id, outcome)
                })
                .collect();
            assert_eq!(world.store.delete_faces(&of_store, asked).await.unwrap(), expected);
            collection
                .faces
                .retain(|face_id, (_, owner)| owner.is_some() || !asked.contains(face_id));
        }
        Call::CreateUser { user, .. } => {
            assert_eq!(
                world.store.create_user(&of_store, &user_id(user), None).await.is_ok(),
                collection.users.insert(user)
            );
        }
        Call::DeleteUser { user, .. } => {
            assert_eq!(
                world.store.delete_user(&of_store, &user_id(user), None).await.is_ok(),
                collection.users.remove(&user)
            );
            collection
                .faces
                .values_mut()
                .filter(|(_, owner)| *owner == Some(user))
                .for_each(|(_, owner)| *owner = None);
        }
        Call::Associate { user, .. } => associate(world, collection, user, asked).await,
        Call::Disassociate { user, .. } => disassociate(world, collection, user, asked).await,
        Call::Create { .. } | Call::Drop { .. } | Call::Reopen => {
            unreachable!("these are no calls inside a collection")
        }
    }
}

async fn associate(world: &World, collection: &mut ModelCollection, user: u8, asked: &[Uuid]) {
    let request = AssociateFaces {
        similarity: Arc::new(|_, face| if alike(face) { 75.0 } else { 74.0 }),
        ..super::association(&collection.of_store, &user_id(user), asked)
    };
    let result = world.store.associate_faces(request, None).await;
    if !collection.users.contains(&user) {
        assert!(matches!(result, Err(StoreError::NotFound(_))), "{result:?}");
        return;
    }
    let (mut associated, mut unsuccessful) = (Vec::new(), Vec::new());
    let held = collection.faces_of(user).len();
    for face_id in distinct(asked) {
        let failure = match collection.faces.get(&face_id) {
            None => AssociationFailure::FaceNotFound,
            Some((_, Some(owner))) if *owner == user => continue,
            Some((_, Some(owner))) => {
                AssociationFailure::AssociatedToADifferentUser(user_id(*owner))
            }
            Some(((image, external, ordinal), None)) => {
                let external = external.map(|external| external.to_string());
                let image = image_of(
                    &collection.of_store,
                    &image.to_string(),
                    external.as_deref(),
                    ordinal + 1,
                );
                if held + associated.len() == 0 || alike(&image.faces[*ordinal as usize].vector) {
                    associated.push(face_id);
                    continue;
                }
                AssociationFailure::LowMatchConfidence(74.0)
            }
        };
        unsuccessful.push((face_id, failure));
    }
    let outcome = result.unwrap();
    assert_eq!((&outcome.associated, outcome.unsuccessful), (&associated, unsuccessful));
    for face_id in associated {
        collection.faces.get_mut(&face_id).expect("a known face").1 = Some(user);
    }
}

async fn disassociate(world: &World, collection: &mut ModelCollection, user: u8, asked: &[Uuid]) {
    let request = disassociation(&collection.of_store, &user_id(user), asked);
    let result = world.store.disassociate_faces(request, None).await;
    if !collection.users.contains(&user) {
        assert!(matches!(result, Err(StoreError::NotFound(_))), "{result:?}");
        return;
    }
    let (mut disassociated, mut unsuccessful) = (Vec::new(), Vec::new());
    for face_id in distinct(asked) {
        match collection.faces.get(&face_id) {
            None => unsuccessful.push((face_id, DisassociationFailure::FaceNotFound)),
            Some((_, Some(owner))) if *owner == user => disassociated.push(face_id),
            Some((_, Some(owner))) => {
                unsuccessful.push((
                    face_id,
                    DisassociationFailure::AssociatedToADifferentUser(user_id(*owner)),
                ));
            }
            Some((_, None)) => {}
        }
    }
    let outcome = result.unwrap();
    assert_eq!((&outcome.disassociated, outcome.unsuccessful), (&disassociated, unsuccessful));
    for face_id in disassociated {
        collection.faces.get_mut(&face_id).expect("a known face").1 = None;
    }
}

/// Compares all that can be read with the model.
async fn compare(world: &World, model: &Model) {
    let listed = world.store.list_collections(&world.tenant, None, 10).await.unwrap();
    assert_eq!(listed.len(), model.collections.len());
    for (name, collection) in &model.collections {
        let key = collection.of_store.key;
        let found = world.look_up(NAMES[*name]).await;
        assert_eq!(
            (found.face_count, found.user_count),
            (collection.faces.len() as u64, collection.users.len() as u64)
        );
        let faces = world.store.list_faces(key, None, 100, FaceFilter::default()).await.unwrap();
        let read: Vec<_> = faces.iter().map(|face| (face.face_id, face.user_id.clone())).collect();
        let expected: Vec<_> = collection
            .faces
            .iter()
            .map(|(face_id, (_, owner))| (*face_id, owner.map(user_id)))
            .collect();
        assert_eq!(read, expected);
        let users = world.store.list_users(key, None, 10).await.unwrap();
        assert_eq!(users.len(), collection.users.len());
        for user in &collection.users {
            let User { user_id, face_count, .. } =
                world.store.user(key, &user_id(*user)).await.unwrap().expect("a known user");
            assert_eq!(face_count, collection.faces_of(*user).len() as u64);
            let filter = FaceFilter { user_id: Some(user_id), face_ids: None };
            assert_eq!(
                ids(&world.store.list_faces(key, None, 100, filter).await.unwrap()),
                collection.faces_of(*user)
            );
        }
        let mut loaded = Vec::new();
        world.store.load_faces(key, RowRange::ALL, &mut |row, _| loaded.push(row)).await.unwrap();
        let mut rows: Vec<i64> = faces.iter().map(|face| face.row).collect();
        rows.sort_unstable();
        assert_eq!(loaded, rows);
    }
}

pub async fn random_calls_do_as_the_model_does(world: World) {
    // The runner is not async: it draws and shrinks on this thread, and each case runs on the
    // runtime that is there.
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let config = ProptestConfig {
            cases: world.cases(),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let world = std::cell::RefCell::new(world);
        let outcome = TestRunner::new(config).run(&calls(), |calls| {
            let mut world = world.borrow_mut();
            runtime.block_on(async {
                for name in NAMES {
                    let _ = world.store.delete_collection(&world.tenant, name).await;
                }
                let mut model = Model::default();
                for call in &calls {
                    make(&mut world, &mut model, call).await;
                    compare(&world, &model).await;
                }
            });
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    })
    .await
    .unwrap();
}
