//! Images that went wrong in other software: `tests/cases/README.md` states what is right for each.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{TestServer, bytes};

/// Of a ratio of the image, and of a percentage.
const BOX_TOLERANCE: f64 = 0.005;
const BRIGHTNESS_TOLERANCE: f64 = 1.0;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn image(name: &str) -> Value {
    bytes(&fs::read(folder().join(name)).expect("a file of the list"))
}

async fn faces(server: &TestServer, image: Value) -> Vec<Value> {
    let input = json!({ "Image": image, "Attributes": ["ALL"] });
    let answer = server.ok("DetectFaces", input).await;
    answer["FaceDetails"].as_array().expect("a list").clone()
}

/// What differs from the faces that are right.
fn differences(found: &[Value], right: &[Value]) -> Vec<String> {
    if found.len() != right.len() {
        return vec![format!("{} faces instead of {}", found.len(), right.len())];
    }
    let mut differences = Vec::new();
    for (index, (found, right)) in found.iter().zip(right).enumerate() {
        let compared = ["Left", "Top", "Width", "Height"]
            .map(|side| (format!("/BoundingBox/{side}"), BOX_TOLERANCE));
        let brightness = ("/Quality/Brightness".to_owned(), BRIGHTNESS_TOLERANCE);
        for (member, tolerance) in compared.into_iter().chain([brightness]) {
            let value =
                |face: &Value| face.pointer(&member).and_then(Value::as_f64).expect("a number");
            let (found, right) = (value(found), value(right));
            if (found - right).abs() > tolerance {
                differences.push(format!("face {index}: {member} is {found}, not {right}"));
            }
        }
    }
    differences
}

/// The scenes of two faces, but for those that have an answer of their own.
fn scenes() -> Vec<String> {
    let own = ["15-", "20-", "README"];
    let entries = fs::read_dir(folder()).expect("the folder of cases");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut scenes: Vec<_> =
        names.filter(|name| !own.iter().any(|prefix| name.starts_with(prefix))).collect();
    scenes.sort();
    scenes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_encoding_of_a_scene_has_the_same_faces() {
    let server = TestServer::start().await;
    let right = faces(&server, image("00-reference-plain.png")).await;
    assert_eq!(right.len(), 2);
    let mut wrong = Vec::new();
    let scenes = scenes();
    assert_eq!(scenes.len(), 18);
    for name in scenes {
        let found = faces(&server, image(&name)).await;
        wrong.extend(
            differences(&found, &right).into_iter().map(|problem| format!("{name}: {problem}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The missing half is gray: whoever is in it is not made up.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_cut_in_half_has_no_invented_face() {
    let server = TestServer::start().await;
    let right = faces(&server, image("00-reference-plain.png")).await;
    let reply =
        server.call("DetectFaces", json!({ "Image": image("15-truncated-half.jpg") })).await;
    if reply.status == 200 {
        let found = reply.body["FaceDetails"].as_array().expect("a list");
        assert!(found.len() <= right.len(), "{found:#?}");
        for face in found {
            let bottom = |face: &Value| {
                ["/BoundingBox/Top", "/BoundingBox/Height"]
                    .map(|member| face.pointer(member).and_then(Value::as_f64).expect("a number"))
                    .iter()
                    .sum::<f64>()
            };
            let own = right.iter().find(|right| {
                let left = |face: &Value| face["BoundingBox"]["Left"].as_f64().expect("a number");
                (left(face) - left(right)).abs() < 0.05
                    && (bottom(face) - bottom(right)).abs() < 0.1
            });
            assert!(own.is_some(), "nobody is there: {face}");
        }
    } else {
        assert_eq!(reply.body["__type"], "InvalidImageFormatException");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_people_are_told_apart() {
    let server = TestServer::start().await;
    let compare = async |source: String, target: String| {
        let input = json!({
            "SourceImage": image(&source), "TargetImage": image(&target), "SimilarityThreshold": 0
        });
        let answer = server.ok("CompareFaces", input).await;
        answer["FaceMatches"][0]["Similarity"].as_f64().expect("one face")
    };
    for (turn, roll) in [("rot90", -90.0), ("rot180", 180.0)] {
        for person in ["ana-1", "ana-2", "ben"] {
            let name = format!("20-{person}-{turn}.jpg");
            let found = faces(&server, image(&name)).await;
            assert_eq!(found.len(), 1, "{name}");
            let measured = found[0]["Pose"]["Roll"].as_f64().expect("a number");
            let apart = (measured - roll + 540.0).rem_euclid(360.0) - 180.0;
            assert!(apart.abs() < 15.0, "{name}: {measured}");
        }
        for other in ["rot90", "rot180"] {
            let (one, same, stranger) = (
                format!("20-ana-1-{turn}.jpg"),
                format!("20-ana-2-{other}.jpg"),
                format!("20-ben-{other}.jpg"),
            );
            let (same, stranger) =
                (compare(one.clone(), same).await, compare(one.clone(), stranger).await);
            assert!(same > 80.0, "{one} and ana: {same}");
            assert!(stranger < 80.0, "{one} and ben: {stranger}");
        }
    }
}
