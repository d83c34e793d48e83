//! Many callers at once, and callers that leave.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lookalike_store::{AssociateFaces, Entity, Quota, RowRange, StoreError};

use super::{World, all_faces, assert_fails, association, ids, image_of, new_collection};

pub async fn writers_do_not_lose_each_others_faces(mut world: World) {
    let staff = world.collection("staff").await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let store = Arc::clone(&world.store);
        let requests: Vec<_> =
            (0..20).map(|n| image_of(&staff, &format!("{writer} {n}"), None, 2)).collect();
        writers.push(tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for request in requests {
                acknowledged.extend(store.index_faces(request).await.unwrap());
            }
            acknowledged
        }));
    }
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    acknowledged.sort_by_key(|face| face.face_id);
    world.reopen().await;
    assert_eq!(all_faces(&world, &staff).await.unwrap(), acknowledged);
    assert_eq!(world.look_up("staff").await.face_count, 320);
}

pub async fn one_of_many_equal_writes_wins(world: World) {
    let staff = world.collection("staff").await;
    let mut calls = Vec::new();
    for _ in 0..8 {
        let (store, tenant) = (Arc::clone(&world.store), world.tenant.clone());
        let request = image_of(&staff, "photo", None, 2);
        calls.push(tokio::spawn(async move {
            let made = store.create_collection(&tenant, new_collection("visitors")).await;
            let user = store.create_user(&request.collection, "ann", None).await;
            (made.is_ok(), user, store.index_faces(request).await.unwrap())
        }));
    }
    let (mut collections_made, mut users_made, mut faces) = (0, 0, Vec::new());
    for call in calls {
        let (made, user, indexed) = call.await.unwrap();
        collections_made += usize::from(made);
        match user {
            Ok(()) => users_made += 1,
            Err(error) => {
                assert!(matches!(error, StoreError::AlreadyExists(Entity::User(_))), "{error:?}");
            }
        }
        faces.push(indexed);
    }
    assert_eq!((collections_made, users_made), (1, 1));
    assert!(faces.iter().all(|indexed| *indexed == faces[0]), "equal images gave different faces");
    let staff = world.look_up("staff").await;
    assert_eq!((staff.face_count, staff.user_count), (2, 1));
}

pub async fn a_caller_who_leaves_leaves_whole_writes(world: World) {
    let staff = world.collection("staff").await;
    for n in 0..60_u32 {
        let mut call = world.store.index_faces(image_of(&staff, &n.to_string(), None, 5));
        // Left at once, after one poll, or some time later.
        match n % 3 {
            0 => drop(call),
            1 => {
                let pending = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(pending, Poll::Pending | Poll::Ready(Ok(_))));
            }
            _ => drop(tokio::time::timeout(Duration::from_micros(u64::from(n) * 40), call).await),
        }
    }
    // Writes are done in order, so this one comes after all that were queued.
    world.index(&staff, "last", 1).await;
    let faces = all_faces(&world, &staff).await.unwrap();
    assert_eq!(faces.len() as u64, world.look_up("staff").await.face_count);
    assert_eq!(faces.len() % 5, 1, "a call left a part of its faces");
    let mut loaded = 0;
    world.store.load_faces(staff.key, RowRange::ALL, &mut |_, _| loaded += 1).await.unwrap();
    assert_eq!(loaded, faces.len(), "a face without its vector, or the reverse");
}

pub async fn a_panicking_write_harms_no_other(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 3).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let panicking = AssociateFaces {
        similarity: Arc::new(|_, _| panic!("as the test wants")),
        ..association(&staff, "ann", &faces)
    };
    let (panicked, indexed) = tokio::join!(
        world.store.associate_faces(panicking, None),
        world.store.index_faces(image_of(&staff, "other", None, 2))
    );
    assert_fails!(panicked, StoreError::Panicked);
    assert_eq!(indexed.unwrap().len(), 2);
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap().unwrap().face_count, 0);
    world.store.associate_faces(association(&staff, "ann", &faces), None).await.unwrap();
}

pub async fn associations_at_once_keep_the_limit(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 200).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let mut calls = Vec::new();
    for chunk in faces.chunks(40) {
        let store = Arc::clone(&world.store);
        let request = association(&staff, "ann", chunk);
        calls.push(tokio::spawn(async move { store.associate_faces(request, None).await }));
    }
    let mut refused = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(outcome) => assert_eq!(outcome.associated.len(), 40),
            Err(error) => {
                assert!(matches!(error, StoreError::Quota(Quota::FacesPerUser)), "{error:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 3);
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap().unwrap().face_count, 80);
}

pub async fn a_closed_store_says_so(world: World) {
    let staff = world.collection("staff").await;
    world.store.close().await;
    assert_fails!(
        world.store.index_faces(image_of(&staff, "photo", None, 1)).await,
        StoreError::Closed
    );
    assert_fails!(world.store.collection(&world.tenant, "staff").await, StoreError::Closed);
    world.store.close().await;
}

pub async fn an_open_store_is_ready(world: World) {
    world.store.check_ready().await.unwrap();
    world.store.close().await;
    // What was found stands for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_fails!(world.store.check_ready().await, StoreError::Closed);
}
