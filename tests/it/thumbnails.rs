//! Small pictures of indexed faces: kept where they are asked for, gone with the face.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lookalike::server::Server;
use serde_json::json;

use crate::support::faces::{Photo, group};
use crate::support::{Client, TestServer, bytes, options};

const ACCOUNT: &str = "000000000000";

/// Status and body.
async fn thumbnail(server: &Client, collection: &str, face: &str) -> (u16, Vec<u8>) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let names =
        format!("account={ACCOUNT}&region=us-east-1&collection={collection}&face_id={face}");
    let url = format!("{}/_lookalike/thumbnails?{names}", server.url());
    let answer = client.get(url).send().await.expect("an answer");
    let status = answer.status().as_u16();
    if status == 200 {
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
    }
    (status, answer.bytes().await.expect("a body").to_vec())
}

async fn delete(server: &Client, face: &str) {
    server.ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": [face] })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_unless_it_is_asked_for() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let face = server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
    assert_eq!(thumbnail(&server, "staff", &face).await, (204, vec![]));
    let system = server.admin("GET", "/_lookalike/system", &[], None).await.body;
    assert_eq!(system["thumbnails"], "off");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_an_upright_crop_of_each_face_until_it_is_deleted() {
    let server = TestServer::with(&["--thumbnails", "memory"]).await;
    server.collection("staff").await;
    let input = json!({ "CollectionId": "staff", "Image": bytes(&group(&[100, 110, 120]).jpeg()) });
    let indexed = server.ok("IndexFaces", input).await;
    let mut seen = Vec::new();
    for record in indexed["FaceRecords"].as_array().expect("records") {
        let face = record["Face"]["FaceId"].as_str().expect("an id").to_owned();
        let (status, picture) = thumbnail(&server, "staff", &face).await;
        assert_eq!(status, 200);
        let picture = image::load_from_memory(&picture).expect("a picture");
        assert_eq!((picture.width(), picture.height()), (112, 112));
        seen.push((face, picture));
    }
    assert_eq!(seen.len(), 3);
    assert!(seen[0].1 != seen[1].1 && seen[1].1 != seen[2].1, "each has its own");
    let (face, _) = &seen[0];
    assert_eq!(thumbnail(&server, "visitors", face).await.0, 404);
    delete(&server, face).await;
    assert_eq!(thumbnail(&server, "staff", face).await.0, 204);
    server.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(thumbnail(&server, "staff", &seen[1].0).await.0, 404);
    let system = server.admin("GET", "/_lookalike/system", &[], None).await.body;
    assert_eq!(system["thumbnails"], "memory");
}

/// All thumbnails below a data folder.
fn files(data: &Path) -> Vec<PathBuf> {
    let read = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let folders = read(&data.join("lookalike-thumbnails"));
    folders.iter().flat_map(|folder| read(folder)).collect()
}

/// What is removed goes soon after the answer.
async fn wait_for(data: &Path, count: usize) {
    let until = Instant::now() + Duration::from_secs(10);
    while files(data).len() != count {
        assert!(Instant::now() < until, "{:?} in place of {count}", files(data));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_keeps_those_of_tagged_collections_and_removes_them_with_the_face() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let options = ["--thumbnails", "disk", "--data", data.to_str().expect("UTF-8")];
    let server = TestServer::with(&options).await;
    let photos: Vec<Vec<u8>> = (1..4).map(|person| Photo::of(person, 0).jpeg()).collect();
    server.collection("staff").await;
    server.index_one("staff", &photos[0]).await;
    assert_eq!(files(data), Vec::<PathBuf>::new(), "the collection has no tag");

    let arn = server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
    let arn = &arn["CollectionARN"];
    let tag = json!({ "ResourceArn": arn, "Tags": { "lookalike:thumbnails": "on" } });
    server.ok("TagResource", tag.clone()).await;
    let one = server.index_one("staff", &photos[1]).await;
    let two = server.index_one("staff", &photos[2]).await;
    assert_eq!(thumbnail(&server, "staff", &one).await.0, 200);
    let there = files(data);
    assert_eq!(there.len(), 2);
    for path in &there {
        let mode = std::fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    delete(&server, &one).await;
    wait_for(data, 1).await;

    // As a crash between commit and removal leaves it.
    let left = there[0].with_file_name("999.jpg");
    std::fs::write(&left, b"of a deleted face").expect("writes");
    server.store().close().await;
    drop(server);
    let server = TestServer::with(&options).await;
    wait_for(data, 1).await;
    assert!(!left.exists());
    assert_eq!(thumbnail(&server, "staff", &two).await.0, 200);

    let untag = json!({ "ResourceArn": arn, "TagKeys": ["lookalike:thumbnails"] });
    server.ok("UntagResource", untag).await;
    assert_eq!(files(data), Vec::<PathBuf>::new());
    server.ok("TagResource", tag).await;
    server.index_one("staff", &photos[2]).await;
    assert_eq!(files(data).len(), 1, "the face that is there already gets its picture");
    server.admin("POST", "/_lookalike/reset", &[], Some(json!({}))).await;
    wait_for(data, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_refused_at_start() {
    let database = lookalike_store::testing::server().schema().await;
    for (extra, word) in [
        (vec!["--thumbnails", "disk"], ":memory:"),
        (vec!["--thumbnails", "memory", "--data", &database], "share"),
    ] {
        let refused = Server::bind(&options(&extra)).await.err().expect("a refusal");
        assert!(refused.to_string().contains(word), "{refused}");
    }
}
