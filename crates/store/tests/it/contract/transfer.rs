//! Whole collections, out of a store and into one.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use lookalike_store::{
    BoundingBox, Change, ChangeSink, Entity, Export, Import, NewImport, PackId, Quota, RowRange,
    Step, StoreError, StoredFace, TransferRows, User,
};
use uuid::Uuid;

use super::{World, all_faces, assert_fails, association, ids, image_of};

/// A collection of 3000 faces in 30 images, 40 users with two faces each, and one without.
async fn furnished(world: &World, name: &str) -> Vec<Uuid> {
    let made = world.collection(name).await;
    let mut faces = Vec::new();
    for image in 0..30 {
        let name = image.to_string();
        let request = image_of(&made, &name, (image % 2 == 0).then_some(name.as_str()), 100);
        faces.extend(ids(&world.store.index_faces(request).await.unwrap()));
    }
    for user in 0..41 {
        let user_id = format!("user {user}");
        world.store.create_user(&made, &user_id, None).await.unwrap();
        if user < 40 {
            let of_user = [faces[user], faces[2999 - user]];
            let request = association(&made, &user_id, &of_user);
            world.store.associate_faces(request, None).await.unwrap();
        }
    }
    let tags = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
    world.store.put_tags(&world.tenant, name, tags).await.unwrap();
    faces
}

async fn rows_of(mut export: Export) -> (Vec<String>, Vec<StoredFace>) {
    let (mut users, mut faces) = (Vec::new(), Vec::new());
    while let Some(rows) = export.next().await.unwrap() {
        match rows {
            TransferRows::Users(more) => {
                assert!(faces.is_empty(), "a user after a face");
                users.extend(more);
            }
            TransferRows::Faces(more) => faces.extend(more),
        }
    }
    (users, faces)
}

fn new_import(name: &str) -> NewImport {
    NewImport {
        name: name.to_owned(),
        model_version: "6.0".to_owned(),
        pack: PackId { name: "other".to_owned(), version: "2".to_owned() },
        created_at: 12_345,
        tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
    }
}

async fn begin(world: &World, name: &str) -> Import {
    world.store.begin_import(&world.tenant, new_import(name)).await.unwrap()
}

fn face(number: u8, user_id: Option<&str>) -> StoredFace {
    StoredFace {
        face_id: Uuid::from_bytes([number; 16]),
        image_id: Uuid::from_bytes([number + 1; 16]),
        image_sha256: [number; 32],
        external_image_id: None,
        ordinal: u32::from(number),
        bounding_box: BoundingBox { left: -0.1, top: 0.2, width: 0.3, height: 1.4 },
        confidence: 99.123_45,
        model_version: "6.0".to_owned(),
        user_id: user_id.map(str::to_owned),
        vector: vec![0.6, -0.8, 0.0, -0.0],
    }
}

async fn add_users(world: &World, import: &Import, users: &[&str]) -> Result<(), StoreError> {
    let users = users.iter().map(ToString::to_string).collect();
    world.store.import_rows(import, TransferRows::Users(users)).await
}

async fn add_faces(world: &World, import: &Import, faces: &[StoredFace]) -> Result<(), StoreError> {
    world.store.import_rows(import, TransferRows::Faces(faces.to_vec())).await
}

async fn names(world: &World) -> Vec<String> {
    let all = world.store.list_collections(&world.tenant, None, 100).await.unwrap();
    all.into_iter().map(|collection| collection.name).collect()
}

