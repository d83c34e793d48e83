//! Which faces belong to which user.

use std::sync::{Arc, Mutex};

use lookalike_store::{
    AssociateFaces, AssociationFailure, DisassociationFailure, Entity, Quota, StoreError,
};
use uuid::Uuid;

use super::{World, all_faces, assert_fails, association, disassociation, ids};

pub async fn the_first_face_needs_no_likeness(mut world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 2).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let unlike =
        AssociateFaces { similarity: Arc::new(|_, _| 12.5), ..association(&staff, "ann", &faces) };
    let outcome = world.store.associate_faces(unlike.clone(), None).await.unwrap();
    assert_eq!(outcome.associated, [faces[0]]);
    assert_eq!(outcome.unsuccessful, [(faces[1], AssociationFailure::LowMatchConfidence(12.5))]);
    // The threshold itself is enough, and what is hers already is in neither list.
    let just = AssociateFaces { threshold: 12.5, ..unlike };
    let outcome = world.store.associate_faces(just, None).await.unwrap();
    assert_eq!((outcome.associated, outcome.unsuccessful), (vec![faces[1]], vec![]));
    world.reopen().await;
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap().unwrap().face_count, 2);
    assert_eq!(world.face(staff.key, faces[1]).await.unwrap().user_id.as_deref(), Some("ann"));
}

pub async fn later_faces_are_judged_against_all_so_far(world: World) {
    let staff = world.collection("staff").await;
    let faces = world.index(&staff, "photo", 5).await;
    let mut vectors = Vec::new();
    for face in &faces {
        vectors
            .push(world.store.face_vector(staff.key, face.face_id).await.unwrap().unwrap().vector);
    }
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let request = |face_ids: &[Uuid]| {
        let calls = Arc::clone(&calls);
        let refused = vectors[2].clone();
        AssociateFaces {
            similarity: Arc::new(move |user: &[Vec<f32>], face: &[f32]| {
                calls.lock().unwrap().push((user.to_vec(), face.to_vec()));
                if face == refused { 74.99 } else { 75.0 }
            }),
            ..association(&staff, "ann", face_ids)
        }
    };
    let order = [3, 2, 0].map(|index: usize| faces[index].face_id);
    let outcome = world.store.associate_faces(request(&order), None).await.unwrap();
    assert_eq!(outcome.associated, [faces[3].face_id, faces[0].face_id]);
    world.store.associate_faces(request(&[faces[4].face_id]), None).await.unwrap();
    let of =
        |indexes: &[usize]| indexes.iter().map(|index| vectors[*index].clone()).collect::<Vec<_>>();
    assert_eq!(
        *calls.lock().unwrap(),
        [
            (of(&[3]), vectors[2].clone()),
            (of(&[3]), vectors[0].clone()),
            (of(&[0, 3]), vectors[4].clone())
        ]
    );
}

pub async fn faces_have_one_user(world: World) {
    let staff = world.collection("staff").await;
    let foreign = ids(&world.index(&world.collection("visitors").await, "photo", 1).await)[0];
    let faces = ids(&world.index(&staff, "photo", 3).await);
    let unknown = Uuid::new_v4();
    world.store.create_user(&staff, "ann", None).await.unwrap();
    world.store.create_user(&staff, "bob", None).await.unwrap();
    world.store.associate_faces(association(&staff, "ann", &faces[..1]), None).await.unwrap();
    let request = [unknown, faces[0], faces[1], foreign, faces[1]];
    let outcome =
        world.store.associate_faces(association(&staff, "bob", &request), None).await.unwrap();
    assert_eq!(outcome.associated, [faces[1]]);
    assert_eq!(
        outcome.unsuccessful,
        [
            (unknown, AssociationFailure::FaceNotFound),
            (faces[0], AssociationFailure::AssociatedToADifferentUser("ann".to_owned())),
            (foreign, AssociationFailure::FaceNotFound),
        ]
    );
    assert_fails!(
        world.store.associate_faces(association(&staff, "nobody", &faces), None).await,
        StoreError::NotFound(Entity::User(_))
    );
}

