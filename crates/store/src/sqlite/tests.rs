//! Faults that only show from inside: the pragmas of the writing connection stand for a full disk
//! and a read-only file.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::SqlitePool;
use uuid::Uuid;

use super::{
    Location, Sqlite, associations, check, checksums, collections, export, faces, import, load,
    purge, tags, tokens, users,
};
use crate::open_error::OpenError;
use crate::report::Report;
use crate::tenant::Tenant;
use crate::{
    BoundingBox, Collection, FaceFilter, Failure, Idempotency, IndexFaces, NewCollection, NewFace,
    PackId, Quota, RowRange, Store, StoreError, VectorSource as _,
};

fn tenant() -> Tenant {
    Tenant { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() }
}

async fn with_collection(directory: &tempfile::TempDir) -> (Arc<Sqlite>, Collection) {
    let store = Sqlite::open(&Location::Directory(directory.path().to_owned())).await.unwrap();
    let new = NewCollection {
        name: "staff".to_owned(),
        model_version: "7.0".to_owned(),
        pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
        tags: BTreeMap::from([("key".to_owned(), "value".to_owned())]),
    };
    let collection = store.create_collection(&tenant(), new).await.unwrap();
    (Arc::new(store), collection)
}

fn image(collection: &Collection, number: u32, faces: u32) -> IndexFaces {
    let mut image_sha256 = [0; 32];
    image_sha256[..4].copy_from_slice(&number.to_le_bytes());
    let face = |ordinal| NewFace {
        face_id: Uuid::new_v4(),
        ordinal,
        bounding_box: BoundingBox { left: 0.1, top: 0.1, width: 0.5, height: 0.5 },
        confidence: 99.0,
        vector: vec![0.1; 128],
    };
    IndexFaces {
        collection: collection.clone(),
        image_sha256,
        external_image_id: Some(number.to_string()),
        image_id: Uuid::new_v4(),
        model_version: "7.0".to_owned(),
        faces: (0..faces).map(face).collect(),
    }
}

async fn number(database: &SqlitePool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn a_full_disk_refuses_and_keeps_what_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    let pages = number(&store.writer_connection, "PRAGMA page_count").await;
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 40));
    sqlx::query(limit).execute(&store.writer_connection).await.unwrap();
    let mut calls = Vec::new();
    for number in 0..200 {
        let (store, request) = (Arc::clone(&store), image(&collection, number, 3));
        calls.push(tokio::spawn(async move { store.index_faces(request).await }));
    }
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(faces) => acknowledged.extend(faces),
            Err(StoreError::Database { failure: Failure::DiskFull, .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 0, "the disk was not full");
    acknowledged.sort_by_key(|face| face.face_id);
    let list = || store.list_faces(collection.key, None, 4096, FaceFilter::default());
    assert_eq!(list().await.unwrap(), acknowledged);
    assert_eq!(
        store.collection(&tenant(), "staff").await.unwrap().face_count,
        acknowledged.len() as u64
    );

    sqlx::query("PRAGMA max_page_count = 1000000").execute(&store.writer_connection).await.unwrap();
    store.index_faces(image(&collection, 1000, 3)).await.unwrap();
    assert_eq!(list().await.unwrap().len(), acknowledged.len() + 3);
}

#[tokio::test]
async fn a_disk_with_too_little_room_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = with_collection(&directory).await;
    let files = store.files.as_ref().unwrap();
    files.check_space_of(1).unwrap();
    let full = files.check_space_of(u64::MAX);
    assert!(matches!(full, Err(StoreError::Database { failure: Failure::DiskFull, .. })));
}

#[tokio::test]
async fn a_read_only_database_refuses_writes_and_answers_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    sqlx::query("PRAGMA query_only = ON").execute(&store.writer_connection).await.unwrap();
    let error = store.index_faces(image(&collection, 1, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Database { failure: Failure::ReadOnly, .. }), "{error:?}");
    assert!(error.to_string().contains("read-only"));
    assert!(store.check_ready().await.is_err(), "ready, though no write can succeed");
    assert_eq!(store.collection(&tenant(), "staff").await.unwrap(), collection);
}

