//! DeleteFaces.

use serde_json::json;

use crate::support::faces::Photo;
use crate::support::{TestServer, bytes};

#[tokio::test(flavor = "multi_thread")]
async fn deleted_faces_are_gone_from_lists_and_searches() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let photo = Photo::of(1, 0).jpeg();
    let one = server.index_one("staff", &photo).await;
    let two = server.index_one("staff", &Photo::of(2, 0).jpeg()).await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    let answer = server
        .ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": [one, nobody, one] }))
        .await;
    assert_eq!(
        answer,
        json!({ "DeletedFaces": [one], "UnsuccessfulFaceDeletions": [{ "FaceId": nobody, "Reasons": ["FACE_NOT_FOUND"] }] })
    );
    let listed = server.ok("ListFaces", json!({ "CollectionId": "staff" })).await;
    assert_eq!(listed["Faces"].as_array().unwrap().len(), 1);
    assert_eq!(listed["Faces"][0]["FaceId"], two);
    let found = server
        .ok("SearchFacesByImage", json!({ "CollectionId": "staff", "Image": bytes(&photo) }))
        .await;
    assert_eq!(found["FaceMatches"], json!([]));
    assert_eq!(
        server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await["FaceCount"],
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_of_a_user_stays() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let face = server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "u" })).await;
    server
        .ok("AssociateFaces", json!({ "CollectionId": "staff", "UserId": "u", "FaceIds": [face] }))
        .await;
    let delete = json!({ "CollectionId": "staff", "FaceIds": [face] });
    let answer = server.ok("DeleteFaces", delete.clone()).await;
    let refused =
        json!([{ "FaceId": face, "UserId": "u", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"] }]);
    assert_eq!(answer, json!({ "DeletedFaces": [], "UnsuccessfulFaceDeletions": refused }));
    server
        .ok(
            "DisassociateFaces",
            json!({ "CollectionId": "staff", "UserId": "u", "FaceIds": [face] }),
        )
        .await;
    assert_eq!(server.ok("DeleteFaces", delete).await["DeletedFaces"], json!([face]));
}