pub async fn a_user_has_at_most_so_many_faces(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 101).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    world.store.associate_faces(association(&staff, "ann", &faces[..99]), None).await.unwrap();
    assert_fails!(
        world.store.associate_faces(association(&staff, "ann", &faces[99..]), None).await,
        StoreError::Quota(Quota::FacesPerUser)
    );
    assert_eq!(
        world.store.user(staff.key, "ann").await.unwrap().unwrap().face_count,
        99,
        "the refused call left a face"
    );
    world.store.associate_faces(association(&staff, "ann", &faces[..100]), None).await.unwrap();
    // A face that is refused for other reasons takes no room.
    let unlike = AssociateFaces {
        similarity: Arc::new(|_, _| 0.0),
        ..association(&staff, "ann", &faces[100..])
    };
    let outcome = world.store.associate_faces(unlike, None).await.unwrap();
    assert_eq!(outcome.unsuccessful, [(faces[100], AssociationFailure::LowMatchConfidence(0.0))]);
}

pub async fn disassociation_reports_each_face(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 4).await);
    let unknown = Uuid::new_v4();
    world.store.create_user(&staff, "ann", None).await.unwrap();
    world.store.create_user(&staff, "bob", None).await.unwrap();
    world.store.associate_faces(association(&staff, "ann", &faces[..2]), None).await.unwrap();
    world.store.associate_faces(association(&staff, "bob", &faces[2..3]), None).await.unwrap();
    let request = [faces[3], faces[1], unknown, faces[2], faces[1]];
    let outcome = world
        .store
        .disassociate_faces(disassociation(&staff, "ann", &request), None)
        .await
        .unwrap();
    assert_eq!(outcome.disassociated, [faces[1]]);
    assert_eq!(
        outcome.unsuccessful,
        [
            (unknown, DisassociationFailure::FaceNotFound),
            (faces[2], DisassociationFailure::AssociatedToADifferentUser("bob".to_owned())),
        ]
    );
    assert_eq!(world.store.user(staff.key, "ann").await.unwrap().unwrap().face_count, 1);
    world.store.disassociate_faces(disassociation(&staff, "ann", &faces[..1]), None).await.unwrap();
    assert!(!world.store.user(staff.key, "ann").await.unwrap().unwrap().is_active());
    assert_eq!(
        all_faces(&world, &staff).await.unwrap().len(),
        4,
        "disassociated faces stay in the collection"
    );
    assert_fails!(
        world.store.disassociate_faces(disassociation(&staff, "nobody", &faces), None).await,
        StoreError::NotFound(Entity::User(_))
    );
}

pub async fn failures_change_nothing(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 2).await);
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let too_many = ids(&world.index(&staff, "crowd", 101).await);
    let before = (world.look_up("staff").await, all_faces(&world, &staff).await.unwrap());
    assert_fails!(
        world.store.associate_faces(association(&staff, "ann", &too_many), None).await,
        StoreError::Quota(Quota::FacesPerUser)
    );
    let unknown = association(&staff, "ann", &[Uuid::new_v4()]);
    assert!(world.store.associate_faces(unknown, None).await.unwrap().associated.is_empty());
    assert_eq!((world.look_up("staff").await, all_faces(&world, &staff).await.unwrap()), before);
    assert!(!world.store.user(staff.key, "ann").await.unwrap().unwrap().is_active());
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    assert_fails!(
        world.store.associate_faces(association(&staff, "ann", &faces), None).await,
        StoreError::NotFound(Entity::Collection(_))
    );
    assert_fails!(
        world.store.disassociate_faces(disassociation(&staff, "ann", &faces), None).await,
        StoreError::NotFound(Entity::Collection(_))
    );
}
