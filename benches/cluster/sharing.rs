//! Searches over HTTP on the node that has the collection in memory, and on one that asks it.

use std::time::{Duration, Instant};

use clap::Parser as _;
use lookalike::config::Cli;
use lookalike::server::Server;
use lookalike_store::Tenant;
use lookalike_store::testing::Server as Database;
use reqwest::Client;
use serde_json::{Value, json};

use super::node::image;
use super::{FACES, FACES_OF_IMAGE, SEARCHES, print_times};

/// A server in this process.
struct Node {
    url: String,
    http: Client,
}

impl Node {
    async fn call(&self, operation: &str, input: Value) -> Value {
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("RekognitionService.{operation}"))
            .body(input.to_string());
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{operation}: {}", response.status());
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON")
    }

    async fn system(&self) -> Value {
        let response = self.http.get(format!("{}/_lookalike/system", self.url)).send().await;
        let body = response.expect("an answer").bytes().await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Waits until the node knows of another one.
    async fn until_two(&self) {
        while self.system().await["nodes"].as_array().is_none_or(|nodes| nodes.len() < 2) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn search(&self, faces: &[String]) -> Vec<Duration> {
        let mut times = Vec::new();
        for number in 0..SEARCHES as usize {
            let face = &faces[number % faces.len()];
            let start = Instant::now();
            self.call("SearchFaces", json!({ "CollectionId": "shared", "FaceId": face })).await;
            times.push(start.elapsed());
        }
        times
    }
}

pub async fn run(database: &Database) {
    let address = database.schema().await;
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let arguments =
        ["lookalike", "--listen", "127.0.0.1:0", "--models", models, "--data", &address];
    let sharing = ["--workers", "1", "--node-address", "http://127.0.0.1:0"];
    let config = Cli::parse_from(arguments.into_iter().chain(sharing)).serve;
    let (mut nodes, mut store) = (Vec::new(), None);
    for _ in 0..2 {
        let server = Server::bind(&config).await.expect("starts");
        let url = format!("http://{}", server.addr());
        store = Some(std::sync::Arc::clone(&server.app().store));
        tokio::spawn(server.run(std::future::pending(), std::future::pending()));
        nodes.push(Node { url, http: Client::new() });
    }
    nodes[0].call("CreateCollection", json!({ "CollectionId": "shared" })).await;
    let tenant = Tenant { account: "000000000000".to_owned(), region: "us-east-1".to_owned() };
    let store = store.expect("a store");
    let collection = store.collection(&tenant, "shared").await.expect("was made");
    let mut faces = Vec::new();
    for number in 0..FACES / u64::from(FACES_OF_IMAGE) {
        let image = image(&collection, number, FACES_OF_IMAGE);
        let kept = store.index_faces(image).await.expect("stored");
        faces.push(kept[0].face_id.to_string());
    }
    for node in &nodes {
        node.until_two().await;
        node.call("SearchFaces", json!({ "CollectionId": "shared", "FaceId": faces[0] })).await;
    }
    for _ in 0..2 {
        for node in &nodes {
            let owns = node.system().await["memory"]["loaded_collections"] != 0;
            let who = if owns { "owns them" } else { "asks another" };
            let title = format!("SearchFaces of {FACES} faces, on a node that {who}, one client");
            print_times(&title, node.search(&faces).await);
        }
    }
}
