//! Collections.

use lookalike_store::{Entity, RowRange, StoreError};

use super::{World, all_faces, assert_fails, new_collection, tenant};

pub async fn a_new_collection_is_empty(mut world: World) {
    let made = world.collection("staff").await;
    assert_eq!((made.face_count, made.user_count), (0, 0));
    assert_eq!(made.created_at, 1_700_000_000_000);
    assert_eq!(
        (made.model_version.as_str(), made.pack.name.as_str(), made.pack.version.as_str()),
        ("7.0", "default", "1")
    );
    assert_eq!(world.look_up("staff").await, made);
    world.reopen().await;
    assert_eq!(world.look_up("staff").await, made);
    assert!(all_faces(&world, &made).await.unwrap().is_empty());
}

pub async fn names_are_unique_within_a_tenant(world: World) {
    world.collection("staff").await;
    assert_fails!(
        world.store.create_collection(&world.tenant, new_collection("staff")).await,
        StoreError::AlreadyExists(Entity::Collection(_))
    );
    // Letter case counts.
    world.collection("Staff").await;
    assert_fails!(
        world.store.collection(&world.tenant, "STAFF").await,
        StoreError::NotFound(Entity::Collection(_))
    );
}

pub async fn pages_follow_the_order_of_creation(world: World) {
    for name in ["b", "a.2", "B", "a-1", "c", "a_3", "10", "9"] {
        world.collection(name).await;
    }
    world.store.delete_collection(&world.tenant, "B").await.unwrap();
    let mut names: Vec<String> = Vec::new();
    let mut last = None;
    loop {
        let page = world.store.list_collections(&world.tenant, last, 3).await.unwrap();
        names.extend(page.iter().map(|collection| collection.name.clone()));
        last = page.last().map(|collection| collection.key);
        if page.len() < 3 {
            break;
        }
    }
    assert_eq!(names, ["b", "a.2", "a-1", "c", "a_3", "10", "9"]);
}

pub async fn nothing_crosses_tenants(world: World) {
    let other_region = tenant(&world.tenant.account, "us-east-1");
    let other_account = tenant("444455556666", &world.tenant.region);
    let mine = world.collection("staff").await;
    world.index(&mine, "photo", 2).await;
    for other in [&other_region, &other_account] {
        assert_fails!(
            world.store.collection(other, "staff").await,
            StoreError::NotFound(Entity::Collection(_))
        );
        assert_fails!(
            world.store.delete_collection(other, "staff").await,
            StoreError::NotFound(Entity::Collection(_))
        );
        assert_fails!(
            world.store.tags(other, "staff").await,
            StoreError::NotFound(Entity::Collection(_))
        );
        assert!(world.store.list_collections(other, None, 10).await.unwrap().is_empty());
        let theirs = world.store.create_collection(other, new_collection("staff")).await.unwrap();
        assert!(all_faces(&world, &theirs).await.unwrap().is_empty());
        // The same image again is a new face there, and mine are not found there.
        let face = world.index(&theirs, "photo", 1).await.remove(0);
        let faces_of_mine = all_faces(&world, &mine).await.unwrap();
        assert!(faces_of_mine.iter().all(|of_mine| of_mine.face_id != face.face_id));
        assert_eq!(world.face(theirs.key, faces_of_mine[0].face_id).await, None);
        let rows = [faces_of_mine[0].row];
        let of_theirs = world.store.faces_by_rows(theirs.key, &rows).await.unwrap();
        assert!(of_theirs.iter().all(|of_theirs| of_theirs.face_id == face.face_id));
    }
    world.store.delete_collection(&other_region, "staff").await.unwrap();
    assert_eq!(world.look_up("staff").await.face_count, 2);
}

pub async fn a_deleted_collection_is_gone_and_its_name_free(mut world: World) {
    let old = world.collection("staff").await;
    let faces = world.index(&old, "photo", 3).await;
    world.store.create_user(&old, "ann", None).await.unwrap();
    let deleted = world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    assert_eq!((deleted.key, deleted.face_count, deleted.user_count), (old.key, 3, 1));
    assert_fails!(
        world.store.delete_collection(&world.tenant, "staff").await,
        StoreError::NotFound(Entity::Collection(_))
    );
    assert!(world.store.list_collections(&world.tenant, None, 10).await.unwrap().is_empty());

    let new = world.collection("staff").await;
    assert_ne!(new.key, old.key);
    assert_eq!(new.face_count, 0);
    world.reopen().await;
    assert_eq!(world.store.collection_by_key(new.key).await.unwrap(), Some(new.clone()));
    assert_eq!(world.store.collection_by_key(old.key).await.unwrap(), None);
    for key in [old.key, new.key] {
        assert_eq!(world.face(key, faces[0].face_id).await, None);
        assert_eq!(world.store.face_vector(key, faces[0].face_id).await.unwrap(), None);
        assert_eq!(world.store.user(key, "ann").await.unwrap(), None);
        assert!(world.store.faces_by_rows(key, &[faces[0].row]).await.unwrap().is_empty());
        assert!(world.store.list_users(key, None, 10).await.unwrap().is_empty());
        world
            .store
            .load_faces(key, RowRange::ALL, &mut |row, _| panic!("face {row} is still there"))
            .await
            .unwrap();
    }
    assert_fails!(
        world.store.delete_faces(&old, &[faces[0].face_id]).await,
        StoreError::NotFound(Entity::Collection(_))
    );
    match world.store.create_user(&old, "bob", None).await {
        Err(StoreError::NotFound(Entity::Collection(name))) => assert_eq!(name, "staff"),
        other => panic!("{other:?}"),
    }
    assert_fails!(
        world.store.delete_user(&old, "ann", None).await,
        StoreError::NotFound(Entity::Collection(_))
    );
}
