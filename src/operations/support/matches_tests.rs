//! What goes between the scan and the look-up: for a gallery that does not hear of deletions, all
//! of them do.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::gallery::Gallery;
use lookalike_store::testing::server;
use lookalike_store::{
    AssociateFaces, BoundingBox, IndexFaces, Location, NewCollection, NewFace, PackId, Postgres,
    Revision, Sqlite, Tenant, VectorSource,
};

const PROBE: [f32; 2] = [1.0, 0.0];

fn tenant() -> Tenant {
    Tenant { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() }
}

/// Eight faces, each less like the probe than the one before, and a user `0`..`7` for each.
async fn staff(store: &dyn Store) -> (Collection, Vec<Face>) {
    let new = NewCollection {
        name: "staff".to_owned(),
        model_version: "7.0".to_owned(),
        pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
        tags: BTreeMap::new(),
    };
    let collection = store.create_collection(&tenant(), new).await.unwrap();
    let face = |ordinal: u16| {
        let angle = f32::from(ordinal) * 0.1;
        NewFace {
            face_id: Uuid::new_v4(),
            ordinal: ordinal.into(),
            bounding_box: BoundingBox { left: 0.1, top: 0.1, width: 0.5, height: 0.5 },
            confidence: 99.0,
            vector: vec![angle.cos(), angle.sin()],
        }
    };
    let request = IndexFaces {
        collection: collection.clone(),
        image_sha256: [0; 32],
        external_image_id: None,
        image_id: Uuid::nil(),
        model_version: "7.0".to_owned(),
        faces: (0..8).map(face).collect(),
    };
    let faces = store.index_faces(request).await.unwrap();
    (collection, faces)
}

async fn with_users(store: &dyn Store, collection: &Collection, faces: &[Face]) {
    for (number, face) in faces.iter().enumerate() {
        store.create_user(collection, &number.to_string(), None).await.unwrap();
        let request = AssociateFaces {
            collection: collection.clone(),
            user_id: number.to_string(),
            face_ids: vec![face.face_id],
            threshold: 0.0,
            similarity: Arc::new(|_, _| 100.0),
        };
        store.associate_faces(request, None).await.unwrap();
    }
}

fn up_to(most: usize) -> MatchOptions {
    MatchOptions { most, threshold: 0.0, except: None }
}

/// The gallery does not hear of what is deleted: for it, all deletions fall between the scan and
/// the look-up.
#[tokio::test]
async fn a_face_that_goes_during_a_search_leaves_its_place_to_the_next() {
    let store = Arc::new(Sqlite::open(&Location::Memory).await.unwrap());
    let (collection, faces) = staff(&*store).await;
    let gallery = Gallery::new(Arc::clone(&store) as Arc<dyn VectorSource>, 1).unwrap();
    let cluster = Cluster::alone(Arc::new(gallery));
    let search = async |options: MatchOptions| {
        let (best, _) =
            best::<Face>(&cluster, &*store, (&collection, false), &PROBE, -1.0, &options)
                .await
                .unwrap();
        best.into_iter().map(|(_, face)| face.row).collect::<Vec<_>>()
    };
    let rows: Vec<i64> = faces.iter().map(|face| face.row).collect();
    assert_eq!(search(up_to(2)).await, rows[..2]);
    store.delete_faces(&collection, &[faces[0].face_id]).await.unwrap();
    assert_eq!(search(up_to(1)).await, rows[1..2]);
    assert_eq!(search(up_to(1).except(rows[1])).await, rows[2..3]);
    store
        .delete_faces(&collection, &[faces[1].face_id, faces[2].face_id, faces[4].face_id])
        .await
        .unwrap();
    assert_eq!(search(up_to(2)).await, [rows[3], rows[5]]);
    assert_eq!(search(up_to(100)).await, [rows[3], rows[5], rows[6], rows[7]]);
}

#[tokio::test]
async fn a_user_that_goes_or_loses_its_faces_during_a_search_leaves_its_place_to_the_next() {
    let store = Arc::new(Sqlite::open(&Location::Memory).await.unwrap());
    let (collection, faces) = staff(&*store).await;
    with_users(&*store, &collection, &faces).await;
    let gallery = Gallery::new(Arc::clone(&store) as Arc<dyn VectorSource>, 1).unwrap();
    let cluster = Cluster::alone(Arc::new(gallery));
    let search = async |options: MatchOptions| {
        let (best, _) =
            best::<User>(&cluster, &*store, (&collection, false), &PROBE, -1.0, &options)
                .await
                .unwrap();
        best.into_iter().map(|(_, user)| user.user_id).collect::<Vec<_>>()
    };
    assert_eq!(search(up_to(2)).await, ["0", "1"]);
    store.delete_user(&collection, "0", None).await.unwrap();
    let loss = lookalike_store::DisassociateFaces {
        collection: collection.clone(),
        user_id: "1".to_owned(),
        face_ids: vec![faces[1].face_id],
    };
    store.disassociate_faces(loss, None).await.unwrap();
    assert_eq!(search(up_to(2)).await, ["2", "3"]);
}

