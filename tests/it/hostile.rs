//! Thousands of broken images and bodies: no panic, no 5xx, bounded memory.

use aws_json::Service;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use image::DynamicImage;
use lookalike::operations::Rekognition;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::files::forms;
use crate::support::process::Process;
use crate::support::{Client, bytes};

const CASES: usize = 3000;
const CLIENTS: usize = 8;
/// Two workers with an image of 100 megapixels each, the bodies' budget, and the networks.
#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 2 << 30;

/// The same cases in every run.
fn generate<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("generates").current()).collect()
}

/// Sends all of it; every answer has to be a success or a refusal. How many succeeded.
async fn send(client: &Client, requests: Vec<(&'static str, String)>) -> usize {
    let answers: Vec<u16> = stream::iter(requests)
        .map(|(operation, body)| async move {
            let reply = client.post_as(operation, body.clone()).await;
            let clean = reply.status < 500 || reply.body["__type"] == "ThrottlingException";
            assert!(
                clean,
                "{operation} {}: {} {}",
                &body[..body.len().min(300)],
                reply.status,
                reply.body
            );
            reply.status
        })
        .buffer_unordered(CLIENTS)
        .collect()
        .await;
    answers.into_iter().filter(|status| *status == 200).count()
}

fn mutate(
    original: &[u8],
    edits: &[(prop::sample::Index, u8)],
    cut: Option<prop::sample::Index>,
) -> Vec<u8> {
    let mut image = original.to_vec();
    for (place, value) in edits {
        let place = place.index(image.len());
        image[place] = *value;
    }
    if let Some(cut) = cut {
        image.truncate(cut.index(image.len()).max(1));
    }
    image
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn broken_images_and_bodies_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path());
    let client = Client::new(&process.url);
    client.ok("CreateCollection", json!({ "CollectionId": "staff" })).await;

    let photo = Photo::empty(100, 100).with(1, 0, 5, 5, 90);
    let mut originals = vec![photo.jpeg(), photo.png(), png16(&photo)];
    originals.extend(forms(&photo.0).into_iter().map(|(_, file)| file));
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    let images = generate(
        (0..originals.len(), edits, prop::option::of(any::<prop::sample::Index>())),
        CASES,
    );
    let requests = images.into_iter().map(|(original, edits, cut)| {
        let image = mutate(&originals[original], &edits, cut);
        ("IndexFaces", json!({ "CollectionId": "staff", "Image": bytes(&image) }).to_string())
    });
    let read = send(&client, requests.collect()).await;
    assert!((CASES / 100..CASES).contains(&read), "some broken images can still be read: {read}");

    let valid = json!({
        "CollectionId": "staff", "Image": bytes(&photo.jpeg()), "ExternalImageId": "x", "MaxFaces": 1,
        "DetectionAttributes": ["ALL"], "QualityFilter": "AUTO", "FaceIds": ["00000000-0000-4000-8000-000000000000"],
        "UserId": "u", "FaceMatchThreshold": 80.0, "Tags": { "a": "b" }, "NextToken": "x"
    });
    let operations = <Rekognition as Service>::OPERATIONS;
    let changes =
        generate((0..operations.len(), any::<prop::sample::Index>(), json_value()), CASES);
    let bodies = changes.into_iter().map(|(operation, member, value)| {
        let mut body = valid.clone();
        let members = body.as_object_mut().expect("an object");
        let name = members.keys().nth(member.index(members.len())).expect("a member").clone();
        members.insert(name, value);
        (operations[operation], body.to_string())
    });
    send(&client, bodies.collect()).await;

    let text = valid.to_string();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0x20..0x7f_u8), 1..4);
    let texts = generate(
        (0..operations.len(), edits, prop::option::of(any::<prop::sample::Index>())),
        CASES,
    );
    let texts = texts.into_iter().map(|(operation, edits, cut)| {
        (
            operations[operation],
            String::from_utf8_lossy(&mutate(text.as_bytes(), &edits, cut)).into_owned(),
        )
    });
    send(&client, texts.collect()).await;

    bombs(&client).await;
    let alive = client.ok("DetectFaces", json!({ "Image": bytes(&photo.jpeg()) })).await;
    assert_eq!(alive["FaceDetails"].as_array().map(Vec::len), Some(1));
    #[cfg(target_os = "linux")]
    assert!(process.peak_memory() < MOST_MEMORY, "{} MiB", process.peak_memory() >> 20);
}

/// Small files that want much memory: the largest picture that is allowed, several at a time, and
/// deep or long JSON.
async fn bombs(client: &Client) {
    let mut largest = std::io::Cursor::new(Vec::new());
    DynamicImage::new_luma8(10_000, 10_000)
        .write_to(&mut largest, image::ImageFormat::Png)
        .unwrap();
    let image = json!({ "Image": { "Bytes": STANDARD.encode(largest.into_inner()) } }).to_string();
    send(client, vec![("DetectFaces", image); 6]).await;
    // Its frame is that of the largest picture, its pixels end early.
    let (_, mut ycck) = forms(&Photo::empty(100, 100).0).swap_remove(2);
    let frame = ycck.windows(2).position(|pair| pair == [0xff, 0xc2]).expect("a progressive frame");
    ycck[frame + 5..frame + 9].copy_from_slice(&[10_000_u16.to_be_bytes(); 2].concat());
    send(client, vec![("DetectFaces", json!({ "Image": bytes(&ycck) }).to_string()); 2]).await;

    let deep = "[".repeat(200_000);
    send(client, vec![("DeleteFaces", deep.clone()), ("DeleteFaces", format!("{{\"a\":{deep}"))])
        .await;
    let list = |items: usize| format!("[{}\"\"]", "\"\",".repeat(items));
    let long = "x".repeat(19 << 20);
    for (operation, body, status) in [
        ("DeleteFaces", format!("{{\"FaceIds\":{}}}", list(1_000_000)), 413),
        ("DeleteFaces", format!("{{\"FaceIds\":{}}}", list(300_000)), 400),
        ("DetectFaces", format!("{{\"Attributes\":{}}}", list(6_000_000)), 400),
        ("IndexFaces", format!("{{\"CollectionId\":\"{long}\"}}"), 400),
        (
            "SearchFacesByImage",
            format!("{{\"CollectionId\":\"{long}\",\"QualityFilter\":{}}}", list(10)),
            400,
        ),
    ] {
        let reply = client.post_as(operation, body).await;
        assert_eq!(reply.status, status, "{operation}: {}", reply.body);
        assert!(
            reply.body.to_string().len() < 10_000,
            "{operation}: an error repeats little of what it is about"
        );
    }
}

fn png16(photo: &Photo) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(DynamicImage::ImageRgb8(photo.0.clone()).to_rgba16())
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[a-zA-Z0-9_.:-]{1,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                prop_oneof![Just("Bytes".to_owned()), Just("S3Object".to_owned()), ".{0,8}"],
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
