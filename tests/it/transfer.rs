//! Collections out of a running server and into it.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::support::faces::{Photo, group};
use crate::support::process::Process;
use crate::support::{Client, TestServer, bytes};

/// A collection with users, tags and faces of an image of three people and of each of them.
async fn furnish(client: &Client, name: &str) {
    client.ok("CreateCollection", json!({ "CollectionId": name, "Tags": { "team": "red" } })).await;
    let mut faces = Vec::new();
    for (image, photo) in
        [group(&[100, 110, 120]), Photo::of(1, 1), Photo::of(2, 1)].iter().enumerate()
    {
        let input = json!({
            "CollectionId": name,
            "Image": bytes(&photo.jpeg()),
            "ExternalImageId": format!("image-{image}"),
        });
        let indexed = client.ok("IndexFaces", input).await;
        let records = indexed["FaceRecords"].as_array().unwrap();
        faces.extend(records.iter().map(|record| record["Face"]["FaceId"].clone()));
    }
    assert_eq!(faces.len(), 5);
    for (user, face) in [("one", 3), ("two", 4)] {
        client.ok("CreateUser", json!({ "CollectionId": name, "UserId": user })).await;
        let face_ids = json!([faces[face]]);
        let input = json!({ "CollectionId": name, "UserId": user, "FaceIds": face_ids });
        client.ok("AssociateFaces", input).await;
    }
    client.ok("CreateUser", json!({ "CollectionId": name, "UserId": "nobody" })).await;
}

/// All that a client can see of a collection.
async fn seen(client: &Client, name: &str) -> Value {
    let id = json!({ "CollectionId": name });
    let mut described = client.ok("DescribeCollection", id.clone()).await;
    let arn = described["CollectionARN"].take();
    let probe = bytes(&Photo::of(1, 2).jpeg());
    let search = json!({ "CollectionId": name, "Image": probe, "FaceMatchThreshold": 0 });
    let users = json!({ "CollectionId": name, "Image": probe, "UserMatchThreshold": 0 });
    json!([
        described,
        client.ok("ListFaces", id.clone()).await,
        client.ok("ListUsers", id).await,
        client.ok("ListTagsForResource", json!({ "ResourceArn": arn })).await,
        client.ok("SearchFacesByImage", search).await["FaceMatches"],
        client.ok("SearchUsersByImage", users).await["UserMatches"],
    ])
}

