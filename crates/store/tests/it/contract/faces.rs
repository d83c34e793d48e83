//! Faces: kept, listed and found.

use std::sync::Arc;

use lookalike_store::{Entity, FaceFilter, IndexFaces, StoreError};
use uuid::Uuid;

use super::{World, all_faces, assert_fails, association, ids, image_of};

pub async fn faces_come_back_as_they_went_in(mut world: World) {
    let staff = world.collection("staff").await;
    let request = image_of(&staff, "photo", Some("ann.jpg"), 3);
    let faces = world.store.index_faces(request.clone()).await.unwrap();
    assert_eq!(faces.len(), 3);
    world.reopen().await;
    for (new, face) in request.faces.iter().zip(&faces) {
        assert_eq!(face.face_id.get_version_num(), 4);
        assert_eq!(face.image_id, request.image_id);
        assert_eq!(face.external_image_id.as_deref(), Some("ann.jpg"));
        assert_eq!((face.bounding_box, face.confidence), (new.bounding_box, new.confidence));
        assert_eq!((face.model_version.as_str(), &face.user_id), ("7.0", &None));
        assert_eq!(world.face(staff.key, face.face_id).await.as_ref(), Some(face));
        let vector = world.store.face_vector(staff.key, face.face_id).await.unwrap().unwrap();
        assert_eq!(vector.row, face.row);
        let bits = |vector: &[f32]| vector.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&vector.vector), bits(&new.vector));
    }
    assert_eq!(world.look_up("staff").await.face_count, 3);
    assert_eq!(world.face(staff.key, Uuid::new_v4()).await, None);
    assert_eq!(world.store.face_vector(staff.key, Uuid::new_v4()).await.unwrap(), None);
}

pub async fn the_same_image_is_kept_once(mut world: World) {
    let staff = world.collection("staff").await;
    let plain = world.index(&staff, "photo", 2).await;
    let named = world.store.index_faces(image_of(&staff, "photo", Some("ann"), 2)).await.unwrap();
    let named_else =
        world.store.index_faces(image_of(&staff, "photo", Some("bob"), 2)).await.unwrap();
    let other_image = world.index(&staff, "photo2", 2).await;
    let mut all = [&plain[..], &named, &named_else, &other_image].concat();
    assert_eq!(world.look_up("staff").await.face_count, 8);

    world.reopen().await;
    assert_eq!(world.index(&staff, "photo", 2).await, plain);
    let mut with_other_values = image_of(&staff, "photo", Some("ann"), 2);
    with_other_values.faces[0].confidence = 1.0;
    with_other_values.faces[0].vector = vec![1.0, 0.0, 0.0, 0.0];
    assert_eq!(world.store.index_faces(with_other_values).await.unwrap(), named);
    all.sort_by_key(|face| face.face_id);
    assert_eq!(all_faces(&world, &staff).await.unwrap(), all);
    assert_eq!(world.look_up("staff").await.face_count, 8);
}

pub async fn a_mixed_call_returns_old_and_new(world: World) {
    let staff = world.collection("staff").await;
    let largest = world.index(&staff, "photo", 1).await;
    let faces = world.index(&staff, "photo", 3).await;
    assert_eq!(faces[0], largest[0]);
    assert_eq!(world.look_up("staff").await.face_count, 3);
    // In the order given, whichever that is.
    let mut request = image_of(&staff, "photo", None, 4);
    request.faces.reverse();
    let reversed = world.store.index_faces(request).await.unwrap();
    assert_eq!(ids(&reversed[1..]), ids(&faces).into_iter().rev().collect::<Vec<_>>());
    // No face at all is fine.
    assert!(world.index(&staff, "empty", 0).await.is_empty());
}

pub async fn a_dropped_collection_takes_no_faces(world: World) {
    let staff = world.collection("staff").await;
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    let call = world.store.index_faces(image_of(&staff, "photo", None, 1)).await;
    assert_fails!(call, StoreError::NotFound(Entity::Collection(_)));
    world.collection("staff").await;
    let call = world.store.index_faces(image_of(&staff, "photo", None, 0)).await;
    assert_fails!(call, StoreError::NotFound(Entity::Collection(_)));
}

