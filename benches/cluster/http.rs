//! A server in this process, called over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use lookalike::config::Cli;
use lookalike::server::Server;
use lookalike_store::{Store, Tenant};
use reqwest::Client;
use serde_json::{Value, json};

use super::node::image;

const FACES_OF_IMAGE: u32 = 100;

pub struct Http {
    pub store: Arc<dyn Store>,
    url: String,
    client: Client,
}

impl Http {
    /// Starts a server over that data.
    pub async fn start(data: &str, options: &[&str]) -> Self {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
        let arguments = ["lookalike", "--listen", "127.0.0.1:0", "--models", models];
        let own = ["--workers", "1", "--data", data];
        let config = Cli::parse_from(arguments.iter().chain(&own).chain(options)).serve;
        let server = Server::bind(&config).await.expect("starts");
        let url = format!("http://{}", server.addr());
        let store = Arc::clone(&server.app().store);
        tokio::spawn(server.run(std::future::pending(), std::future::pending()));
        Self { store, url, client: Client::new() }
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("RekognitionService.{operation}"))
            .body(input.to_string());
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{operation}: {}", response.status());
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON")
    }

    pub async fn system(&self) -> Value {
        let response = self.client.get(format!("{}/_lookalike/system", self.url)).send().await;
        let body = response.expect("an answer").bytes().await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Makes a collection of so many faces, in calls of many; gives the ids of up to `most` of them
    /// from all over it, and the faces a second.
    pub async fn fill(&self, name: &str, faces: u64, most: usize) -> (Vec<String>, f64) {
        self.call("CreateCollection", json!({ "CollectionId": name })).await;
        let tenant = Tenant { account: "000000000000".to_owned(), region: "us-east-1".to_owned() };
        let collection = self.store.collection(&tenant, name).await.expect("was made");
        let start = Instant::now();
        let mut ids = Vec::new();
        for number in 0..faces / u64::from(FACES_OF_IMAGE) {
            let image = image(&collection, number, FACES_OF_IMAGE);
            let kept = self.store.index_faces(image).await.expect("stored");
            ids.extend(kept.into_iter().map(|face| face.face_id));
        }
        let rate = faces as f64 / start.elapsed().as_secs_f64();
        let ids = ids.iter().step_by(ids.len().div_ceil(most)).map(ToString::to_string);
        (ids.collect(), rate)
    }

    /// How long a SearchFaces takes for each of these faces.
    pub async fn search(&self, name: &str, faces: &[String]) -> Vec<Duration> {
        let mut times = Vec::new();
        for face in faces {
            let start = Instant::now();
            let input = json!({ "CollectionId": name, "FaceId": face });
            let answer = self.call("SearchFaces", input).await;
            times.push(start.elapsed());
            assert_ne!(answer["FaceMatches"], json!([]), "the others of the person");
        }
        times
    }
}
