//! Users.

use lookalike_store::{Entity, StoreError};

use super::{World, all_faces, assert_fails, association, ids};

pub async fn users_live_and_die(mut world: World) {
    let staff = world.collection("staff").await;
    let visitors = world.collection("visitors").await;
    world.store.create_user(&staff, "ann", None).await.unwrap();
    world.store.create_user(&visitors, "ann", None).await.unwrap();
    world.store.create_user(&staff, "Ann", None).await.unwrap();
    assert_fails!(
        world.store.create_user(&staff, "ann", None).await,
        StoreError::AlreadyExists(Entity::User(_))
    );
    assert_eq!(
        (world.look_up("staff").await.user_count, world.look_up("visitors").await.user_count),
        (2, 1)
    );
    let ann = world.store.user(staff.key, "ann").await.unwrap().unwrap();
    assert_eq!((ann.user_id.as_str(), ann.face_count, ann.is_active()), ("ann", 0, false));

    world.store.delete_user(&staff, "ann", None).await.unwrap();
    assert_fails!(
        world.store.delete_user(&staff, "ann", None).await,
        StoreError::NotFound(Entity::User(_))
    );
    world.reopen().await;
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap(), None);
    assert_eq!(
        (world.look_up("staff").await.user_count, world.look_up("visitors").await.user_count),
        (1, 1)
    );
    world.store.create_user(&staff, "ann", None).await.unwrap();
    assert!(
        world.store.user(staff.key, "ann").await.unwrap().unwrap().row > ann.row,
        "a row was used again"
    );
}

pub async fn users_are_listed_in_order_of_creation(world: World) {
    let staff = world.collection("staff").await;
    let other = world.collection("visitors").await;
    let names = ["m", "z", "a", "k", "b"];
    for name in names {
        world.store.create_user(&staff, name, None).await.unwrap();
        world.store.create_user(&other, name, None).await.unwrap();
    }
    let mut users = Vec::new();
    loop {
        let after = users.last().map(|user: &lookalike_store::User| user.row);
        let page = world.store.list_users(staff.key, after, 2).await.unwrap();
        let is_last = page.len() < 2;
        users.extend(page);
        if is_last {
            break;
        }
    }
    assert_eq!(users.iter().map(|user| user.user_id.as_str()).collect::<Vec<_>>(), names);
    users.reverse();
    let mut rows: Vec<i64> = users.iter().map(|user| user.row).collect();
    rows.push(i64::MAX);
    assert_eq!(world.store.users_by_rows(staff.key, &rows).await.unwrap(), users);
    // Rows name users of one collection only.
    let elsewhere = world.store.users_by_rows(other.key, &rows).await.unwrap();
    let of_other = world.store.list_users(other.key, None, 10).await.unwrap();
    assert!(elsewhere.iter().all(|user| of_other.contains(user)));
}

pub async fn deleting_a_user_frees_its_faces(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 2).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let request = association(&staff, "ann", &faces);
    world.store.associate_faces(request.clone(), None).await.unwrap();
    assert!(world.store.user(staff.key, "ann").await.unwrap().unwrap().is_active());
    world.store.delete_user(&staff, "ann", None).await.unwrap();
    let left = all_faces(&world, &staff).await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|face| face.user_id.is_none()));
    // Another user, even one of the same name, can have them.
    world.store.create_user(&staff, "ann", None).await.unwrap();
    assert_eq!(world.store.associate_faces(request, None).await.unwrap().associated, faces);
}
