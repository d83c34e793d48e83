//! SearchFaces and SearchFacesByImage.

use serde_json::{Value, json};

use crate::support::faces::{Photo, group};
use crate::support::{TestServer, bytes};

fn matched(answer: &Value) -> Vec<&str> {
    answer["FaceMatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["Face"]["FaceId"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_their_other_pictures() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let mut faces = Vec::new();
    for person in 0..6 {
        faces.push(server.index_one("staff", &Photo::of(person, 1).jpeg()).await);
    }
    for person in 0..6 {
        let probe = bytes(&Photo::of(person, 2).jpeg());
        let answer = server
            .ok(
                "SearchFacesByImage",
                json!({ "CollectionId": "staff", "Image": probe, "FaceMatchThreshold": 0 }),
            )
            .await;
        assert_eq!(answer["FaceModelVersion"], "7.0");
        assert!(answer["SearchedFaceConfidence"].as_f64().unwrap() > 90.0);
        let similarities: Vec<f64> = answer["FaceMatches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["Similarity"].as_f64().unwrap())
            .collect();
        assert_eq!(similarities.len(), 6, "threshold 0 shows everybody");
        assert!(similarities.is_sorted_by(|a, b| a >= b));
        assert_eq!(matched(&answer)[0], faces[person as usize]);
        assert_eq!(answer["FaceMatches"][0]["Face"]["IndexFacesModelVersion"], "7.0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_picture_matches_fully_and_thresholds_include_their_bound() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let photo = Photo::of(1, 0).jpeg();
    let face = server.index_one("staff", &photo).await;
    server.index_one("staff", &Photo::of(2, 0).jpeg()).await;
    let search = |threshold: Value, most: u32| {
        let input = json!({ "CollectionId": "staff", "Image": bytes(&photo), "FaceMatchThreshold": threshold, "MaxFaces": most });
        server.ok("SearchFacesByImage", input)
    };
    let answer = search(json!(99), 4096).await;
    assert_eq!(matched(&answer), [face.as_str()]);
    assert!(answer["FaceMatches"][0]["Similarity"].as_f64().unwrap() > 99.9);

    let all = search(json!(0), 4096).await;
    let lowest = all["FaceMatches"].as_array().unwrap().last().unwrap()["Similarity"].clone();
    assert_eq!(matched(&search(lowest, 4096).await).len(), 2, "a match at the threshold counts");
    assert_eq!(matched(&search(json!(0), 1).await), [face.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_is_searched_for_without_finding_itself() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let first = server.index_one("staff", &Photo::of(1, 1).jpeg()).await;
    let second = server.index_one("staff", &Photo::of(1, 2).jpeg()).await;
    let answer = server
        .ok("SearchFaces", json!({ "CollectionId": "staff", "FaceId": first, "FaceMatchThreshold": 0, "MaxFaces": 1 }))
        .await;
    assert_eq!(answer["SearchedFaceId"], first);
    assert_eq!(matched(&answer), [second.as_str()]);

    let nobody =
        json!({ "CollectionId": "staff", "FaceId": "00000000-0000-4000-8000-000000000000" });
    let refusal = server.refusal("SearchFaces", nobody).await;
    assert_eq!(
        refusal,
        (
            "InvalidParameterException".to_owned(),
            "faceId was not found in the collection.".to_owned()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_face_of_the_image_is_searched_for() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let mut faces = Vec::new();
    for person in 0..2 {
        faces.push(server.index_one("staff", &Photo::of(person, 0).jpeg()).await);
    }
    for (sides, expected) in [([200, 300], &faces[1]), ([300, 200], &faces[0])] {
        let probe = bytes(&group(&sides).jpeg());
        let answer = server
            .ok("SearchFacesByImage", json!({ "CollectionId": "staff", "Image": probe, "MaxFaces": 1, "FaceMatchThreshold": 0 }))
            .await;
        assert_eq!(matched(&answer), [expected.as_str()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_faces_is_an_error_and_an_empty_collection_is_not() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let search = |image: &[u8]| json!({ "CollectionId": "staff", "Image": bytes(image) });
    let refusal =
        server.refusal("SearchFacesByImage", search(&Photo::empty(300, 300).jpeg())).await;
    let text = "There are no faces in the image. Should be at least 1.";
    assert_eq!(refusal, ("InvalidParameterException".to_owned(), text.to_owned()));
    let answer = server.ok("SearchFacesByImage", search(&Photo::of(1, 0).jpeg())).await;
    assert_eq!(answer["FaceMatches"], json!([]));
}