pub async fn pages_follow_the_face_ids(world: World) {
    let staff = world.collection("staff").await;
    let mut expected = ids(&world.index(&staff, "photo", 25).await);
    expected.sort();
    let mut seen: Vec<Uuid> = Vec::new();
    loop {
        let page = world
            .store
            .list_faces(staff.key, seen.last().copied(), 10, FaceFilter::default())
            .await
            .unwrap();
        seen.extend(ids(&page));
        if page.len() < 10 {
            break;
        }
    }
    assert_eq!(seen, expected);
    assert!(
        world.store.list_faces(staff.key, None, 0, FaceFilter::default()).await.unwrap().is_empty()
    );
}

pub async fn filters_are_joined_by_and(world: World) {
    let staff = world.collection("staff").await;
    let faces = ids(&world.index(&staff, "photo", 6).await);
    let elsewhere = ids(&world.index(&world.collection("visitors").await, "photo", 1).await);
    for (user_id, face_ids) in [("ann", &faces[..3]), ("bob", &faces[3..5])] {
        world.store.create_user(&staff, user_id, None).await.unwrap();
        let request = association(&staff, user_id, face_ids);
        world.store.associate_faces(request, None).await.unwrap();
    }
    let list = async |user_id: Option<&str>, face_ids: Option<Vec<Uuid>>, after: Option<Uuid>| {
        let filter = FaceFilter { user_id: user_id.map(str::to_owned), face_ids };
        world.store.list_faces(staff.key, after, 100, filter).await.unwrap()
    };
    let sorted = |face_ids: &[Uuid]| {
        let mut sorted = face_ids.to_vec();
        sorted.sort();
        sorted
    };
    let of_ann = list(Some("ann"), None, None).await;
    assert_eq!(ids(&of_ann), sorted(&faces[..3]));
    assert!(of_ann.iter().all(|face| face.user_id.as_deref() == Some("ann")));
    assert_eq!(ids(&list(Some("ann"), None, Some(of_ann[0].face_id)).await), ids(&of_ann[1..]));
    // Unknown ids and repeated ones are skipped.
    let asked = vec![faces[5], faces[0], faces[5], Uuid::new_v4(), elsewhere[0]];
    assert_eq!(ids(&list(None, Some(asked.clone()), None).await), sorted(&[faces[0], faces[5]]));
    assert_eq!(ids(&list(Some("ann"), Some(asked.clone()), None).await), [faces[0]]);
    assert!(list(Some("bob"), Some(asked), None).await.is_empty());
    assert!(list(Some("nobody"), None, None).await.is_empty());
    assert!(list(None, Some(Vec::new()), None).await.is_empty());
}

pub async fn rows_keep_their_order(world: World) {
    let staff = world.collection("staff").await;
    let mut faces = Vec::new();
    for image in ["one", "two", "three"] {
        faces.extend(world.index(&staff, image, 100).await);
    }
    faces.sort_by_key(|face| face.face_id);
    let mut rows: Vec<i64> = faces.iter().map(|face| face.row).collect();
    rows.insert(7, i64::MAX);
    assert_eq!(world.store.faces_by_rows(staff.key, &rows).await.unwrap(), faces);
    assert!(world.store.faces_by_rows(staff.key, &[]).await.unwrap().is_empty());
}

pub async fn pages_stay_whole_while_others_write(world: World) {
    let staff = world.collection("staff").await;
    let mut expected = ids(&world.index(&staff, "before", 60).await);
    expected.sort();
    let store = Arc::clone(&world.store);
    let requests: Vec<IndexFaces> =
        (0..40).map(|n| image_of(&staff, &format!("during {n}"), None, 3)).collect();
    let writing = tokio::spawn(async move {
        for request in requests {
            store.index_faces(request).await.unwrap();
        }
    });
    let mut seen: Vec<Uuid> = Vec::new();
    loop {
        let page = world
            .store
            .list_faces(staff.key, seen.last().copied(), 5, FaceFilter::default())
            .await
            .unwrap();
        seen.extend(ids(&page));
        if page.len() < 5 {
            break;
        }
    }
    writing.await.unwrap();
    assert!(seen.is_sorted_by(|a, b| a < b), "out of order or doubled");
    seen.retain(|id| expected.binary_search(id).is_ok());
    assert_eq!(seen, expected, "a face that was there all the time is missing");
}
