//! Client request tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lookalike_store::{AssociateFaces, Entity, Idempotency, StoreError};

use super::{World, assert_fails, association, disassociation, ids, tenant};

pub async fn the_same_request_is_done_once(mut world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 3).await);
    world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    assert_eq!(world.look_up("staff").await.user_count, 1);

    let unlike = AssociateFaces {
        similarity: Arc::new(|_, _| 0.1 + 0.2),
        ..association(&staff, "ann", &faces)
    };
    let first =
        world.store.associate_faces(unlike.clone(), Some(world.token("t", 1))).await.unwrap();
    assert_eq!((first.associated.len(), first.unsuccessful.len()), (1, 2));
    world
        .store
        .disassociate_faces(disassociation(&staff, "ann", &faces), Some(world.token("t", 1)))
        .await
        .unwrap();
    world.reopen().await;
    // The answer of the first time, to the bit, though a fresh run would find another; and nothing
    // is done.
    assert_eq!(
        world.store.associate_faces(unlike, Some(world.token("t", 1))).await.unwrap(),
        first
    );
    let again = world
        .store
        .disassociate_faces(disassociation(&staff, "ann", &faces), Some(world.token("t", 1)))
        .await
        .unwrap();
    assert_eq!(again.disassociated, first.associated);
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap().unwrap().face_count, 0);

    world.store.delete_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    world.store.create_user(&staff, "ann", None).await.unwrap();
    world.store.delete_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    assert!(
        world.store.user(staff.key, "ann").await.unwrap().is_some(),
        "a replayed deletion deleted"
    );
}

pub async fn another_request_is_refused(world: World) {
    let staff = world.collection("staff").await;
    world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    assert_fails!(
        world.store.create_user(&staff, "bob", Some(world.token("t", 2))).await,
        StoreError::TokenMismatch(_)
    );
    assert_eq!(world.store.user(staff.key, "bob").await.unwrap(), None);
    world.store.create_user(&staff, "bob", Some(world.token("T", 2))).await.unwrap();
}

pub async fn operations_and_tenants_have_their_own(world: World) {
    let staff = world.collection("staff").await;
    world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    world.store.delete_user(&staff, "ann", Some(world.token("t", 2))).await.unwrap();
    for other in
        [tenant(&world.tenant.account, "us-east-1"), tenant("999999999999", &world.tenant.region)]
    {
        let theirs =
            world.store.create_collection(&other, super::new_collection("staff")).await.unwrap();
        let token = Idempotency { tenant: other, token: "t".to_owned(), request_hash: [3; 32] };
        world.store.create_user(&theirs, "ann", Some(token)).await.unwrap();
        assert!(world.store.user(theirs.key, "ann").await.unwrap().is_some());
    }
}

pub async fn tokens_expire(world: World) {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let staff = world.collection("staff").await;
    world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    world.now.fetch_add(DAY - 1, Ordering::SeqCst);
    world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    assert_fails!(
        world.store.create_user(&staff, "bob", Some(world.token("t", 2))).await,
        StoreError::TokenMismatch(_)
    );
    world.now.fetch_add(1, Ordering::SeqCst);
    assert_fails!(
        world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await,
        StoreError::AlreadyExists(Entity::User(_))
    );
    world.store.create_user(&staff, "bob", Some(world.token("t", 2))).await.unwrap();
}

pub async fn failures_are_not_remembered(world: World) {
    let staff = world.collection("staff").await;
    assert_fails!(
        world.store.delete_user(&staff, "ann", Some(world.token("t", 1))).await,
        StoreError::NotFound(Entity::User(_))
    );
    world.store.create_user(&staff, "ann", None).await.unwrap();
    world.store.delete_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap(), None);
}

pub async fn tokens_go_with_their_collection(mut world: World) {
    let first = world.collection("staff").await;
    world.store.create_user(&first, "ann", Some(world.token("t", 1))).await.unwrap();
    // Enough that the first collection is not cleared away when it is made again; the second is at
    // once.
    for image in 0..60 {
        world.index(&first, &image.to_string(), 100).await;
    }
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    for _ in 0..2 {
        let staff = world.collection("staff").await;
        world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
        assert!(
            world.store.user(staff.key, "ann").await.unwrap().is_some(),
            "a token of a deleted collection was replayed"
        );
        world.store.create_user(&staff, "ann", Some(world.token("t", 1))).await.unwrap();
        world.reopen().await;
        assert_fails!(
            world.store.create_user(&staff, "bob", Some(world.token("t", 2))).await,
            StoreError::TokenMismatch(_)
        );
        world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    }
    // Another request with the token of a deleted collection is no mismatch.
    let staff = world.collection("staff").await;
    world.store.create_user(&staff, "bob", Some(world.token("t", 2))).await.unwrap();
}
