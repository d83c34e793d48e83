//! IndexFaces: what is indexed, what is not, and what comes back.

use serde_json::{Value, json};

use crate::support::faces::{Photo, group};
use crate::support::{TestServer, bytes};

fn records(answer: &Value) -> &Vec<Value> {
    answer["FaceRecords"].as_array().expect("FaceRecords")
}

fn face_ids(answer: &Value) -> Vec<String> {
    records(answer)
        .iter()
        .map(|record| record["Face"]["FaceId"].as_str().unwrap().to_owned())
        .collect()
}

fn area(face: &Value) -> f64 {
    face["BoundingBox"]["Width"].as_f64().unwrap() * face["BoundingBox"]["Height"].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_is_indexed_with_its_default_members() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let image = Photo::of(1, 0).jpeg();
    let answer =
        server.ok("IndexFaces", json!({ "CollectionId": "staff", "Image": bytes(&image), "ExternalImageId": "one.jpg" })).await;
    assert_eq!(answer["FaceModelVersion"], "7.0");
    assert_eq!(answer["UnindexedFaces"], json!([]));
    assert!(answer.get("OrientationCorrection").is_none());
    let [record] = &records(&answer)[..] else { panic!("one face: {answer}") };
    let (face, detail) = (&record["Face"], &record["FaceDetail"]);
    assert_eq!(keys(face), ["BoundingBox", "Confidence", "ExternalImageId", "FaceId", "ImageId"]);
    assert_eq!(keys(detail), ["BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"]);
    assert_eq!(face["ExternalImageId"], "one.jpg");
    assert_eq!(face["BoundingBox"], detail["BoundingBox"]);
    assert_eq!(face["Confidence"], detail["Confidence"]);
    let types: Vec<&str> = detail["Landmarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["Type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"]);
    // The face fills the middle of the picture.
    let bounds = &detail["BoundingBox"];
    let center = bounds["Left"].as_f64().unwrap() + bounds["Width"].as_f64().unwrap() / 2.0;
    assert!(
        (0.4..0.6).contains(&center) && (0.2..0.8).contains(&bounds["Width"].as_f64().unwrap()),
        "{bounds}"
    );
    assert!(face["Confidence"].as_f64().unwrap() > 90.0);
}

fn keys(object: &Value) -> Vec<&String> {
    let mut keys: Vec<&String> = object.as_object().expect("an object").keys().collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn all_attributes_come_when_asked_for() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let image = bytes(&Photo::of(1, 0).jpeg());
    let all = json!({ "CollectionId": "staff", "Image": image, "DetectionAttributes": ["DEFAULT", "ALL"] });
    let answer = server.ok("IndexFaces", all).await;
    let detail = &records(&answer)[0]["FaceDetail"];
    assert_eq!(
        keys(detail),
        [
            "AgeRange",
            "Beard",
            "BoundingBox",
            "Confidence",
            "Emotions",
            "EyeDirection",
            "Eyeglasses",
            "EyesOpen",
            "FaceOccluded",
            "Gender",
            "Landmarks",
            "MouthOpen",
            "Mustache",
            "Pose",
            "Quality",
            "Smile",
            "Sunglasses"
        ]
    );
    assert_eq!(detail["Landmarks"].as_array().unwrap().len(), 30);
    assert!(detail["AgeRange"]["Low"].as_u64() < detail["AgeRange"]["High"].as_u64());
    let emotions: Vec<f64> = detail["Emotions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["Confidence"].as_f64().unwrap())
        .collect();
    assert_eq!(emotions.len(), 8);
    assert!(emotions.is_sorted_by(|a, b| a >= b), "{emotions:?}");
    for flag in [
        "Beard",
        "Eyeglasses",
        "EyesOpen",
        "FaceOccluded",
        "Gender",
        "MouthOpen",
        "Mustache",
        "Smile",
        "Sunglasses",
    ] {
        let confidence = detail[flag]["Confidence"].as_f64().unwrap();
        assert!((50.0..=100.0).contains(&confidence), "{flag}: {confidence}");
    }

    let single =
        json!({ "CollectionId": "staff", "Image": image, "DetectionAttributes": ["SMILE"] });
    let detail = &records(&server.ok("IndexFaces", single).await)[0]["FaceDetail"].clone();
    assert_eq!(
        keys(detail),
        ["BoundingBox", "Confidence", "Landmarks", "Pose", "Quality", "Smile"]
    );
    assert_eq!(detail["Landmarks"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_come_largest_first_and_the_rest_exceeds_max_faces() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let image = bytes(&group(&[150, 300, 200]).jpeg());
    let answer = server
        .ok("IndexFaces", json!({ "CollectionId": "staff", "Image": image, "MaxFaces": 2 }))
        .await;
    let areas: Vec<f64> = records(&answer).iter().map(|record| area(&record["Face"])).collect();
    assert_eq!(areas.len(), 2);
    assert!(areas[0] > areas[1]);
    let [left_out] = &answer["UnindexedFaces"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!(left_out["Reasons"], json!(["EXCEEDS_MAX_FACES"]));
    assert!(area(&left_out["FaceDetail"]) < areas[1]);
    assert_eq!(
        server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await["FaceCount"],
        2
    );
    let image_ids: Vec<&Value> =
        records(&answer).iter().map(|record| &record["Face"]["ImageId"]).collect();
    assert_eq!(image_ids[0], image_ids[1], "the faces of an image share its id");
}

#[tokio::test(flavor = "multi_thread")]
async fn poor_faces_exceed_max_faces_before_small_ones() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let mut photo = group(&[300, 160, 220]);
    // The largest face lies in the dark.
    photo.0.enumerate_pixels_mut().filter(|(x, _, _)| *x < 320).for_each(|(_, _, pixel)| {
        pixel.0 = pixel.0.map(|value| value / 12);
    });
    let index = |most: usize| json!({ "CollectionId": "staff", "Image": bytes(&photo.png()), "MaxFaces": most, "QualityFilter": "NONE" });
    let everyone = server.ok("IndexFaces", index(3)).await;
    let ids = face_ids(&everyone);
    assert_eq!(ids.len(), 3, "{everyone}");
    for (most, indexed, left_out) in [(2, vec![1, 2], vec![0]), (1, vec![1], vec![0, 2])] {
        let answer = server.ok("IndexFaces", index(most)).await;
        assert_eq!(
            face_ids(&answer),
            indexed.iter().map(|&face: &usize| ids[face].clone()).collect::<Vec<_>>()
        );
        let unindexed = answer["UnindexedFaces"].as_array().unwrap();
        assert!(
            unindexed.iter().all(|face| face["Reasons"] == json!(["EXCEEDS_MAX_FACES"])),
            "{answer}"
        );
        let boxes: Vec<&Value> =
            unindexed.iter().map(|face| &face["FaceDetail"]["BoundingBox"]).collect();
        let expected: Vec<&Value> = left_out
            .iter()
            .map(|&face: &usize| &records(&everyone)[face]["Face"]["BoundingBox"])
            .collect();
        assert_eq!(boxes, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_faces_is_no_error() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let answer = server.index("staff", &Photo::empty(640, 480).jpeg()).await;
    assert_eq!(
        answer,
        json!({ "FaceRecords": [], "FaceModelVersion": "7.0", "UnindexedFaces": [] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_image_is_indexed_once_for_each_external_id() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let image = bytes(&group(&[200, 260]).jpeg());
    let index = |external: Option<&str>, max: u32| json!({ "CollectionId": "staff", "Image": image, "ExternalImageId": external, "MaxFaces": max });
    let first = server.ok("IndexFaces", index(None, 1)).await;
    let again = server.ok("IndexFaces", index(None, 1)).await;
    assert_eq!(first, again, "nothing new: the same ids and the same numbers");
    let both = server.ok("IndexFaces", index(None, 2)).await;
    assert_eq!(face_ids(&both)[0], face_ids(&first)[0]);
    assert_eq!(records(&both).len(), 2);

    let named = server.ok("IndexFaces", index(Some("group"), 2)).await;
    assert!(face_ids(&named).iter().all(|id| !face_ids(&both).contains(id)));
    assert_ne!(
        named["FaceRecords"][0]["Face"]["ImageId"],
        both["FaceRecords"][0]["Face"]["ImageId"]
    );
    assert_eq!(
        server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await["FaceCount"],
        4
    );

    server.ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": face_ids(&first) })).await;
    let back = server.ok("IndexFaces", index(None, 2)).await;
    assert_ne!(
        face_ids(&back)[0],
        face_ids(&first)[0],
        "a deleted face may come again, as a new one"
    );
    assert_eq!(face_ids(&back)[1], face_ids(&both)[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_reach_past_the_edge_of_the_image() {
    let server = TestServer::start().await;
    let cut = Photo::empty(400, 400).with(1, 0, -90, 60, 300);
    let answer = server.ok("DetectFaces", json!({ "Image": bytes(&cut.jpeg()) })).await;
    let left = answer["FaceDetails"][0]["BoundingBox"]["Left"]
        .as_f64()
        .expect("a face that is cut off is found");
    assert!(left < 0.0, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn poor_faces_are_left_out_with_their_reasons_unless_the_filter_is_off() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let mut dark = Photo::of(1, 0);
    dark.0.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 12));
    let image = bytes(&dark.png());
    let answer = server.ok("IndexFaces", json!({ "CollectionId": "staff", "Image": image })).await;
    assert_eq!(records(&answer).len(), 0);
    let reasons = answer["UnindexedFaces"][0]["Reasons"]
        .as_array()
        .expect("the dark face is detected")
        .clone();
    assert!(reasons.contains(&json!("LOW_BRIGHTNESS")), "{reasons:?}");
    let unfiltered = json!({ "CollectionId": "staff", "Image": image, "QualityFilter": "NONE" });
    assert_eq!(records(&server.ok("IndexFaces", unfiltered).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_model_versions_index_fifteen_and_estimate_the_orientation() {
    let server = TestServer::with(&["--face-model-version", "1.0"]).await;
    server.collection("staff").await;
    let crowd = {
        let mut photo = Photo::empty(1000, 800);
        for person in 0..20_u32 {
            photo = photo.with(
                u64::from(person),
                0,
                i64::from(person % 5 * 200) + 20,
                i64::from(person / 5 * 200) + 20,
                160,
            );
        }
        photo
    };
    let answer = server.index("staff", &crowd.jpeg()).await;
    assert_eq!(records(&answer).len(), 15);
    assert_eq!(answer["FaceModelVersion"], "1.0");
    assert_eq!(answer["OrientationCorrection"], "ROTATE_0");

    let lying = Photo(image::imageops::rotate270(&Photo::of(3, 0).0));
    let answer = server.index("staff", &lying.jpeg()).await;
    assert_eq!(answer["OrientationCorrection"], "ROTATE_90");
    assert_eq!(records(&answer).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_of_large_photos_are_recognized_large_and_small() {
    let server = TestServer::start().await;
    server.collection("people").await;
    let picture = |person, left, side| Photo::empty(3200, 1000).with(person, 0, left, 40, side);
    for (name, photo) in [
        ("large", picture(1, 900, 900)),
        ("small", picture(2, 2400, 160)),
        ("both", picture(3, 200, 900).with(4, 0, 2400, 300, 160)),
    ] {
        let answer = server
            .ok("IndexFaces", json!({ "CollectionId": "people", "ExternalImageId": name, "Image": bytes(&photo.jpeg()) }))
            .await;
        assert_eq!(records(&answer).len(), if name == "both" { 2 } else { 1 }, "{name}");
    }
    for (person, name) in [(1, "large"), (2, "small"), (3, "both"), (4, "both")] {
        let probe = Photo::of(person, 0).jpeg();
        let answer = server
            .ok("SearchFacesByImage", json!({ "CollectionId": "people", "Image": bytes(&probe) }))
            .await;
        let best = &answer["FaceMatches"][0];
        assert_eq!(best["Face"]["ExternalImageId"], name, "person {person}: {answer}");
        assert!(best["Similarity"].as_f64().unwrap() > 95.0, "person {person}: {best}");
    }
}
