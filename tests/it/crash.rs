//! `kill -9` at any moment: what was acknowledged stays, and nothing is half there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::faces::group;
use crate::support::process::Process;
use crate::support::{Client, bytes};

/// Unless `CRASH_ROUNDS` states more.
const ROUNDS: u64 = 6;
const CLIENTS: u64 = 4;
const FACES_OF_IMAGE: usize = 3;
/// The most that a search answers.
const MOST_MATCHES: usize = 4096;

/// What the clients know for certain.
#[derive(Clone, Default)]
struct Acknowledged {
    indexed: HashSet<String>,
    deleted: HashSet<String>,
    /// Asked to be deleted, without an answer: may be there or not.
    doubtful: HashSet<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_faces_survive_and_images_are_whole() {
    let data = tempfile::tempdir().unwrap();
    let photos: Arc<Vec<Value>> =
        Arc::new((0..4).map(|n| bytes(&group(&[100, 110 + n, 120 + n]).jpeg())).collect());
    let known = Arc::new(Mutex::new(Acknowledged::default()));
    let stated = std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for round in 0..stated.unwrap_or(ROUNDS) {
        let mut process = Process::start(data.path());
        let client = Client::new(&process.url);
        if round == 0 {
            client.ok("CreateCollection", json!({ "CollectionId": "staff" })).await;
        } else {
            let known = known.lock().unwrap().clone();
            check(&client, &known).await;
        }
        let work: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let name = format!("{round}-{number}");
                tokio::spawn(index_and_delete(
                    client.clone(),
                    name,
                    Arc::clone(&photos),
                    Arc::clone(&known),
                ))
            })
            .collect();
        until_indexed(&known, 4 * FACES_OF_IMAGE * (round as usize + 1)).await;
        tokio::time::sleep(Duration::from_millis(37 * (round % 7))).await;
        process.kill();
        for task in work {
            task.await.unwrap();
        }
    }
    let process = Process::start(data.path());
    let known = known.lock().unwrap().clone();
    check(&Client::new(&process.url), &known).await;
}

/// Waits until so many faces are acknowledged: a slow machine gets as far as a fast one before it
/// is interrupted.
async fn until_indexed(known: &Mutex<Acknowledged>, faces: usize) {
    let wait = async {
        while known.lock().unwrap().indexed.len() < faces {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.expect("the server indexes");
}

/// Indexes images under ever new names, and deletes every other image's faces, until the server is
/// gone.
async fn index_and_delete(
    client: Client,
    name: String,
    photos: Arc<Vec<Value>>,
    known: Arc<Mutex<Acknowledged>>,
) {
    for turn in 0.. {
        let external = format!("{name}-{turn}");
        let photo = &photos[turn % photos.len()];
        let input = json!({ "CollectionId": "staff", "Image": photo, "ExternalImageId": external, "QualityFilter": "NONE" });
        let Some(answer) = client.try_call("IndexFaces", input).await else { return };
        let ids: Vec<String> = answer["FaceRecords"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["Face"]["FaceId"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), FACES_OF_IMAGE);
        known.lock().unwrap().indexed.extend(ids.iter().cloned());
        if turn % 2 == 1 {
            known.lock().unwrap().doubtful.extend(ids.iter().cloned());
            let delete = json!({ "CollectionId": "staff", "FaceIds": ids });
            if client.try_call("DeleteFaces", delete).await.is_none() {
                return;
            }
            let mut known = known.lock().unwrap();
            for id in ids {
                known.doubtful.remove(&id);
                known.deleted.insert(id);
            }
        }
    }
}

/// The collection, page by page.
async fn all_faces(client: &Client) -> Vec<Value> {
    let (mut faces, mut token) = (Vec::new(), Value::Null);
    loop {
        let input = json!({ "CollectionId": "staff", "NextToken": token });
        let mut page = client.ok("ListFaces", input).await;
        faces.append(page["Faces"].as_array_mut().unwrap());
        token = page["NextToken"].take();
        if token.is_null() {
            return faces;
        }
    }
}

async fn check(client: &Client, known: &Acknowledged) {
    let faces = all_faces(client).await;
    let described = client.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(described["FaceCount"], faces.len());
    let there: HashSet<&str> = faces.iter().map(|face| face["FaceId"].as_str().unwrap()).collect();
    for id in known
        .indexed
        .iter()
        .filter(|id| !known.deleted.contains(*id) && !known.doubtful.contains(*id))
    {
        assert!(there.contains(id.as_str()), "an acknowledged face is lost: {id}");
    }
    for id in &known.deleted {
        assert!(!there.contains(id.as_str()), "a deleted face is back: {id}");
    }
    let mut images: HashMap<&str, usize> = HashMap::new();
    for face in &faces {
        *images.entry(face["ExternalImageId"].as_str().unwrap()).or_default() += 1;
    }
    for (image, count) in images {
        assert_eq!(count, FACES_OF_IMAGE, "{image} is half there");
    }
    if let Some(face) = faces.first() {
        let search = json!({
            "CollectionId": "staff", "FaceId": face["FaceId"], "FaceMatchThreshold": 0,
            "MaxFaces": MOST_MATCHES
        });
        let found = client.ok("SearchFaces", search).await;
        assert_eq!(
            found["FaceMatches"].as_array().unwrap().len(),
            (faces.len() - 1).min(MOST_MATCHES),
            "searches see what lists see"
        );
    }
}
