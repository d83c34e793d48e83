//! Eight clients index, search and delete at once: no lost, doubled or ghost face.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::{Client, TestServer, bytes};

const CLIENTS: u64 = 8;
const TURNS: u64 = 12;

/// The ids that a search with this face finds, the face itself included; each only once.
async fn found(client: &Client, face: &str) -> BTreeSet<String> {
    let answer = client
        .ok(
            "SearchFaces",
            json!({ "CollectionId": "staff", "FaceId": face, "FaceMatchThreshold": 0 }),
        )
        .await;
    let matches = answer["FaceMatches"].as_array().unwrap();
    let mut ids: BTreeSet<String> =
        matches.iter().map(|found| found["Face"]["FaceId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), matches.len(), "a face is found twice");
    assert!(ids.insert(face.to_owned()), "a face finds itself");
    ids
}

/// What one client does, and the faces of its own that are left: the reference that every answer is
/// compared with.
async fn work(client: Client, number: u64, photo: Value) -> BTreeSet<String> {
    let mut live = BTreeSet::new();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for turn in 0..TURNS {
        let external = format!("{number}-{turn}");
        let index = json!({ "CollectionId": "staff", "Image": photo, "ExternalImageId": external, "QualityFilter": "NONE" });
        let answer = client.ok("IndexFaces", index).await;
        let face = answer["FaceRecords"][0]["Face"]["FaceId"].as_str().unwrap().to_owned();
        live.insert(face.clone());
        let seen = found(&client, &face).await;
        assert!(live.is_subset(&seen), "an answered face is not found");
        assert!(gone.is_disjoint(&seen), "a deleted face is found");
        if turn % 3 == 2 {
            let victim = live.pop_first().unwrap();
            let answer = client
                .ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": [victim] }))
                .await;
            assert_eq!(answer["DeletedFaces"], json!([victim]));
            gone.insert(victim);
        }
    }
    live
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn searches_and_lists_agree_with_what_was_answered() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let photo = bytes(&Photo::empty(160, 160).with(number, 0, 10, 10, 140).jpeg());
            tokio::spawn(work(Client::clone(&server), number, photo))
        })
        .collect();
    let mut expected = BTreeSet::new();
    for task in tasks {
        expected.extend(task.await.unwrap());
    }
    assert_eq!(found(&server, expected.first().unwrap()).await, expected);
    let listed = server.ok("ListFaces", json!({ "CollectionId": "staff" })).await;
    let listed: BTreeSet<String> = listed["Faces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|face| face["FaceId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, expected);
}
