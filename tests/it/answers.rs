//! Declared answers: faces, matches and errors without inference.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::TestServer;
use crate::support::faces::Photo;

/// Bytes that are no image at all.
fn image(text: &str) -> Value {
    json!({ "Bytes": STANDARD.encode(text) })
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

async fn declare(server: &TestServer, answers: Value) {
    let body = json!({ "answers": answers });
    let reply = server.admin("POST", "/_lookalike/answers", &[], Some(body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// Declares that these texts are images of these persons.
async fn declare_persons(server: &TestServer, persons: &[(&str, &str)]) {
    let answers: Vec<Value> = persons
        .iter()
        .map(|(text, person)| {
            json!({ "image": { "sha256": sha256(text) }, "faces": [{ "person": person }] })
        })
        .collect();
    declare(server, json!(answers)).await;
}

fn matched(answer: &Value) -> Vec<(&str, f64)> {
    let matches = answer["FaceMatches"].as_array().expect("matches");
    matches
        .iter()
        .map(|hit| {
            let id = hit["Face"]["ExternalImageId"].as_str().expect("an id");
            (id, hit["Similarity"].as_f64().expect("a number"))
        })
        .collect()
}

async fn index(server: &TestServer, text: &str, id: &str) -> Value {
    let input = json!({ "CollectionId": "staff", "Image": image(text), "ExternalImageId": id });
    server.ok("IndexFaces", input).await
}

async fn search(server: &TestServer, text: &str) -> Value {
    server.ok("SearchFacesByImage", json!({ "CollectionId": "staff", "Image": image(text) })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_one_person_match_and_those_of_another_do_not() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    declare_persons(&server, &[("ann 1", "ann"), ("ann 2", "ann"), ("bob 1", "bob")]).await;
    index(&server, "ann 1", "ann").await;
    index(&server, "bob 1", "bob").await;
    let answer = search(&server, "ann 2").await;
    let [(id, similarity)] = matched(&answer)[..] else { panic!("{answer}") };
    assert!(id == "ann" && similarity > 99.99, "{answer}");

    let face_id =
        index(&server, "ann 2", "ann-again").await["FaceRecords"][0]["Face"]["FaceId"].clone();
    let by_id = json!({ "CollectionId": "staff", "FaceId": face_id });
    let answer = server.ok("SearchFaces", by_id).await;
    assert_eq!(matched(&answer).iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["ann"]);
    let compare = json!({ "SourceImage": image("ann 1"), "TargetImage": image("bob 1") });
    let answer = server.ok("CompareFaces", compare).await;
    assert_eq!(answer["UnmatchedFaces"].as_array().map(Vec::len), Some(1), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_matches_a_person_a_face_and_a_user_as_well_as_declared() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    declare_persons(&server, &[("ann", "ann")]).await;
    // Ann is declared, Ben is seen.
    let ann = index(&server, "ann", "ann").await["FaceRecords"][0]["Face"]["FaceId"].clone();
    let photo = Photo::of(7, 0).jpeg();
    let input = json!({ "CollectionId": "staff", "Image": { "Bytes": STANDARD.encode(&photo) }, "ExternalImageId": "ben" });
    let ben = server.ok("IndexFaces", input).await["FaceRecords"][0]["Face"]["FaceId"].clone();
    server.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "benjamin" })).await;
    let associate = json!({ "CollectionId": "staff", "UserId": "benjamin", "FaceIds": [ben] });
    server.ok("AssociateFaces", associate).await;

    for (text, face, expected) in [
        ("a", json!({ "person": "ann", "similarity": 97 }), ("ann", 97.0)),
        ("b", json!({ "face_id": ann, "similarity": 88.5 }), ("ann", 88.5)),
        ("c", json!({ "face_id": ben, "similarity": 91 }), ("ben", 91.0)),
        ("d", json!({ "user_id": "benjamin", "similarity": 85 }), ("ben", 85.0)),
    ] {
        declare(&server, json!([{ "image": { "sha256": sha256(text) }, "faces": [face] }])).await;
        let answer = search(&server, text).await;
        let [(id, similarity)] = matched(&answer)[..] else { panic!("{text}: {answer}") };
        assert_eq!(id, expected.0);
        assert!((expected.1..expected.1 + 0.01).contains(&similarity), "{text}: {answer}");
    }
    let users = json!({ "CollectionId": "staff", "Image": image("d") });
    let answer = server.ok("SearchUsersByImage", users).await;
    assert_eq!(answer["UserMatches"][0]["User"]["UserId"], "benjamin", "{answer}");
    let similarity = answer["UserMatches"][0]["Similarity"].as_f64().unwrap();
    assert!((85.0..85.01).contains(&similarity), "{similarity}");
    let nobody =
        json!({ "image": { "sha256": sha256("e") }, "faces": [{ "user_id": "carl" }, {}] });
    declare(&server, json!([nobody])).await;
    assert!(matched(&search(&server, "e").await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_boxes_and_the_quality_filter_follow_the_declared_detail() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let detail = json!({
        "BoundingBox": { "Width": 0.25, "Height": 0.5, "Left": 0.125, "Top": 0.25 },
        "Smile": { "Value": true, "Confidence": 75 }, "AgeRange": { "Low": 41, "High": 49 }
    });
    let blurred = json!({ "Quality": { "Brightness": 50, "Sharpness": 3 } });
    declare(&server, json!([{ "image": { "sha256": sha256("two") }, "faces": [{ "detail": blurred }, { "detail": detail }] }])).await;
    let input = json!({ "Image": image("two"), "Attributes": ["ALL"] });
    let faces = server.ok("DetectFaces", input).await["FaceDetails"].clone();
    let sharp = faces.as_array().unwrap().iter().find(|face| face["AgeRange"]["Low"] == 41);
    let sharp = sharp.expect("the declared face");
    assert_eq!(sharp["BoundingBox"], detail["BoundingBox"]);
    assert_eq!(sharp["Smile"], json!({ "Value": true, "Confidence": 75.0 }));
    assert_eq!(sharp["Landmarks"].as_array().map(Vec::len), Some(30));
    let answer = index(&server, "two", "two").await;
    assert_eq!(answer["FaceRecords"].as_array().map(Vec::len), Some(1));
    let reasons = answer["UnindexedFaces"][0]["Reasons"].as_array().unwrap().clone();
    assert!(reasons.contains(&json!("LOW_SHARPNESS")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_objects_and_external_ids_choose_answers_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    std::fs::write(folder.path().join("photos/ben.jpg"), Photo::of(7, 0).jpeg()).unwrap();
    let server = TestServer::with(&["--s3", folder.path().to_str().unwrap()]).await;
    server.collection("staff").await;
    declare(
        &server,
        json!([
            { "image": { "s3_object": "photos/ann/*" }, "faces": [{ "person": "ann" }] },
            { "image": { "external_image_id": "empty-*" }, "faces": [] },
            { "image": { "sha256": sha256("bad") }, "error": "ImageTooLargeException", "message": "far too large" },
        ]),
    )
    .await;
    let object = |name: &str| json!({ "S3Object": { "Bucket": "photos", "Name": name } });
    let detect = |name: &str| {
        let image = object(name);
        let server = &server;
        async move { server.call("DetectFaces", json!({ "Image": image })).await }
    };
    let declared = detect("ann/1.jpg").await;
    assert_eq!(declared.body["FaceDetails"].as_array().map(Vec::len), Some(1), "{}", declared.body);
    let seen = detect("ben.jpg").await;
    assert_eq!(seen.body["FaceDetails"].as_array().map(Vec::len), Some(1), "{}", seen.body);
    assert_eq!(detect("carl.jpg").await.refusal().0, "InvalidS3ObjectException");
    let empty = index(&server, "anything", "empty-1").await;
    assert_eq!((&empty["FaceRecords"], &empty["UnindexedFaces"]), (&json!([]), &json!([])));
    let bad = server.refusal("DetectFaces", json!({ "Image": image("bad") })).await;
    assert_eq!(bad, ("ImageTooLargeException".to_owned(), "far too large".to_owned()));
    let other = server.refusal("DetectFaces", json!({ "Image": image("other") })).await;
    assert_eq!(other.0, "InvalidImageFormatException");

    let list = server.admin("GET", "/_lookalike/answers", &[], None).await.body;
    let used: Vec<_> =
        list["answers"].as_array().unwrap().iter().map(|answer| &answer["used"]).collect();
    assert_eq!(used, [1, 1, 1]);
    let reset = json!({ "keep": ["answers"] });
    assert_eq!(server.admin("POST", "/_lookalike/reset", &[], Some(reset)).await.status, 200);
    assert_eq!(detect("ann/2.jpg").await.status, 200);
    assert_eq!(server.admin("DELETE", "/_lookalike/answers", &[], None).await.status, 200);
    assert_eq!(detect("ann/2.jpg").await.refusal().0, "InvalidS3ObjectException");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_one_account_stays_there() {
    let server = TestServer::start().await;
    declare(
        &server,
        json!([{ "region": "eu-west-1", "image": { "sha256": sha256("x") }, "faces": [] }]),
    )
    .await;
    let input = json!({ "Image": image("x") });
    assert_eq!(server.call_as("eu-west-1", "DetectFaces", input.clone()).await.status, 200);
    assert_eq!(server.call_as("us-east-1", "DetectFaces", input.clone()).await.status, 400);
    let reset = json!({ "region": "eu-west-1" });
    server.admin("POST", "/_lookalike/reset", &[], Some(reset)).await;
    assert_eq!(server.call_as("eu-west-1", "DetectFaces", input).await.status, 400);
    let wrong = json!({ "answers": [{ "faces": [{ "persn": "ann" }] }] });
    let refused = server.admin("POST", "/_lookalike/answers", &[], Some(wrong)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body["error"].as_str().unwrap().contains("persn"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deterministic_server_repeats_itself_after_a_reset_and_in_another_process() {
    async fn story(server: &TestServer, images: [&str; 3]) -> [Value; 2] {
        server.collection("staff").await;
        for image in images {
            index(server, image, image).await;
        }
        let list = server.ok("ListFaces", json!({ "CollectionId": "staff" })).await;
        let nil = json!("00000000-0000-0000-0000-000000000000");
        assert!(list["Faces"].as_array().expect("faces").iter().all(|face| face["FaceId"] != nil));
        [list, server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await]
    }
    let persons = [("a", "ann"), ("b", "bob"), ("c", "cara")];
    let one = TestServer::with(&["--deterministic=7"]).await;
    declare_persons(&one, &persons).await;
    let first = story(&one, ["a", "b", "c"]).await;
    assert_eq!(first[0]["Faces"].as_array().map(Vec::len), Some(3));
    assert_eq!(first[1]["CreationTimestamp"], 1_767_225_600.0);
    let keep = json!({ "keep": ["answers"] });
    one.admin("POST", "/_lookalike/reset", &[], Some(keep)).await;
    assert_eq!(story(&one, ["c", "a", "b"]).await, first);

    let other = TestServer::with(&["--deterministic=7"]).await;
    declare_persons(&other, &persons).await;
    assert_eq!(story(&other, ["b", "c", "a"]).await, first);
    let seed = TestServer::with(&["--deterministic"]).await;
    declare_persons(&seed, &persons).await;
    assert_ne!(story(&seed, ["a", "b", "c"]).await[0], first[0]);
    let faults = json!({ "presets": ["throttle"] });
    let report = other.admin("PUT", "/_lookalike/faults", &[], Some(faults)).await.body;
    assert_eq!(report["seed"], 7);
}