pub async fn an_import_of_an_export_is_the_same_collection(mut world: World) {
    furnished(&world, "staff").await;
    let export = world.store.export_collection(&world.tenant, "staff").await.unwrap();
    let (old, tags) = (export.collection.clone(), export.tags.clone());
    assert_eq!((old.face_count, old.user_count, tags["team"].as_str()), (3000, 41, "red"));
    let (users, faces) = rows_of(export).await;

    let new = NewImport {
        name: "copy".to_owned(),
        model_version: old.model_version.clone(),
        pack: old.pack.clone(),
        created_at: old.created_at,
        tags,
    };
    let import = world.store.begin_import(&world.tenant, new).await.unwrap();
    for users in users.chunks(30) {
        let rows = TransferRows::Users(users.to_vec());
        world.store.import_rows(&import, rows).await.unwrap();
    }
    for faces in faces.chunks(700) {
        add_faces(&world, &import, faces).await.unwrap();
    }
    let finished = world.store.finish_imports(&[import], false).await.unwrap().remove(0);
    world.reopen().await;
    let copy = world.look_up("copy").await;
    assert_eq!(copy, finished);
    assert_eq!(
        copy,
        lookalike_store::Collection {
            key: copy.key,
            name: "copy".into(),
            revision: copy.revision,
            next_row: copy.next_row,
            ..old.clone()
        }
    );

    let again = world.store.export_collection(&world.tenant, "copy").await.unwrap();
    assert_eq!(again.tags["team"], "red");
    assert_eq!(rows_of(again).await, (users, faces));
    // As callers see it, but for the rows.
    let shown = async |collection| {
        let faces = all_faces(&world, collection).await.unwrap();
        let users = world.store.list_users(collection.key, None, 100).await.unwrap();
        let faces: Vec<_> =
            faces.into_iter().map(|face| lookalike_store::Face { row: 0, ..face }).collect();
        (faces, users.into_iter().map(|user| User { row: 0, ..user }).collect::<Vec<_>>())
    };
    assert_eq!(shown(&copy).await, shown(&old).await);
    // The same image is known, and a user grows.
    let known = world.store.index_faces(image_of(&copy, "1", None, 100)).await.unwrap();
    assert_eq!(world.look_up("copy").await.face_count, 3000);
    let request = association(&copy, "user 40", &ids(&known)[50..52]);
    assert_eq!(world.store.associate_faces(request, None).await.unwrap().associated.len(), 2);
}

pub async fn an_export_is_of_one_moment(world: World) {
    let faces = furnished(&world, "staff").await;
    let staff = world.look_up("staff").await;
    let mut export = world.store.export_collection(&world.tenant, "staff").await.unwrap();
    let first = export.next().await.unwrap();
    // While it is read slowly, others write.
    let free: Vec<Uuid> = faces[100..2000].to_vec();
    world.store.delete_faces(&staff, &free).await.unwrap();
    world.index(&staff, "new", 50).await;
    world.store.delete_user(&staff, "user 3", None).await.unwrap();
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    assert!(matches!(first, Some(TransferRows::Users(users)) if users.len() == 41));
    let (_, exported) = rows_of(export).await;
    assert_eq!(exported.len(), 3000);
    assert_eq!(exported.iter().filter(|face| face.user_id.is_some()).count(), 80);
    assert_fails!(
        world.store.export_collection(&world.tenant, "staff").await,
        StoreError::NotFound(Entity::Collection(_))
    );
}

pub async fn nobody_finds_an_unfinished_import(mut world: World) {
    world.collection("visitors").await;
    let import = begin(&world, "staff").await;
    add_users(&world, &import, &["ann"]).await.unwrap();
    add_faces(&world, &import, &[face(1, Some("ann"))]).await.unwrap();
    assert_fails!(
        world.store.collection(&world.tenant, "staff").await,
        StoreError::NotFound(Entity::Collection(_))
    );
    assert_eq!(names(&world).await, ["visitors"]);
    assert_eq!(world.store.collection_by_key(import.key).await.unwrap(), None);
    assert_eq!(world.store.user(import.key, "ann").await.unwrap(), None);
    assert_eq!(world.store.face_vector(import.key, face(1, None).face_id).await.unwrap(), None);
    world
        .store
        .load_faces(import.key, RowRange::ALL, &mut |_, _| panic!("it was shown"))
        .await
        .unwrap();
    if world.keeps() {
        world.reopen().await;
        assert_eq!(names(&world).await, ["visitors"]);
        assert_fails!(add_users(&world, &import, &["bob"]).await, StoreError::NotFound(_));
        assert_fails!(world.store.finish_imports(&[import], false).await, StoreError::NotFound(_));
    }
}

