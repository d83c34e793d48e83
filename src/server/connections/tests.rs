use std::net::SocketAddr;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::*;

const HEAD: Duration = Duration::from_millis(300);
const IDLE: Duration = Duration::from_millis(900);
const SLOW: Duration = Duration::from_millis(1500);
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const SLOW_REQUEST: &str = "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn start(most: usize) -> (SocketAddr, oneshot::Sender<()>) {
    let slow = || async {
        sleep(SLOW).await;
        "slow"
    };
    let routes = Router::new().route("/", get(|| async { "fast" })).route("/slow", get(slow));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let limits = Limits { most, head: HEAD, idle: IDLE };
    tokio::spawn(serve(listener, routes, limits, async move {
        let _ = stopped.await;
    }));
    (address, stop)
}

async fn connect(address: SocketAddr, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(sent.as_bytes()).await.expect("sends");
    stream
}

/// Everything until the server closes, and how long that took.
async fn rest(mut stream: TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    (String::from_utf8_lossy(&bytes).into_owned(), start.elapsed())
}

#[tokio::test]
async fn silent_connections_are_closed_and_slow_answers_are_waited_for() {
    let (address, _stop) = start(100).await;
    let half_a_head = connect(address, "GET / HT").await;
    let idle = connect(address, "").await;
    let answered = connect(address, REQUEST).await;
    let answering = connect(address, SLOW_REQUEST).await;
    let (half, idle, answered, answering) =
        tokio::join!(rest(half_a_head), rest(idle), rest(answered), rest(answering));
    assert!((HEAD..IDLE).contains(&half.1), "{half:?}");
    assert!(idle.1 >= IDLE && idle.0.is_empty(), "{idle:?}");
    assert!(answered.1 >= IDLE && answered.0.ends_with("fast"), "{answered:?}");
    assert!(answering.1 >= SLOW && answering.0.ends_with("slow"), "{answering:?}");
}

#[tokio::test]
async fn idle_connections_make_room_and_busy_ones_do_not() {
    let (address, _stop) = start(3).await;
    let busy = connect(address, SLOW_REQUEST).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect(address, "").await);
    }
    let caller = connect(address, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let (text, took) = rest(caller.await).await;
    assert!(text.ends_with("fast") && took < HEAD, "{text} after {took:?}");
    assert!(rest(busy).await.0.ends_with("slow"));
}

#[tokio::test]
async fn a_client_that_ended_its_side_is_answered() {
    let (address, _stop) = start(3).await;
    let mut stream = connect(address, SLOW_REQUEST).await;
    stream.shutdown().await.expect("ends its side");
    assert!(rest(stream).await.0.ends_with("slow"));
}

#[tokio::test]
async fn http2_without_tls_is_not_spoken() {
    let (address, _stop) = start(3).await;
    let (text, _) = rest(connect(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await;
    assert!(!text.contains("200"), "{text}");
}

#[tokio::test]
async fn stopping_lets_answers_finish_and_takes_no_more() {
    let (address, stop) = start(3).await;
    let busy = connect(address, SLOW_REQUEST).await;
    sleep(HEAD).await;
    stop.send(()).expect("runs");
    assert!(rest(busy).await.0.ends_with("slow"));
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn files_for_the_server_itself_are_left() {
    for (files, most) in [(256, 65), (1024, 832), (1_048_576, 4096)] {
        assert_eq!(Limits::of_files(files).most, most, "{files}");
    }
}
