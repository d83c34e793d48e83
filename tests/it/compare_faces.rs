//! CompareFaces.

use serde_json::{Value, json};

use crate::support::faces::{Photo, group};
use crate::support::{TestServer, bytes};

fn compare(source: &Photo, target: &Photo, threshold: Value) -> Value {
    json!({ "SourceImage": bytes(&source.jpeg()), "TargetImage": bytes(&target.jpeg()), "SimilarityThreshold": threshold })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_of_the_target_is_matched_or_unmatched() {
    let server = TestServer::start().await;
    let answer = server
        .ok("CompareFaces", compare(&Photo::of(1, 0), &group(&[200, 260, 220]), json!(85)))
        .await;
    let mut keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["FaceMatches", "SourceImageFace", "UnmatchedFaces"]);
    let [found] = &answer["FaceMatches"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!(answer["UnmatchedFaces"].as_array().unwrap().len(), 2);
    assert!(found["Similarity"].as_f64().unwrap() >= 85.0);
    // The person is the second, and largest, of the group.
    let left = found["Face"]["BoundingBox"]["Left"].as_f64().unwrap();
    assert!((0.25..0.6).contains(&left), "{left}");
    assert_eq!(found["Face"]["Landmarks"].as_array().unwrap().len(), 5);
    assert!(found["Face"].get("Smile").is_none());
    assert!(answer["SourceImageFace"]["Confidence"].as_f64().unwrap() > 90.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_equals_itself() {
    let server = TestServer::start().await;
    let photo = Photo::of(4, 0);
    let answer = server.ok("CompareFaces", compare(&photo, &photo, json!(99))).await;
    // These faces are a little blurred, and a poor view weighs less than 1 even beside itself.
    assert!(answer["FaceMatches"][0]["Similarity"].as_f64().unwrap() > 99.5, "{answer}");
    assert_eq!(answer["UnmatchedFaces"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_come_most_alike_first() {
    let server = TestServer::start().await;
    let answer = server
        .ok("CompareFaces", compare(&Photo::of(2, 0), &group(&[220, 200, 180, 160]), json!(0)))
        .await;
    let similarities: Vec<f64> = answer["FaceMatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["Similarity"].as_f64().unwrap())
        .collect();
    assert_eq!(similarities.len(), 4);
    assert!(similarities.is_sorted_by(|a, b| a >= b), "{similarities:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_face_is_refused_on_either_side() {
    let server = TestServer::start().await;
    let (face, nothing) = (Photo::of(1, 0), Photo::empty(300, 300));
    for (source, target) in [(&face, &nothing), (&nothing, &face)] {
        let refusal = server.refusal("CompareFaces", compare(source, target, Value::Null)).await;
        assert_eq!(
            refusal,
            ("InvalidParameterException".to_owned(), "Request has invalid parameters".to_owned())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_images_of_five_megabytes_fit_into_a_request() {
    let server = TestServer::start().await;
    // Bytes behind a JPEG's end do not show.
    let mut large = Photo::of(1, 0).jpeg();
    large.resize(5_242_880, 0);
    let input = json!({ "SourceImage": bytes(&large), "TargetImage": bytes(&large) });
    let answer = server.ok("CompareFaces", input).await;
    assert_eq!(answer["FaceMatches"].as_array().unwrap().len(), 1);

    large.push(0);
    let (code, text) = server
        .refusal(
            "CompareFaces",
            json!({ "SourceImage": bytes(&large), "TargetImage": bytes(b"x") }),
        )
        .await;
    assert_eq!(code, "ValidationException");
    assert_eq!(
        text,
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=5242881 cap=5242881]' at 'sourceImage.bytes' failed \
         to satisfy constraint: Member must have length less than or equal to 5242880"
    );
}