#[tokio::test]
async fn a_full_collection_refuses_the_whole_call() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    store.index_faces(image(&collection, 1, 2)).await.unwrap();
    // As if there were this many.
    sqlx::query("UPDATE collections SET face_count = 19999999")
        .execute(&store.writer_connection)
        .await
        .unwrap();
    let full = |result| matches!(result, Err(StoreError::Quota(Quota::FacesPerCollection)));
    assert!(full(store.index_faces(image(&collection, 2, 2)).await));
    assert!(full(store.index_faces(image(&collection, 1, 4)).await));
    let list = || store.list_faces(collection.key, None, 10, FaceFilter::default());
    assert_eq!(list().await.unwrap().len(), 2);
    store.index_faces(image(&collection, 1, 3)).await.unwrap();
    // Known faces add nothing, so they are welcome in a full collection.
    assert_eq!(store.index_faces(image(&collection, 1, 3)).await.unwrap().len(), 3);
    assert_eq!(store.collection(&tenant(), "staff").await.unwrap().face_count, 20_000_000);
}

#[tokio::test]
async fn a_failed_commit_fails_the_whole_batch() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    // A deferred constraint shows only at the commit: a trigger adds a tag of no collection with
    // each face.
    for statement in [
        "CREATE TABLE broken (collection INTEGER REFERENCES collections (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER break_commit AFTER INSERT ON faces WHEN new.ordinal = 7 BEGIN INSERT INTO broken VALUES (-1); END",
    ] {
        sqlx::query(statement).execute(&store.writer_connection).await.unwrap();
    }
    // Held, so that the writer finds all three together.
    let held = store.writer_connection.acquire().await.unwrap();
    let calls = [image(&collection, 1, 1), image(&collection, 2, 8), image(&collection, 3, 1)].map(
        |request| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.index_faces(request).await })
        },
    );
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(held);
    let mut acknowledged = 0;
    for call in calls {
        acknowledged += call.await.unwrap().map_or(0, |faces| faces.len() as u64);
    }
    assert!(acknowledged < 2, "the batch with the broken write was acknowledged");
    assert_eq!(store.collection(&tenant(), "staff").await.unwrap().face_count, acknowledged);
    store.index_faces(image(&collection, 4, 1)).await.unwrap();
}

#[tokio::test]
async fn deleted_collections_are_cleared_away_even_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    for number in 0..50 {
        store.index_faces(image(&collection, number, 100)).await.unwrap();
    }
    let token = Idempotency { tenant: tenant(), token: "t".to_owned(), request_hash: [1; 32] };
    store.create_user(&collection, "ann", Some(token)).await.unwrap();
    store.delete_collection(&tenant(), "staff").await.unwrap();
    // Closed with the work half done, at most.
    store.close().await;
    let store = Sqlite::open(&Location::Directory(directory.path().to_owned())).await.unwrap();
    let left = "SELECT (SELECT count(*) FROM collections) + (SELECT count(*) FROM faces) + (SELECT count(*) FROM vectors)
        + (SELECT count(*) FROM users) + (SELECT count(*) FROM tags) + (SELECT count(*) FROM tokens)";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while number(&store.readers, left).await > 0 {
        assert!(std::time::Instant::now() < deadline, "the deleted collection is still there");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_settings_that_durability_needs_are_on() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = with_collection(&directory).await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&store.writer_connection)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(number(&store.writer_connection, "PRAGMA synchronous").await, 2, "not FULL");
    assert_eq!(number(&store.writer_connection, "PRAGMA foreign_keys").await, 1);
}

