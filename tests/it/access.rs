//! The credentials file of a running server.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::process::Process;
use crate::support::{Client, TestServer};

fn write_key(file: &Path, key: &str) {
    let keys = format!(
        "[[key]]\naccess_key_id = \"{key}\"\nsecret_access_key = \"hush\"\naccount = \"123456789012\"\nuser = \"alice\"\n"
    );
    std::fs::write(file, keys).expect("writes");
}

async fn status(client: &Client, key: &str) -> u16 {
    client.signed(key, "hush", "ListCollections", json!({})).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_the_keys_and_a_broken_file_keeps_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    write_key(&file, "AKIDOLD");
    let options = ["--credentials", file.to_str().unwrap()];
    let mut process = Process::with(&folder.path().join("data"), &options, &[]);
    let client = Client::new(&process.url);
    assert_eq!((status(&client, "AKIDOLD").await, status(&client, "AKIDNEW").await), (200, 400));

    write_key(&file, "AKIDNEW");
    process.signal("HUP");
    for _ in 0..50 {
        if status(&client, "AKIDNEW").await == 200 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((status(&client, "AKIDOLD").await, status(&client, "AKIDNEW").await), (400, 200));

    std::fs::write(&file, "[[key").unwrap();
    process.signal("HUP");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(status(&client, "AKIDNEW").await, 200);
    assert_eq!(process.ended(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_without_a_sound_signature_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    write_key(&file, "AKIDALICE");
    let server = TestServer::with(&["--credentials", file.to_str().unwrap()]).await;
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: RekognitionService.IndexFaces\r\n\
                content-type: application/x-amz-json-1.1\r\ncontent-length: 7000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    let read = timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..read.expect("an answer").unwrap()]).into_owned();
    assert!(answer.contains("MissingAuthenticationTokenException"), "{answer}");
}