pub async fn an_import_given_up_leaves_nothing(world: World) {
    let import = begin(&world, "staff").await;
    add_users(&world, &import, &["ann"]).await.unwrap();
    world.store.abandon_imports(from_ref(&import)).await.unwrap();
    world.store.abandon_imports(from_ref(&import)).await.unwrap();
    assert_fails!(add_users(&world, &import, &["bob"]).await, StoreError::NotFound(_));
    assert_fails!(world.store.finish_imports(&[import], true).await, StoreError::NotFound(_));
    assert_eq!(names(&world).await, Vec::<String>::new());
}

pub async fn a_finished_import_cannot_be_given_up(world: World) {
    let import = begin(&world, "staff").await;
    world.store.finish_imports(from_ref(&import), false).await.unwrap();
    world.store.abandon_imports(from_ref(&import)).await.unwrap();
    assert_fails!(add_users(&world, &import, &["bob"]).await, StoreError::NotFound(_));
    assert_eq!(names(&world).await, ["staff"]);
    assert_eq!(world.look_up("staff").await.created_at, 12_345);
}

pub async fn imports_become_visible_together(world: World) {
    let visitors = world.collection("visitors").await;
    let imports = [begin(&world, "staff").await, begin(&world, "visitors").await];
    assert_fails!(
        world.store.finish_imports(&imports, false).await,
        StoreError::AlreadyExists(Entity::Collection(_))
    );
    assert_eq!(names(&world).await, ["visitors"]);
    assert_eq!(world.look_up("visitors").await, visitors);

    add_faces(&world, &imports[1], &[face(1, None)]).await.unwrap();
    let recorder = Arc::new(Dropped::default());
    let sink: Arc<dyn ChangeSink> = recorder.clone();
    world.store.subscribe(&sink);
    world.store.finish_imports(&imports, true).await.unwrap();
    assert_eq!(names(&world).await, ["staff", "visitors"]);
    let replaced = world.look_up("visitors").await;
    assert_eq!((replaced.face_count, replaced.pack.name.as_str()), (1, "other"));
    let dropped = Change::CollectionDropped { collection: visitors.key };
    assert_eq!(*recorder.0.lock().unwrap(), [dropped]);
}

#[derive(Default)]
struct Dropped(std::sync::Mutex<Vec<Change>>);

impl ChangeSink for Dropped {
    fn committed(&self, changes: &[Change], _: Option<Step>) {
        self.0.lock().unwrap().extend_from_slice(changes);
    }
}

pub async fn rows_that_do_not_fit_together_are_refused(world: World) {
    let import = begin(&world, "staff").await;
    add_users(&world, &import, &["ann", "bob"]).await.unwrap();
    assert_fails!(add_users(&world, &import, &["eve", "ann"]).await, StoreError::InvalidImport(_));
    add_faces(&world, &import, &[face(1, Some("ann"))]).await.unwrap();
    let same_content = StoredFace { face_id: Uuid::from_bytes([9; 16]), ..face(1, None) };
    for wrong in [
        vec![face(2, None), face(1, None)],
        vec![face(2, None), face(2, None)],
        vec![face(2, None), same_content],
        vec![face(2, None), face(3, Some("eve"))],
    ] {
        assert_fails!(add_faces(&world, &import, &wrong).await, StoreError::InvalidImport(_));
    }
    let too_many: Vec<_> = (10..110).map(|number| face(number, Some("ann"))).collect();
    assert_fails!(
        add_faces(&world, &import, &too_many).await,
        StoreError::Quota(Quota::FacesPerUser)
    );
    let kept = world.store.finish_imports(&[import], false).await.unwrap().remove(0);
    assert_eq!((kept.face_count, kept.user_count), (1, 2), "a refused call left something");
    let export = world.store.export_collection(&world.tenant, "staff").await.unwrap();
    let expected = (vec!["ann".to_owned(), "bob".to_owned()], vec![face(1, Some("ann"))]);
    assert_eq!(rows_of(export).await, expected);
}

pub async fn too_many_tags_are_refused(world: World) {
    let tags = (0..201).map(|number| (number.to_string(), String::new())).collect();
    let new = NewImport { tags, ..new_import("staff") };
    assert_fails!(
        world.store.begin_import(&world.tenant, new).await,
        StoreError::Quota(Quota::Tags)
    );
}
