//! ListFaces.

use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::faces::{Photo, group};

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_listed_by_id_in_pages() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    server.index("staff", &group(&[120, 130, 140, 150]).jpeg()).await;
    let mut listed: Vec<Value> = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = server
            .ok(
                "ListFaces",
                json!({ "CollectionId": "staff", "MaxResults": 3, "NextToken": token }),
            )
            .await;
        assert_eq!(page["FaceModelVersion"], "7.0");
        listed.extend(page["Faces"].as_array().unwrap().clone());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
        let other = json!({ "CollectionId": "staff", "UserId": "someone", "NextToken": token });
        assert_eq!(
            server.refusal("ListFaces", other).await.0,
            "InvalidPaginationTokenException",
            "a token fits its own list"
        );
    }
    assert_eq!(listed.len(), 4);
    assert!(listed.is_sorted_by(|a, b| a["FaceId"].as_str() < b["FaceId"].as_str()));
    let everything =
        server.ok("ListFaces", json!({ "CollectionId": "staff", "MaxResults": 0 })).await;
    assert_eq!(everything["Faces"], Value::Array(listed));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_numbers_have_six_significant_digits() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let fresh =
        server.index("staff", &Photo::of(1, 0).jpeg()).await["FaceRecords"][0]["Face"].clone();
    let listed =
        server.ok("ListFaces", json!({ "CollectionId": "staff" })).await["Faces"][0].clone();
    assert_eq!(listed["IndexFacesModelVersion"], "7.0");
    for (fresh, stored) in [
        (&fresh["BoundingBox"]["Width"], &listed["BoundingBox"]["Width"]),
        (&fresh["BoundingBox"]["Left"], &listed["BoundingBox"]["Left"]),
        (&fresh["Confidence"], &listed["Confidence"]),
    ] {
        let (fresh, stored) = (fresh.as_f64().unwrap(), stored.as_f64().unwrap());
        let rounded: f32 = format!("{fresh:.5e}").parse().unwrap();
        assert_eq!(stored, f64::from(rounded));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let one = server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
    let two = server.index_one("staff", &Photo::of(2, 0).jpeg()).await;
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "u" })).await;
    server
        .ok("AssociateFaces", json!({ "CollectionId": "staff", "UserId": "u", "FaceIds": [one] }))
        .await;
    let ids = |answer: Value| -> Vec<String> {
        answer["Faces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|face| face["FaceId"].as_str().unwrap().to_owned())
            .collect()
    };
    let list = |filter: Value| {
        let mut input = json!({ "CollectionId": "staff" });
        input.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        server.ok("ListFaces", input)
    };
    let nobody = "00000000-0000-4000-8000-000000000000";
    assert_eq!(ids(list(json!({ "UserId": "u" })).await), std::slice::from_ref(&one));
    assert_eq!(list(json!({ "UserId": "u" })).await["Faces"][0]["UserId"], "u");
    assert_eq!(ids(list(json!({ "UserId": "stranger" })).await), Vec::<String>::new());
    assert_eq!(ids(list(json!({ "FaceIds": [two, nobody] })).await), std::slice::from_ref(&two));
    assert_eq!(ids(list(json!({ "UserId": "u", "FaceIds": [two] })).await), Vec::<String>::new());
}
