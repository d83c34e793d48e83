//! Collections that a file describes, made at start and on request.

use std::fs;

use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::{TestServer, options};

const SEED: &str = r#"
[[collection]]
id = "staff"
tags = { team = "red" }
users = ["without-faces"]
people = "people"
images = "others"

[[collection]]
id = "empty"
region = "eu-west-1"
"#;

/// A folder with a seed file and the pictures that it names.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("seed.toml", SEED.as_bytes());
    write("people/ann/one.jpg", &Photo::of(1, 0).jpeg());
    write("people/ann/two.jpg", &Photo::of(1, 1).jpeg());
    write("people/bob/one.jpg", &Photo::of(2, 0).jpeg());
    write("people/bob/broken.jpg", b"no image");
    write("others/guest.jpg", &Photo::of(3, 0).jpeg());
    folder
}

async fn users(server: &TestServer) -> Vec<(String, String)> {
    let list = server.ok("ListUsers", json!({ "CollectionId": "staff" })).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let users = list["Users"].as_array().unwrap().iter();
    users.map(|user| (text(&user["UserId"]), text(&user["UserStatus"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_with_what_its_seed_file_describes() {
    let folder = folder();
    let seed = folder.path().join("seed.toml");
    let data = folder.path().join("data");
    let options = ["--seed", seed.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let mut faces = Vec::new();
    // The second start finds everything there.
    for _ in 0..2 {
        let server = TestServer::with(&options).await;
        let found = [("without-faces", "CREATED"), ("ann", "ACTIVE"), ("bob", "ACTIVE")];
        let found = found.map(|(id, status)| (id.to_owned(), status.to_owned()));
        assert_eq!(users(&server).await, found);
        let list =
            server.ok("ListFaces", json!({ "CollectionId": "staff" })).await["Faces"].clone();
        assert_eq!(list.as_array().unwrap().len(), 4);
        faces.push(list);
        let there = server.call_as("eu-west-1", "ListCollections", json!({})).await;
        assert_eq!(there.body["CollectionIds"], json!(["empty"]));
        server.store().close().await;
    }
    assert_eq!(faces[0], faces[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_may_seed_again() {
    let folder = folder();
    let seed = folder.path().join("seed.toml");
    let server = TestServer::with(&["--seed", seed.to_str().unwrap()]).await;
    server.collection("more").await;
    let reset = json!({ "seed": true });
    let reply = server.admin("POST", "/_lookalike/reset", &[], Some(reset)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(server.ok("ListCollections", json!({})).await["CollectionIds"], json!(["staff"]));
    assert_eq!(users(&server).await.len(), 3);
}

async fn post(server: &TestServer, document: &str) -> (u16, Value) {
    let url = format!("{}/_lookalike/seed", server.url());
    let answer = reqwest::Client::new().post(url).body(document.to_owned()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_seeds_and_states_what_was_refused() {
    let folder = folder();
    let seed = folder.path().join("seed.toml");
    let server = TestServer::with(&["--seed", seed.to_str().unwrap()]).await;
    let (status, body) = post(&server, "").await;
    assert_eq!((status, &body["collections"][0]["known"]), (200, &json!(4)), "{body}");
    assert_eq!((&body["collections"][0]["indexed"]), (&json!(0)));
    let refused = body["collections"][0]["refused"][0].as_str().unwrap();
    assert!(refused.contains("broken.jpg: InvalidImageFormatException"), "{refused}");
    let (status, body) =
        post(&server, "[[collection]]\nid = \"guests\"\nimages = \"others\"").await;
    assert_eq!((status, &body["collections"][0]["indexed"]), (200, &json!(1)), "{body}");
    let (status, body) = post(&server, "[[collection]]\nid = \"x\"\nimages = \"/etc\"").await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("line 3"), "{body}");

    let plain = TestServer::start().await;
    assert_eq!(post(&plain, "").await.0, 400);
    assert_eq!(post(&plain, "[[collection]]\nid = \"x\"\nusers = [\"ann\"]").await.0, 200);
    let list = plain.ok("ListUsers", json!({ "CollectionId": "x" })).await;
    assert_eq!(list["Users"][0]["UserId"], "ann");
}

#[tokio::test]
async fn a_server_does_not_start_with_a_wrong_seed_file() {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.toml");
    fs::write(&seed, "[[collection]]\nid = \"a b\"\n").unwrap();
    let options = options(&["--seed", seed.to_str().unwrap()]);
    let error = lookalike::server::Server::bind(&options).await.err().expect("a mistake");
    assert!(error.to_string().contains("line 2 of the seed file: id"), "{error}");
}
