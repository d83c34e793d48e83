//! Deleting faces and collections.

use std::time::{Duration, Instant};

use lookalike_store::FaceDeletion;
use uuid::Uuid;

use super::{World, all_faces, association, ids, image_of};

pub async fn deleting_reports_each_distinct_face(mut world: World) {
    let staff = world.collection("staff").await;
    let elsewhere = world.collection("visitors").await;
    let faces = ids(&world.index(&staff, "photo", 4).await);
    let foreign = ids(&world.index(&elsewhere, "photo", 1).await);
    let unknown = Uuid::new_v4();
    let request = [faces[2], unknown, faces[0], faces[2], foreign[0], unknown];
    assert_eq!(
        world.store.delete_faces(&staff, &request).await.unwrap(),
        [
            (faces[2], FaceDeletion::Deleted),
            (unknown, FaceDeletion::NotFound),
            (faces[0], FaceDeletion::Deleted),
            (foreign[0], FaceDeletion::NotFound),
        ]
    );
    world.reopen().await;
    let mut left = vec![faces[1], faces[3]];
    left.sort();
    assert_eq!(ids(&all_faces(&world, &staff).await.unwrap()), left);
    assert_eq!(world.look_up("staff").await.face_count, 2);
    assert_eq!(world.look_up("visitors").await.face_count, 1);
    assert_eq!(world.store.face_vector(staff.key, faces[0]).await.unwrap(), None);
}

pub async fn deleting_reopens_the_key(world: World) {
    let staff = world.collection("staff").await;
    let before = world.index(&staff, "photo", 2).await;
    world.store.delete_faces(&staff, &[before[0].face_id]).await.unwrap();
    let after = world.index(&staff, "photo", 2).await;
    assert_ne!(after[0].face_id, before[0].face_id);
    assert!(after[0].row > before[1].row, "a row was used again");
    assert_eq!(after[1], before[1]);
    assert_eq!(world.look_up("staff").await.face_count, 2);
}

pub async fn faces_of_a_user_stay(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 2).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let request = association(&staff, "ann", &faces[..1]);
    world.store.associate_faces(request, None).await.unwrap();
    assert_eq!(
        world.store.delete_faces(&staff, &faces).await.unwrap(),
        [
            (faces[0], FaceDeletion::AssociatedTo("ann".to_owned())),
            (faces[1], FaceDeletion::Deleted)
        ]
    );
    assert_eq!(ids(&all_faces(&world, &staff).await.unwrap()), [faces[0]]);
    assert_eq!(world.look_up("staff").await.face_count, 1);
}

pub async fn a_large_collection_goes_at_once(world: World) {
    let staff = world.collection("staff").await;
    for image in 0..50 {
        world.index(&staff, &image.to_string(), 100).await;
    }
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let before = Instant::now();
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    let other = world.collection("visitors").await;
    // Writes pass while the rest is cleared away.
    for image in 0..20 {
        world.store.index_faces(image_of(&other, &image.to_string(), None, 1)).await.unwrap();
    }
    assert!(before.elapsed() < Duration::from_secs(10));
    assert_eq!(world.look_up("visitors").await.face_count, 20);
    assert_eq!(all_faces(&world, &other).await.unwrap().len(), 20);
}