/// The plans matter at a million faces, where a scan takes a thousand times as long.
#[tokio::test]
async fn no_query_scans_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    let mut queries: Vec<String> = [
        associations::QUERIES,
        checksums::QUERIES,
        collections::QUERIES,
        export::QUERIES,
        faces::QUERIES,
        import::QUERIES,
        load::QUERIES,
        purge::DELETIONS.as_slice(),
        tags::QUERIES,
        tokens::QUERIES,
        users::QUERIES,
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    // The page of ListFaces, with and without each of its conditions.
    for bits in 0..8 {
        let (after, user, ids) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
        let filter = FaceFilter {
            user_id: user.then(|| "ann".to_owned()),
            face_ids: ids.then(|| vec![Uuid::nil(); 3]),
        };
        let query = faces::list_query(collection.key, after.then(Uuid::nil), 10, filter).sql();
        queries.push(query.as_str().to_owned());
    }
    for query in queries {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&store.readers).await.unwrap();
        for (_, _, _, step) in plan {
            // `page` is a subquery of a limited number of rows.
            let is_short = step.contains("VIRTUAL TABLE") || step == "SCAN page";
            assert!(!step.starts_with("SCAN") || is_short, "{step} in {query}");
            // Of the rows asked for, or of the at most hundred faces of a user.
            let sorts_little =
                query.contains("ORDER BY wanted.key") || query.contains("INDEXED BY faces_by_user");
            assert!(sorts_little || !step.contains("TEMP B-TREE"), "{step} in {query}");
        }
    }
}

#[tokio::test]
async fn a_damaged_vector_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, collection) = with_collection(&directory).await;
    let faces = store.index_faces(image(&collection, 1, 3)).await.unwrap();
    let fine = check(directory.path()).await;
    assert!(matches!(fine, Err(OpenError::InUse(_))), "{fine:?}");
    // One bit, in the middle of the second vector.
    let flip = "UPDATE vectors SET vector = CAST(substr(vector, 1, 255) || x'01' || substr(vector, 257) AS BLOB) WHERE face = ?";
    let flipped = sqlx::query(flip).bind(faces[1].row).execute(&store.writer_connection).await;
    assert_eq!(flipped.unwrap().rows_affected(), 1);
    let damaged =
        |result| matches!(result, Err(StoreError::DamagedVector(row)) if row == faces[1].row);
    let mut shown = 0;
    assert!(damaged(
        store.load_faces(collection.key, RowRange::ALL, &mut |_, _| shown += 1).await.map(drop)
    ));
    let vector = |index: usize| store.face_vector(collection.key, faces[index].face_id);
    assert!(damaged(vector(1).await.map(drop)) && vector(0).await.is_ok());
    store.close().await;

    let report = check(directory.path()).await.unwrap();
    let text = format!("the vector of face {} in collection staff is damaged", faces[1].face_id);
    assert_eq!(report, Report { collections: 1, faces: 3, damage: vec![text] });
    // The way out, but for a backup.
    let store = Sqlite::open(&Location::Directory(directory.path().to_owned())).await.unwrap();
    store.delete_faces(&collection, &[faces[1].face_id]).await.unwrap();
    store.load_faces(collection.key, RowRange::ALL, &mut |_, _| shown += 1).await.unwrap();
    store.close().await;
    assert!(check(directory.path()).await.unwrap().damage.is_empty());
}

#[tokio::test]
async fn a_check_finds_what_does_not_fit_together() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = check(&directory.path().join("none")).await;
    assert!(matches!(nothing, Err(OpenError::Directory { .. })), "{nothing:?}");
    assert!(!directory.path().join("none").exists(), "a check made a folder");
    let (store, collection) = with_collection(&directory).await;
    store.index_faces(image(&collection, 1, 3)).await.unwrap();
    for harm in [
        "DELETE FROM vectors WHERE face = 1",
        "DELETE FROM faces WHERE id = 2",
        "UPDATE collections SET user_count = 7",
    ] {
        sqlx::query(harm).execute(&store.writer_connection).await.unwrap();
    }
    store.close().await;
    let damage = check(directory.path()).await.unwrap().damage.join("\n");
    for expected in [
        " has no vector",
        "a vector of collection staff has no face",
        "the collection staff counts 3 faces and holds 2",
        "the collection staff counts 7 users and holds 0",
    ] {
        assert!(damage.contains(expected), "{expected} in {damage}");
    }
}
