//! CreateCollection, DescribeCollection, ListCollections, DeleteCollection.

use serde_json::{Value, json};

use crate::support::{TestServer, bytes, faces::Photo};

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_made_described_and_deleted() {
    let server = TestServer::start().await;
    let made = server.ok("CreateCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(
        made,
        json!({ "StatusCode": 200, "CollectionArn": "aws:rekognition:us-east-1:000000000000:collection/staff", "FaceModelVersion": "7.0" })
    );

    let described = server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(described["FaceCount"], 0);
    assert_eq!(described["UserCount"], 0);
    assert_eq!(described["FaceModelVersion"], "7.0");
    assert_eq!(
        described["CollectionARN"],
        "arn:aws:rekognition:us-east-1:000000000000:collection/staff"
    );
    let age =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
            - described["CreationTimestamp"].as_f64().expect("epoch seconds");
    assert!((-1.0..60.0).contains(&age), "created {age} seconds ago");

    assert_eq!(
        server.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await,
        json!({ "StatusCode": 200 })
    );
    for (operation, text) in [
        ("DescribeCollection", "Collection:staff not found!"),
        ("DeleteCollection", "The collection id: staff does not exist"),
        ("ListFaces", "The collection id: staff does not exist"),
    ] {
        let refusal = server.refusal(operation, json!({ "CollectionId": "staff" })).await;
        assert_eq!(refusal, ("ResourceNotFoundException".to_owned(), text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once_and_letter_case_counts() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let refusal = server.refusal("CreateCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(
        refusal,
        (
            "ResourceAlreadyExistsException".to_owned(),
            "The collection id: staff already exists".to_owned()
        )
    );
    server.collection("Staff").await;
    server.collection("12345").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_collection_comes_back_empty() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let photo = Photo::of(1, 0).jpeg();
    server.index_one("staff", &photo).await;
    server.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    server.collection("staff").await;
    assert_eq!(
        server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await["FaceCount"],
        0
    );
    let found = server
        .ok("SearchFacesByImage", json!({ "CollectionId": "staff", "Image": bytes(&photo) }))
        .await;
    assert_eq!(found["FaceMatches"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_see_only_their_own() {
    let server = TestServer::start().await;
    let create = json!({ "CollectionId": "staff" });
    assert_eq!(server.call_as("eu-west-1", "CreateCollection", create.clone()).await.status, 200);
    assert_eq!(server.call_as("us-west-2", "DescribeCollection", create.clone()).await.status, 400);
    assert_eq!(server.call_as("us-west-2", "CreateCollection", create).await.status, 200);
    let listed = server.call_as("eu-west-1", "ListCollections", json!({})).await.body;
    assert_eq!(listed, json!({ "CollectionIds": ["staff"], "FaceModelVersions": ["7.0"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let server = TestServer::start().await;
    assert_eq!(
        server.ok("ListCollections", json!({})).await,
        json!({ "CollectionIds": [], "FaceModelVersions": [] })
    );
    // The longest names still leave room for a token of 255 characters.
    let names: Vec<String> = (0..7).map(|index| format!("{index}{}", "x".repeat(254))).collect();
    for name in &names {
        server.collection(name).await;
    }
    let mut listed = Vec::new();
    let mut token = Value::Null;
    loop {
        let page =
            server.ok("ListCollections", json!({ "MaxResults": 3, "NextToken": token })).await;
        let ids = page["CollectionIds"].as_array().unwrap().clone();
        assert_eq!(page["FaceModelVersions"].as_array().unwrap().len(), ids.len());
        assert!(!ids.is_empty() && ids.len() <= 3);
        listed.extend(ids);
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
        assert!(token.as_str().unwrap().len() <= 255);
    }
    assert_eq!(listed, names);

    let refusal = server.refusal("ListCollections", json!({ "NextToken": "made-up" })).await;
    assert_eq!(
        refusal,
        ("InvalidPaginationTokenException".to_owned(), "Invalid Pagination Token".to_owned())
    );
}
