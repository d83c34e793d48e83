//! Nodes that hang, are killed and come.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lookalike_store::Store;
use lookalike_store::testing::server as database;
use serde_json::json;

use super::{FACES, SHARING, an_image, compare, fill, searches, tenant, until_nodes};
use crate::support::process::Process;
use crate::support::{Client, TestServer};

fn process(address: &str) -> Process {
    Process::with(Path::new(address), &SHARING, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_hang_or_are_killed_cost_no_answer() {
    let address = database().schema().await;
    let reference = TestServer::with(&["--data", &address, "--workers", "1"]).await;
    let [stays, hangs, mut dies] = [process(&address), process(&address), process(&address)];
    let client = Client::new(&stays.url);
    client.collection("large").await;
    let faces = fill(&**reference.store(), "large", FACES).await;
    let all = searches("large", &faces);
    until_nodes(&client, 3).await;
    for node in [&hangs, &dies] {
        until_nodes(&Client::new(&node.url), 3).await;
    }
    compare(&reference, &[&client], &all).await;
    hangs.signal("STOP");
    compare(&reference, &[&client], &all).await;
    hangs.signal("CONT");
    until_nodes(&client, 3).await;
    compare(&reference, &[&client, &Client::new(&hangs.url)], &all).await;
    dies.kill();
    let both = [&client, &Client::new(&hangs.url)];
    compare(&reference, &both, &all).await;
    let again = process(&address);
    until_nodes(&client, 3).await;
    compare(&reference, &[both[0], both[1], &Client::new(&again.url)], &all).await;
}

/// Adds a face like another one and takes it away again, until it is told to stop; each search in
/// between sees what was answered before. Gives the number of turns.
async fn add_and_take(
    store: Arc<dyn Store>,
    client: Client,
    number: usize,
    stop: Arc<AtomicBool>,
) -> usize {
    let collection = store.collection(&tenant(), "large").await.expect("made before");
    let mut vector = vec![0.0; 32];
    vector[number] = 1.0;
    let keep = async |turn: usize| {
        let image = an_image(&collection, 100_000 * (number + 1) + turn, vec![vector.clone()]);
        store.index_faces(image).await.expect("kept").remove(0).face_id
    };
    let probe = keep(0).await;
    let search = json!({ "CollectionId": "large", "FaceId": probe, "FaceMatchThreshold": 99 });
    let found = async || {
        let answer = client.ok("SearchFaces", search.clone()).await;
        let matches = answer["FaceMatches"].as_array().expect("a list").iter();
        matches.map(|found| found["Face"]["FaceId"].clone()).collect::<Vec<_>>()
    };
    for turn in 1.. {
        let face = keep(turn).await;
        assert_eq!(found().await, [json!(face)], "client {number}, turn {turn}: not found");
        store.delete_faces(&collection, &[face]).await.expect("deleted");
        assert!(found().await.is_empty(), "client {number}, turn {turn}: found after its deletion");
        if stop.load(Relaxed) {
            return turn;
        }
    }
    unreachable!("the loop ends by returning")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_found_while_nodes_come_and_go() {
    let address = database().schema().await;
    let [stays, hangs, mut dies] = [process(&address), process(&address), process(&address)];
    let client = Client::new(&stays.url);
    client.collection("large").await;
    let store: Arc<dyn Store> = lookalike_store::open(&address).await.expect("opens");
    fill(&*store, "large", FACES).await;
    until_nodes(&client, 3).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|number| {
            let (store, client) = (Arc::clone(&store), client.clone());
            tokio::spawn(add_and_take(store, client, number, Arc::clone(&stop)))
        })
        .collect();
    let pass = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;
    pass(1).await;
    dies.kill();
    pass(1).await;
    let _again = process(&address);
    pass(2).await;
    hangs.signal("STOP");
    pass(6).await;
    hangs.signal("CONT");
    pass(2).await;
    stop.store(true, Relaxed);
    for client in clients {
        assert!(client.await.expect("each search is right") > 2);
    }
    store.close().await;
}
