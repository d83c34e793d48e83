//! Stopping: what is under way is finished, and nobody is waited for without end.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::time::Duration;

use lookalike::server::Server;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::{Client, options};

const HEAD: &str = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: RekognitionService.ListCollections\r\n\
                    content-type: application/x-amz-json-1.1\r\ncontent-length: 2\r\n\r\n";

/// A server, its address and what stops it.
async fn start(
    patience: impl Future<Output = ()> + Send + 'static,
) -> (JoinHandle<()>, SocketAddr, oneshot::Sender<()>) {
    let server = Server::bind(&options(&[])).await.expect("the server starts");
    let address = server.addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    (tokio::spawn(server.run(stopped, patience)), address, stop)
}

/// A connection that has sent no more than this, and that the server has taken.
async fn half_open(address: SocketAddr, sent: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.expect("connects");
    connection.write_all(sent.as_bytes()).await.expect("sends");
    // Connections are taken in their order.
    Client::new(&format!("http://{address}")).ok("ListCollections", json!({})).await;
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_ends_is_not_waited_for() {
    let (running, address, stop) = start(async { sleep(Duration::from_millis(300)).await }).await;
    let _half_a_line = half_open(address, "POST / HT").await;
    let _half_a_body = half_open(address, &format!("{HEAD}{{")).await;
    stop.send(()).expect("runs");
    let ended = timeout(Duration::from_secs(5), running).await.expect("ends");
    ended.expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered() {
    let (running, address, stop) = start(pending()).await;
    let mut connection = half_open(address, &format!("{HEAD}{{")).await;
    stop.send(()).expect("runs");
    sleep(Duration::from_millis(100)).await;
    assert!(!running.is_finished());
    connection.write_all(b"}").await.expect("sends");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let ended = timeout(Duration::from_secs(5), running).await.expect("ends");
    ended.expect("no panic");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_process_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut process = crate::support::process::Process::start(data.path());
    let address = process.url.trim_start_matches("http://").parse().expect("an address");
    let _half_a_line = half_open(address, "POST / HT").await;
    process.terminate();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(process.ended(), None, "the client may go on for a while");
    process.terminate();
    let ended = async {
        loop {
            match process.ended() {
                Some(status) => break status,
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    assert!(timeout(Duration::from_secs(10), ended).await.expect("ends").success());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_hangs_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    // An endpoint that takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let options = ["--s3", &endpoint];
    let keys = [("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")];
    let data = folder.path().join("data");
    let mut process = crate::support::process::Process::with(&data, &options, &keys);
    let client = Client::new(&process.url);
    let image = json!({ "Image": { "S3Object": { "Bucket": "photos", "Name": "pipe.jpg" } } });
    let call = async { client.try_call("DetectFaces", image).await };
    let _ = timeout(Duration::from_millis(500), call).await;
    process.terminate();
    sleep(Duration::from_millis(200)).await;
    process.terminate();
    let ended = async {
        while process.ended().is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), ended).await.expect("ends");
}