async fn export(client: &Client, query: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}/_lookalike/export{query}", client.url())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn import(client: &Client, query: &str, file: impl Into<reqwest::Body>) -> (u16, Value) {
    let url = format!("{}/_lookalike/import{query}", client.url());
    let answer = reqwest::Client::new().post(url).body(file).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn names(client: &Client) -> Value {
    client.ok("ListCollections", json!({})).await["CollectionIds"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_collection_answers_as_the_exported_one() {
    let source = TestServer::start().await;
    furnish(&source, "staff").await;
    let before = seen(&source, "staff").await;
    let (status, file) = export(&source, "?collection=staff").await;
    assert_eq!(status, 200);
    let line = |number: usize| -> Value {
        serde_json::from_str(file.lines().nth(number).unwrap()).unwrap()
    };
    assert_eq!(line(0)["lookalike_export"]["version"], 1);
    assert_eq!(line(1)["collection"]["name"], "staff");
    assert_eq!(line(1)["collection"]["faces"], 5);
    assert_eq!(line(4)["user"], "nobody");
    assert_eq!(file.lines().count(), 11);

    let target = TestServer::start().await;
    let (status, imported) = import(&target, "", file.clone()).await;
    assert_eq!(status, 200, "{imported}");
    let expected = json!({ "account": "000000000000", "region": "us-east-1", "collection": "staff",
                           "users": 3, "faces": 5 });
    assert_eq!(imported["collections"], json!([expected]));
    assert_eq!(seen(&target, "staff").await, before);
    // The images are known, and the file comes out as it went in.
    source.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    let (_, again) = export(&target, "").await;
    assert_eq!(again, file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_gets_another_name_account_and_region() {
    let server = TestServer::start().await;
    furnish(&server, "staff").await;
    let before = seen(&server, "staff").await;
    let (_, file) = export(&server, "").await;
    let (status, _) = import(&server, "?as=copy", file.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(names(&server).await, json!(["staff", "copy"]));
    assert_eq!(seen(&server, "copy").await, before);
    let (status, imported) = import(&server, "?region=eu-west-1", file.clone()).await;
    assert_eq!((status, &imported["collections"][0]["region"]), (200, &json!("eu-west-1")));
    let there = server.call_as("eu-west-1", "ListCollections", json!({})).await;
    assert_eq!(there.body["CollectionIds"], json!(["staff"]));
    for (query, text) in [
        ("?as=a/b", "no collection id"),
        ("?account=12", "twelve digits"),
        ("?region=EU+west", "region"),
        ("?name=x", "unknown field"),
    ] {
        let (status, body) = import(&server, query, file.clone()).await;
        assert_eq!(status, 400, "{query}");
        assert!(body["error"].as_str().unwrap().contains(text), "{query}: {body}");
    }
    let (_, both) = export(&server, "?account=000000000000&region=us-east-1").await;
    let (status, body) = import(&server, "?as=x", both).await;
    assert_eq!(status, 400, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_only_replaced_when_asked() {
    let server = TestServer::start().await;
    furnish(&server, "staff").await;
    let (_, file) = export(&server, "").await;
    let before = seen(&server, "staff").await;
    let (status, body) = import(&server, "", file.clone()).await;
    assert_eq!(status, 409);
    assert!(body["error"].as_str().unwrap().contains("staff exists already"), "{body}");
    server.index_one("staff", &Photo::of(9, 0).jpeg()).await;
    assert_ne!(seen(&server, "staff").await, before);
    let (status, _) = import(&server, "?replace=true", file).await;
    assert_eq!(status, 200);
    assert_eq!(seen(&server, "staff").await, before);
    let (status, body) = export(&server, "?collection=none").await;
    assert_eq!(status, 404, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_wrong_file_is_imported() {
    let server = TestServer::start().await;
    furnish(&server, "staff").await;
    let (_, file) = export(&server, "").await;
    server.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    let half = file.len() / 2;
    let without_end = file[..=file.trim_end().rfind('\n').unwrap()].to_owned();
    let space = file.find('+').expect("the vector space");
    let other_pack = format!("{}+0000{}", &file[..space], &file[space + 1..]);
    for (wrong, status, text) in [
        (file[..half].to_owned(), 400, "cut off"),
        (without_end, 400, "cut off"),
        (file.replacen("\"confidence\":9", "\"confidence\":8", 1), 400, "SHA-256"),
        (file.replacen("\"one\"", "\"eno\"", 1), 400, "SHA-256"),
        (file.replacen("\"faces\":5", "\"faces\":6", 1), 400, "instead of"),
        (file.replacen("\"version\":1", "\"version\":2", 1), 400, "format 2"),
        (file.replacen("\"vector\":\"", "\"vector\":\"AAAA", 1), 400, "line 6"),
        (other_pack, 409, "none of this server's packs"),
        (format!("{file}\n"), 400, "after the last one"),
        ("<html>".to_owned(), 400, "no export"),
        (String::new(), 400, "cut off"),
    ] {
        let (found, body) = import(&server, "", wrong).await;
        assert_eq!(found, status, "{text}: {body}");
        assert!(body["error"].as_str().unwrap().contains(text), "{text}: {body}");
        assert_eq!(names(&server).await, json!([]), "{text}");
    }
    let (status, _) = import(&server, "", file).await;
    assert_eq!(status, 200);
}

/// The beginning of an export of many faces: copies of its first one, with ids of their own.
fn large(file: &str, faces: u32) -> String {
    let lines: Vec<&str> = file.lines().collect();
    let face = lines.iter().find(|line| line.starts_with("{\"face\"")).expect("a face");
    let mut face: Value = serde_json::from_str(face).unwrap();
    let mut text = format!("{}\n{}\n", lines[0], lines[1]);
    for number in 0..faces {
        face["face"]["face_id"] = format!("00000000-0000-4000-8000-{number:012x}").into();
        face["face"]["image_sha256"] = format!("{number:064x}").into();
        text += &face.to_string();
        text.push('\n');
    }
    text
}

/// A body that sends this, and then nothing for ever.
fn stalled(text: String) -> reqwest::Body {
    let piece = stream::once(async move { Ok::<_, std::io::Error>(text) });
    reqwest::Body::wrap_stream(piece.chain(stream::pending()))
}

fn log_size(data: &Path) -> u64 {
    std::fs::metadata(data.join("lookalike.sqlite3-wal")).map_or(0, |file| file.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_during_an_import_shows_nothing_of_it() {
    let source = TestServer::start().await;
    furnish(&source, "staff").await;
    let (_, file) = export(&source, "").await;
    let data = tempfile::tempdir().unwrap();
    let mut process = Process::start(data.path());
    let client = Client::new(&process.url);
    let sent = tokio::spawn({
        let (client, body) = (client.clone(), stalled(large(&file, 3000)));
        async move {
            let url = format!("{}/_lookalike/import", client.url());
            reqwest::Client::new().post(url).body(body).send().await.is_ok()
        }
    });
    // Until rows are on disk.
    let deadline = Instant::now() + Duration::from_secs(20);
    while log_size(data.path()) < 1 << 20 {
        assert!(Instant::now() < deadline, "nothing was written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(names(&client).await, json!([]));
    process.kill();
    assert!(!sent.await.unwrap());
    let process = Process::start(data.path());
    let client = Client::new(&process.url);
    assert_eq!(names(&client).await, json!([]));
    let (status, _) = import(&client, "", file).await;
    assert_eq!(status, 200);
    assert_eq!(names(&client).await, json!(["staff"]));
}

/// Runs the binary to its end; what it printed.
fn lookalike(arguments: &[&str]) -> (bool, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_lookalike"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs");
    let printed = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(printed).expect("UTF-8"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_checked_and_exported_beside_its_server() {
    let address = lookalike_store::testing::server().schema().await;
    let server = TestServer::with(&["--data", &address, "--workers", "1"]).await;
    furnish(&server, "staff").await;
    let (is_sound, printed) = lookalike(&["check", "--data", &address]);
    assert!(is_sound && printed.contains("sound; 1 collections, 5 faces"), "{printed}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("staff.jsonl");
    let file = file.to_str().unwrap();
    let (is_written, printed) = lookalike(&["export", file, "--data", &address]);
    assert!(is_written && printed.contains("5 faces"), "{printed}");
    let (is_read, printed) =
        lookalike(&["import", file, "--as", "copy", "--data", &address, "--models", "models"]);
    assert!(is_read, "{printed}");
    assert_eq!(seen(&server, "copy").await, seen(&server, "staff").await);

    let (is_sound, printed) =
        lookalike(&["check", "--data", "postgres://ann:s3cret@127.0.0.1:1/x"]);
    assert!(!is_sound && printed.contains("cannot be reached"), "{printed}");
    assert!(!printed.contains("s3cret"), "{printed}");
}
