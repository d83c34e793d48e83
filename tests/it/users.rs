//! Users: CreateUser, DeleteUser, ListUsers, AssociateFaces, DisassociateFaces, SearchUsers,
//! SearchUsersByImage.

use serde_json::{Value, json};

use crate::support::faces::{Photo, group};
use crate::support::{TestServer, bytes};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A server with a collection, a user and pictures of persons 1 and 2, two each.
async fn staff() -> (TestServer, Vec<String>) {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let mut faces = Vec::new();
    for (person, picture) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        faces.push(server.index_one("staff", &Photo::of(person, picture).jpeg()).await);
    }
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "one" })).await;
    (server, faces)
}

fn associate(user: &str, faces: &[&String]) -> Value {
    json!({ "CollectionId": "staff", "UserId": user, "FaceIds": faces })
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_made_listed_and_deleted() {
    let (server, faces) = staff().await;
    let refusal =
        server.refusal("CreateUser", json!({ "CollectionId": "staff", "UserId": "one" })).await;
    assert_eq!(refusal.0, "ConflictException");
    assert_eq!(
        server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "two" })).await,
        json!({})
    );
    let page = server.ok("ListUsers", json!({ "CollectionId": "staff", "MaxResults": 1 })).await;
    assert_eq!(page["Users"], json!([{ "UserId": "one", "UserStatus": "CREATED" }]));
    let rest = server
        .ok("ListUsers", json!({ "CollectionId": "staff", "NextToken": page["NextToken"] }))
        .await;
    assert_eq!(rest, json!({ "Users": [{ "UserId": "two", "UserStatus": "CREATED" }] }));
    assert_eq!(
        server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await["UserCount"],
        2
    );

    server.ok("AssociateFaces", associate("one", &[&faces[0]])).await;
    assert_eq!(
        server.ok("DeleteUser", json!({ "CollectionId": "staff", "UserId": "one" })).await,
        json!({})
    );
    let refusal =
        server.refusal("DeleteUser", json!({ "CollectionId": "staff", "UserId": "one" })).await;
    assert_eq!(refusal.0, "ResourceNotFoundException");
    let listed =
        server.ok("ListFaces", json!({ "CollectionId": "staff", "FaceIds": [faces[0]] })).await;
    assert!(listed["Faces"][0].get("UserId").is_none(), "the face stays, without a user");
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_given_to_a_user_and_each_failure_has_its_reason() {
    let (server, faces) = staff().await;
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "two" })).await;
    let answer = server.ok("AssociateFaces", associate("one", &[&faces[0], &faces[1]])).await;
    assert_eq!(
        answer,
        json!({
            "AssociatedFaces": [{ "FaceId": faces[0] }, { "FaceId": faces[1] }],
            "UnsuccessfulFaceAssociations": [], "UserStatus": "UPDATING"
        })
    );
    let users = server.ok("ListUsers", json!({ "CollectionId": "staff" })).await;
    assert_eq!(users["Users"][0], json!({ "UserId": "one", "UserStatus": "ACTIVE" }));

    server.ok("AssociateFaces", associate("two", &[&faces[2]])).await;
    let answer = server
        .ok(
            "AssociateFaces",
            associate("one", &[&faces[0], &faces[2], &faces[3], &NOBODY.to_owned()]),
        )
        .await;
    assert_eq!(answer["AssociatedFaces"], json!([]));
    assert_eq!(answer["UserStatus"], "ACTIVE");
    let failures = answer["UnsuccessfulFaceAssociations"].as_array().unwrap();
    assert_eq!(failures.len(), 3, "a face that is the user's already is in neither list");
    assert_eq!(
        failures[0],
        json!({ "FaceId": faces[2], "UserId": "two", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"] })
    );
    assert_eq!(failures[1]["Reasons"], json!(["LOW_MATCH_CONFIDENCE"]));
    assert!(failures[1]["Confidence"].as_f64().unwrap() < 75.0);
    assert_eq!(failures[2], json!({ "FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_taken_from_a_user() {
    let (server, faces) = staff().await;
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "two" })).await;
    server.ok("AssociateFaces", associate("one", &[&faces[0]])).await;
    server.ok("AssociateFaces", associate("two", &[&faces[2]])).await;
    let answer = server
        .ok(
            "DisassociateFaces",
            associate("one", &[&faces[0], &faces[1], &faces[2], &NOBODY.to_owned()]),
        )
        .await;
    assert_eq!(
        answer,
        json!({
            "DisassociatedFaces": [{ "FaceId": faces[0] }],
            "UnsuccessfulFaceDisassociations": [
                { "FaceId": faces[2], "UserId": "two", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"] },
                { "FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"] }
            ],
            "UserStatus": "UPDATING"
        })
    );
    let users = server.ok("ListUsers", json!({ "CollectionId": "staff" })).await;
    assert_eq!(users["Users"][0]["UserStatus"], "CREATED", "the last face is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_a_repeated_call_harmless() {
    let (server, _) = staff().await;
    let create = |user: &str| json!({ "CollectionId": "staff", "UserId": user, "ClientRequestToken": "t-1" });
    server.ok("CreateUser", create("two")).await;
    server.ok("CreateUser", create("two")).await;
    let refusal = server.refusal("CreateUser", create("three")).await;
    let text = "The ClientRequestToken: t-1 you have supplied is already in use.";
    assert_eq!(refusal, ("IdempotentParameterMismatchException".to_owned(), text.to_owned()));
    let delete = json!({ "CollectionId": "staff", "UserId": "two", "ClientRequestToken": "t-1" });
    server.ok("DeleteUser", delete.clone()).await;
    server.ok("DeleteUser", delete).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_answers_as_the_first_time_whatever_became_of_the_user() {
    let (server, faces) = staff().await;
    let call = |token: &str, faces: &[&String]| {
        let mut input = associate("one", faces);
        input["ClientRequestToken"] = token.into();
        input
    };
    let (done, nothing) = (call("t-1", &[&faces[0]]), call("t-2", &[&faces[0]]));
    let mut answers = Vec::new();
    for (operation, input, status) in [
        ("AssociateFaces", &done, "UPDATING"),
        ("AssociateFaces", &nothing, "ACTIVE"),
        ("DisassociateFaces", &done, "UPDATING"),
        ("DisassociateFaces", &nothing, "CREATED"),
    ] {
        let answer = server.ok(operation, input.clone()).await;
        assert_eq!(answer["UserStatus"], status);
        answers.push((operation, input, answer));
    }
    for (operation, input, answer) in &answers {
        assert_eq!(
            server.ok(operation, Value::clone(input)).await,
            *answer,
            "the user has changed since"
        );
    }
    server.ok("DeleteUser", json!({ "CollectionId": "staff", "UserId": "one" })).await;
    for (operation, input, answer) in &answers {
        assert_eq!(server.ok(operation, Value::clone(input)).await, *answer, "the user is gone");
    }
    let refusal = server.refusal("AssociateFaces", call("t-3", &[&faces[0]])).await;
    assert_eq!(refusal.0, "ResourceNotFoundException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_forgotten_with_its_collection() {
    let (server, _) = staff().await;
    let create = json!({ "CollectionId": "staff", "UserId": "two", "ClientRequestToken": "t-1" });
    server.ok("CreateUser", create.clone()).await;
    server.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    server.collection("staff").await;
    server.ok("CreateUser", create).await;
    let listed = server.ok("ListUsers", json!({ "CollectionId": "staff" })).await;
    assert_eq!(listed["Users"], json!([{ "UserId": "two", "UserStatus": "CREATED" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_face_by_user_and_by_image() {
    let (server, faces) = staff().await;
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "also-one" })).await;
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "faceless" })).await;
    server.ok("AssociateFaces", associate("one", &[&faces[0]])).await;
    server.ok("AssociateFaces", associate("also-one", &[&faces[1]])).await;

    let by_face =
        server.ok("SearchUsers", json!({ "CollectionId": "staff", "FaceId": faces[0] })).await;
    assert_eq!(by_face["SearchedFace"], json!({ "FaceId": faces[0] }));
    assert!(by_face.get("SearchedUser").is_none());
    assert_eq!(
        by_face["UserMatches"][0]["User"],
        json!({ "UserId": "one", "UserStatus": "ACTIVE" })
    );
    assert!(by_face["UserMatches"][0]["Similarity"].as_f64().unwrap() > 99.9);

    let by_user = server
        .ok(
            "SearchUsers",
            json!({ "CollectionId": "staff", "UserId": "one", "UserMatchThreshold": 0 }),
        )
        .await;
    assert_eq!(by_user["SearchedUser"], json!({ "UserId": "one" }));
    let names: Vec<&Value> = by_user["UserMatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["User"]["UserId"])
        .collect();
    assert_eq!(names, ["also-one"], "neither the user itself nor one without faces");

    let image = bytes(&group(&[150, 260]).jpeg());
    let by_image = server
        .ok("SearchUsersByImage", json!({ "CollectionId": "staff", "Image": image, "UserMatchThreshold": 0, "MaxUsers": 1 }))
        .await;
    assert_eq!(by_image["UserMatches"].as_array().unwrap().len(), 1);
    assert!(by_image["SearchedFace"]["FaceDetail"]["BoundingBox"]["Left"].as_f64().unwrap() > 0.3);
    assert_eq!(by_image["UnsearchedFaces"][0]["Reasons"], json!(["FACE_NOT_LARGEST"]));

    let nothing =
        json!({ "CollectionId": "staff", "Image": bytes(&Photo::empty(300, 300).jpeg()) });
    let answer = server.ok("SearchUsersByImage", nothing).await;
    assert_eq!(
        answer,
        json!({ "UserMatches": [], "FaceModelVersion": "7.0", "UnsearchedFaces": [] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_needs_one_face_or_one_user() {
    let (server, faces) = staff().await;
    for input in [
        json!({ "CollectionId": "staff" }),
        json!({ "CollectionId": "staff", "FaceId": faces[0], "UserId": "one" }),
    ] {
        let refusal = server.refusal("SearchUsers", input).await;
        assert_eq!(
            refusal,
            ("InvalidParameterException".to_owned(), "Request has invalid parameters".to_owned())
        );
    }
    let stranger = json!({ "CollectionId": "staff", "UserId": "stranger" });
    assert_eq!(server.refusal("SearchUsers", stranger).await.0, "ResourceNotFoundException");
}
