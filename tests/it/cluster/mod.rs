//! Servers over one database that search for one another.

mod churn;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use lookalike::server::Server;
use lookalike_search::testing::scattered;
use lookalike_store::testing::server as database;
use lookalike_store::{
    AssociateFaces, BoundingBox, Collection, Face, IndexFaces, NewFace, Store, Tenant,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::faces::Photo;
use crate::support::{Client, TestServer, bytes, options};

const SHARING: [&str; 6] =
    ["--workers", "1", "--node-address", "http://127.0.0.1:0", "--part-rows", "1000"];
/// In four parts.
const FACES: usize = 3300;
const FACES_OF_IMAGE: usize = 100;
const USERS: usize = 12;

async fn node(address: &str) -> TestServer {
    TestServer::with(&[&["--data", address], &SHARING[..]].concat()).await
}

fn tenant() -> Tenant {
    Tenant { account: "000000000000".to_owned(), region: "us-east-1".to_owned() }
}

/// Faces like none that a photo has, many of them alike, and users for some.
async fn fill(store: &dyn Store, name: &str, count: usize) -> Vec<Face> {
    let collection = store.collection(&tenant(), name).await.expect("made before");
    let vectors = scattered(count / 3 + 1, 32);
    let mut faces = Vec::new();
    for image in 0..count.div_ceil(FACES_OF_IMAGE) {
        let first = image * FACES_OF_IMAGE;
        let rows = first..(first + FACES_OF_IMAGE).min(count);
        let vectors = rows.map(|row| vectors[row % vectors.len()].clone()).collect();
        faces.extend(store.index_faces(an_image(&collection, image, vectors)).await.expect("kept"));
    }
    for number in 0..USERS.min(count / 10) {
        let user_id = format!("user-{number}");
        store.create_user(&collection, &user_id, None).await.expect("a user");
        let of_user = faces.iter().skip(number).step_by(faces.len() / 3).take(3);
        let request = AssociateFaces {
            collection: collection.clone(),
            user_id,
            face_ids: of_user.map(|face| face.face_id).collect(),
            threshold: 0.0,
            similarity: Arc::new(|_, _| 100.0),
        };
        store.associate_faces(request, None).await.expect("associated");
    }
    faces
}

fn an_image(collection: &Collection, number: usize, vectors: Vec<Vec<f32>>) -> IndexFaces {
    let mut image_sha256 = [0; 32];
    image_sha256[..8].copy_from_slice(&(number as u64).to_le_bytes());
    let face = |(ordinal, vector)| NewFace {
        face_id: Uuid::new_v4(),
        ordinal,
        bounding_box: BoundingBox { left: 0.1, top: 0.1, width: 0.5, height: 0.5 },
        confidence: 99.0,
        vector,
    };
    IndexFaces {
        collection: collection.clone(),
        image_sha256,
        external_image_id: None,
        image_id: Uuid::nil(),
        model_version: "7.0".to_owned(),
        faces: (0..).zip(vectors).map(face).collect(),
    }
}

/// Searches of many kinds.
fn searches(collection: &str, faces: &[Face]) -> Vec<(&'static str, Value)> {
    let mut searches = Vec::new();
    for (face, most_of_all) in faces.iter().step_by(faces.len() / 2).zip([4096, 100]) {
        for (threshold, most) in [(99, 3), (50, 40), (0, most_of_all)] {
            searches.push((
                "SearchFaces",
                json!({ "CollectionId": collection, "FaceId": face.face_id, "FaceMatchThreshold": threshold, "MaxFaces": most }),
            ));
        }
        searches.push((
            "SearchUsers",
            json!({ "CollectionId": collection, "FaceId": face.face_id, "UserMatchThreshold": 0 }),
        ));
    }
    searches.push((
        "SearchUsers",
        json!({ "CollectionId": collection, "UserId": "user-1", "UserMatchThreshold": 0, "MaxUsers": 5 }),
    ));
    searches
}

/// Asserts that nodes answer as one does that has all in its own memory.
async fn compare(reference: &Client, nodes: &[&Client], searches: &[(&'static str, Value)]) {
    for (operation, input) in searches {
        let expected = reference.ok(operation, input.clone()).await;
        for (number, node) in nodes.iter().enumerate() {
            let answer = node.ok(operation, input.clone()).await;
            assert_eq!(answer, expected, "node {number}: {operation} {input}");
        }
    }
}

async fn system(node: &Client) -> Value {
    node.admin("GET", "/_lookalike/system", &[], None).await.body
}

/// Waits until a node shows so many others, itself included, and asks them all.
async fn until_nodes(node: &Client, count: usize) {
    let shown = async || {
        let nodes = system(node).await["nodes"].as_array().expect("a list").clone();
        nodes.len() == count && nodes.iter().all(|node| node["is_asked"] == true)
    };
    for _ in 0..600 {
        if shown().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("there are not {count} nodes: {}", system(node).await["nodes"]);
}

/// Asserts what nodes have in memory. Where a node was taken for gone, on a machine that is too
/// busy, others forget what they loaded for it some time later.
async fn until_loaded(nodes: &[&Client], expected: impl Fn(&[u64]) -> bool) {
    let mut counts = Vec::new();
    for _ in 0..100 {
        counts.clear();
        for node in nodes {
            let memory = &system(node).await["memory"];
            counts.push(memory["loaded_collections"].as_u64().expect("a number"));
        }
        if expected(&counts) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("nodes have other parts in memory than their own: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_answer_as_one_that_has_all_in_memory() {
    let address = database().schema().await;
    let [one, two] = [node(&address).await, node(&address).await];
    let reference = TestServer::with(&["--data", &address, "--workers", "1"]).await;
    for node in [&one, &two] {
        until_nodes(node, 2).await;
    }
    assert_eq!(system(&reference).await["nodes"], json!([]));
    one.collection("large").await;
    one.collection("small").await;
    let small = fill(&**one.store(), "small", 60).await;
    compare(&reference, &[&one, &two], &searches("small", &small)).await;
    // Faces and users are in the memory of one node, and the other has none of them.
    until_loaded(&[&one, &two], |counts| counts.contains(&2) && counts.contains(&0)).await;

    let large = fill(&**two.store(), "large", FACES).await;
    let all = searches("large", &large);
    compare(&reference, &[&one, &two], &all).await;
    // Each part is in one memory.
    until_loaded(&[&one, &two], |counts| counts.iter().sum::<u64>() == 2 + 4 + 4).await;

    // What one node writes, every node finds at once, wherever it is in memory.
    let photo = Photo::of(1, 0).jpeg();
    one.collection("photos").await;
    for (writer, reader) in [(&one, &two), (&two, &one)] {
        let face = writer.index_one("photos", &photo).await;
        let search = json!({ "CollectionId": "photos", "Image": bytes(&photo) });
        for node in [reader, writer] {
            let answer = node.ok("SearchFacesByImage", search.clone()).await;
            assert_eq!(answer["FaceMatches"][0]["Face"]["FaceId"], face.as_str());
        }
        writer.ok("DeleteFaces", json!({ "CollectionId": "photos", "FaceIds": [face] })).await;
        for node in [reader, writer] {
            let answer = node.ok("SearchFacesByImage", search.clone()).await;
            assert_eq!(answer["FaceMatches"], json!([]));
        }
    }
    let gone: Vec<Uuid> = large.iter().skip(500).step_by(500).map(|face| face.face_id).collect();
    let one_more = json!({ "CollectionId": "large", "FaceIds": gone });
    let deleted = two.ok("DeleteFaces", one_more).await;
    assert!(deleted["DeletedFaces"].as_array().is_some_and(|deleted| deleted.len() > 2));
    let rest: Vec<Face> =
        large.into_iter().filter(|face| !gone.contains(&face.face_id)).take(1000).collect();
    let all = searches("large", &rest);
    compare(&reference, &[&one, &two], &all).await;

    // A node that comes takes parts over, one that goes leaves them to the others.
    let three = node(&address).await;
    for node in [&one, &two, &three] {
        until_nodes(node, 3).await;
    }
    compare(&reference, &[&one, &two, &three], &all).await;
    let metrics = three.admin("GET", "/_lookalike/metrics", &[], None).await.body;
    let metrics = metrics.as_str().expect("a text");
    assert!(metrics.contains("lookalike_cluster_nodes 3"), "{metrics}");
    assert!(
        metrics.contains("lookalike_cluster_searches_total{outcome=\"forwarded\"}"),
        "{metrics}"
    );
    drop(three);
    for node in [&one, &two] {
        until_nodes(node, 2).await;
    }
    compare(&reference, &[&one, &two], &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_nodes_of_the_database_are_answered() {
    let address = database().schema().await;
    let one = node(&address).await;
    one.collection("staff").await;
    let own = system(&one).await["nodes"][0]["address"].as_str().expect("an address").to_owned();
    assert_eq!(own, one.url());
    let list = one.store().membership().expect("a list of nodes");
    let known = list.beat(&own, Duration::from_mins(1)).await.expect("noted");
    let question = json!({
        "to": own, "asked_at": known.now, "patience": "long", "collection": 1, "version": -1,
        "nonce": 0, "kind": "Faces", "parts": [{ "first": 1, "end": 1001 }], "min_cosine": 0.5,
        "k": 5, "vector": [1.0, 0.0],
    });
    let ask = async |node: &Client, question: &Value, secret: Option<&[u8]>| {
        let sealed = [b"question\0", question.to_string().as_bytes()].concat();
        let key = secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret));
        let seal = key.map(|key| hex::encode(hmac::sign(&key, &sealed)));
        let headers: Vec<(&str, &str)> =
            seal.iter().map(|seal| ("x-lookalike-seal", seal.as_str())).collect();
        node.admin("POST", "/_lookalike/cluster/search", &headers, Some(question.clone())).await
    };
    let answer = ask(&one, &question, Some(&known.secret)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.body["hits"], &answer.body["missing"]), (&json!([]), &json!([])));
    assert!(answer.headers.contains_key("x-lookalike-seal"));
    for secret in [None, Some(&[0; 32][..]), Some(&[]), Some(&known.secret[1..])] {
        let refused = ask(&one, &question, secret).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(!refused.headers.contains_key("x-lookalike-seal"));
    }
    for (member, value) in [
        ("to", json!("http://127.0.0.1:1")),
        ("asked_at", json!(known.now - 120_000)),
        ("asked_at", json!(known.now + 120_000)),
    ] {
        let mut other = question.clone();
        other[member] = value;
        assert_eq!(ask(&one, &other, Some(&known.secret)).await.status, 421, "{member}");
    }
    let mut wrong = question.clone();
    wrong["parts"] = json!("all");
    assert_eq!(ask(&one, &wrong, Some(&known.secret)).await.status, 400);
    let alone = TestServer::with(&["--data", &address, "--workers", "1"]).await;
    assert_eq!(ask(&alone, &question, Some(&known.secret)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_alone_has_no_node_address() {
    let options = options(&["--node-address", "http://127.0.0.1:0"]);
    let refusal = Server::bind(&options).await.err().expect("no database that others share");
    assert!(refusal.to_string().contains("--data postgres://"), "{refusal}");
}
