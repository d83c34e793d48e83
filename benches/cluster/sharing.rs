//! Searches over HTTP on the node that has the collection in memory, and on one that asks it.

use std::time::Duration;

use lookalike_store::testing::Server as Database;

use super::http::Http;
use super::{SEARCHES, print_times};

const FACES: u64 = 100_000;

/// Waits until the node knows of another one.
async fn until_two(node: &Http) {
    while node.system().await["nodes"].as_array().is_none_or(|nodes| nodes.len() < 2) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn run(database: &Database) {
    let address = database.schema().await;
    let sharing = ["--node-address", "http://127.0.0.1:0"];
    let nodes = [Http::start(&address, &sharing).await, Http::start(&address, &sharing).await];
    let (faces, _) = nodes[0].fill("shared", FACES, SEARCHES).await;
    for node in &nodes {
        until_two(node).await;
        node.search("shared", &faces[..10]).await;
    }
    for _ in 0..2 {
        for node in &nodes {
            let owns = node.system().await["memory"]["loaded_collections"] != 0;
            let who = if owns { "owns them" } else { "asks another" };
            let title = format!("SearchFaces of {FACES} faces, on a node that {who}, one client");
            print_times(&title, node.search("shared", &faces).await);
        }
    }
}
