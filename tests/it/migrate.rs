//! `lookalike migrate`: a data folder goes into a database, once.

use lookalike::migrate::{MigrateError, run};
use lookalike_store::testing::server;
use serde_json::json;

use crate::support::faces::{Photo, group};
use crate::support::{TestServer, bytes};

#[tokio::test(flavor = "multi_thread")]
async fn a_migrated_folder_answers_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let photo = bytes(&Photo::of(1, 0).jpeg());
    let probe = json!({ "CollectionId": "staff", "Image": photo, "FaceMatchThreshold": 0 });
    let (listed, found, users) = {
        let server = TestServer::with(&["--data", data, "--workers", "1"]).await;
        server.collection("staff").await;
        server.collection("empty").await;
        server.index("staff", &group(&[100, 110, 120]).jpeg()).await;
        let face = server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
        server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "ann" })).await;
        let give = json!({ "CollectionId": "staff", "UserId": "ann", "FaceIds": [face] });
        server.ok("AssociateFaces", give).await;
        let answers = (
            server.ok("ListFaces", json!({ "CollectionId": "staff" })).await,
            server.ok("SearchFacesByImage", probe.clone()).await,
            server.ok("SearchUsersByImage", probe.clone()).await,
        );
        server.store().close().await;
        answers
    };
    let address = server().schema().await;
    run(folder.path(), &address).await.unwrap();
    run(folder.path(), &address).await.unwrap();
    let server = TestServer::with(&["--data", &address, "--workers", "1"]).await;
    assert_eq!(server.ok("ListFaces", json!({ "CollectionId": "staff" })).await, listed);
    assert_eq!(server.ok("SearchFacesByImage", probe.clone()).await, found);
    assert_eq!(server.ok("SearchUsersByImage", probe).await, users);
    let collections = server.ok("ListCollections", json!({})).await;
    assert_eq!(collections["CollectionIds"], json!(["staff", "empty"]));

    // What has changed since is not overwritten.
    server.index("staff", &Photo::of(7, 0).jpeg()).await;
    let refused = run(folder.path(), &address).await;
    assert!(matches!(refused, Err(MigrateError::Different(_))), "{refused:?}");
    let refused = run(folder.path(), "elsewhere").await;
    assert!(matches!(refused, Err(MigrateError::NoAddress(_))), "{refused:?}");
}