/// A search of the faces and of the users as they were assumed to be: the rows, or none where they
/// are not so.
async fn assumed(
    cluster: &Cluster,
    store: &dyn Store,
    collection: &Collection,
) -> [Option<Vec<i64>>; 2] {
    let ground = (collection, true);
    let faces = best::<Face>(cluster, store, ground, &PROBE, -1.0, &up_to(2)).await;
    let users = best::<User>(cluster, store, ground, &PROBE, -1.0, &up_to(2)).await;
    let faces = faces.map(|(best, _)| best.into_iter().map(|(_, face)| face.row).collect());
    let users = users.map(|(best, _)| best.into_iter().map(|(_, user)| user.row).collect());
    [faces, users].map(|found| match found {
        Ok(rows) => Some(rows),
        Err(OperationError::Outdated) => None,
        Err(error) => panic!("{error:?}"),
    })
}

/// Another node writes when this one has scanned: its copy is of the state that it assumes, and the
/// database is not.
#[tokio::test]
async fn what_another_node_writes_between_the_scan_and_the_look_up_leaves_no_answer() {
    let address = server().schema().await.parse().unwrap();
    let here = Arc::new(Postgres::open(&address).await.unwrap());
    let there = Postgres::open(&address).await.unwrap();
    let (collection, faces) = staff(&*here).await;
    with_users(&*here, &collection, &faces).await;
    let users = here.list_users(collection.key, None, 10).await.unwrap();
    let gallery = Gallery::new(Arc::clone(&here) as Arc<dyn VectorSource>, 1).unwrap();
    let cluster = Cluster::alone(Arc::new(gallery));
    let mut seen = here.collection(&tenant(), "staff").await.unwrap();
    let two_faces = Some(vec![faces[0].row, faces[1].row]);
    let two_users = Some(vec![users[0].row, users[1].row]);
    let all = [two_faces, two_users];
    assert_eq!(assumed(&cluster, &*here, &seen).await, all);

    // Neither what is found nor what is not may be of an earlier state.
    for what in ["more", "less", "other"] {
        let old = seen.clone();
        match what {
            "more" => {
                let new = NewFace {
                    face_id: Uuid::new_v4(),
                    ordinal: 0,
                    bounding_box: faces[0].bounding_box,
                    confidence: 99.0,
                    vector: vec![0.0, 1.0],
                };
                let request = IndexFaces {
                    collection: collection.clone(),
                    image_sha256: [1; 32],
                    external_image_id: None,
                    image_id: Uuid::nil(),
                    model_version: "7.0".to_owned(),
                    faces: vec![new],
                };
                drop(there.index_faces(request).await.unwrap());
            }
            "less" => there.delete_user(&collection, "7", None).await.unwrap(),
            _ => drop(there.delete_faces(&collection, &[faces[7].face_id]).await.unwrap()),
        }
        assert_eq!(assumed(&cluster, &*here, &old).await, [None, None], "{what}");
        seen = here.collection(&tenant(), "staff").await.unwrap();
        assert_eq!(assumed(&cluster, &*here, &seen).await, all, "{what}");
    }
    // The same version of a history that a failover lost: no copy can be brought there.
    let Revision { version, nonce } = seen.revision;
    let lost = Collection { revision: Revision { version, nonce: !nonce }, ..seen.clone() };
    assert_eq!(assumed(&cluster, &*here, &lost).await, [None, None]);

    there.delete_collection(&tenant(), "staff").await.unwrap();
    assert_eq!(assumed(&cluster, &*here, &seen).await, [None, None]);
    let (_, faces) = staff(&there).await;
    let again = there.collection(&tenant(), "staff").await.unwrap();
    assert_eq!(assumed(&cluster, &*here, &seen).await, [None, None]);
    let rows = Some(vec![faces[0].row, faces[1].row]);
    assert_eq!(assumed(&cluster, &*here, &again).await[0], rows);
}

#[tokio::test]
async fn a_collection_that_goes_during_a_search_leaves_no_answer() {
    let store = Arc::new(Sqlite::open(&Location::Memory).await.unwrap());
    let (collection, faces) = staff(&*store).await;
    let gallery = Gallery::new(Arc::clone(&store) as Arc<dyn VectorSource>, 1).unwrap();
    let cluster = Cluster::alone(Arc::new(gallery));
    let rows = Some(vec![faces[0].row, faces[1].row]);
    assert_eq!(assumed(&cluster, &*store, &collection).await, [rows, Some(Vec::new())]);
    store.delete_collection(&tenant(), "staff").await.unwrap();
    staff(&*store).await;
    assert_eq!(assumed(&cluster, &*store, &collection).await, [None, None]);
}
