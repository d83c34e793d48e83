//! Connections: how many there may be, how long each may be silent, and how they end.
//!
//! HTTP/1 only. A connection waits for its client or answers a request. One that waits too long is
//! closed, and so is the one that has waited longest when there is no room for another: idle
//! connections never keep a caller out.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval, sleep, timeout};
use tracing::{debug, warn};

/// More than any one server answers at a time.
const MOST_CONNECTIONS: u64 = 4096;
/// Files that the server has open for itself: the database, objects, connections to S3.
const OWN_FILES: u64 = 192;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub most: usize,
    /// From the first byte of a request to the end of its headers.
    pub head: Duration,
    /// Without a byte in either direction, while no request is being answered.
    pub idle: Duration,
}

impl Limits {
    /// The limits of a process that may hold so many files open.
    pub(super) fn of_files(files: u64) -> Self {
        let most = files.saturating_sub(OWN_FILES).max(files / 4 + 1).min(MOST_CONNECTIONS);
        Self {
            most: most as usize,
            head: Duration::from_secs(15),
            // Longer than load balancers keep theirs, so that none sends into a closed connection.
            idle: Duration::from_secs(75),
        }
    }
}

/// Serves connections until `stop` resolves, then waits until those that are answering have ended.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let connections = Arc::new(Connections::new(limits));
    tokio::select! {
        () = accept(listener, routes, &connections, stop) => {}
        () = connections.close_silent() => {}
    }
}

async fn accept(
    listener: TcpListener,
    routes: Router,
    connections: &Arc<Connections>,
    stop: impl Future<Output = ()>,
) {
    let service = TowerToHyperService::new(routes);
    let mut stop = pin!(stop);
    loop {
        let arrival = async {
            let stream = next(&listener, connections).await;
            connections.make_room().await;
            stream
        };
        let stream = tokio::select! {
            stream = arrival => stream,
            () = &mut stop => break,
        };
        let connection = connections.add();
        tokio::spawn(run(connection, stream, service.clone()));
    }
    drop(listener);
    connections.stopping.send_replace(true);
    connections.all_ended().await;
}

/// The next connection. When files run out, an idle connection gives its own up.
async fn next(listener: &TcpListener, connections: &Connections) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                warn!(%error, "cannot take a connection");
                connections.close_longest_waiting();
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers the requests of one connection.
async fn run(connection: Guard, stream: TcpStream, service: TowerToHyperService<Router>) {
    let peer = Arc::clone(&connection.peer);
    // Answers are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request: http::Request<Incoming>| {
        let answering = Answering::of(&peer);
        let answer = service.call(request);
        async move {
            let Ok(response) = answer.await;
            Ok::<_, std::convert::Infallible>(answering.until_sent(response))
        }
    });
    let io = TokioIo::new(Watched { stream, peer: Arc::clone(&peer) });
    // A client may end its side before the answer: it still reads.
    let serving = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .serve_connection(io, answer);
    let mut serving = pin!(serving);
    let mut stopping = connection.connections.stopping.subscribe();
    let mut is_told = false;
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
                return;
            }
            () = peer.close.notified() => {
                // A request may have come just in time.
                if peer.state().may_be_closed() {
                    return;
                }
            }
            _ = stopping.wait_for(|stopping| *stopping), if !is_told => {
                is_told = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// All connections of the server.
struct Connections {
    limits: Limits,
    peers: Mutex<Peers>,
    ended: Notify,
    stopping: watch::Sender<bool>,
}

#[derive(Default)]
struct Peers {
    last: u64,
    open: HashMap<u64, Arc<Peer>>,
}

/// One connection, as those see it who may close it.
struct Peer {
    close: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    is_answering: bool,
    /// Since when it waits for a request.
    waiting: Instant,
    /// When the first byte of a request came whose headers are not complete.
    head: Option<Instant>,
    /// The last byte in either direction.
    active: Instant,
    /// Whether the client has to read before more can be written.
    is_blocked: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        !self.is_answering && !self.is_blocked
    }

    fn may_be_closed(&self) -> bool {
        self.is_blocked || !self.is_answering
    }

    fn is_overdue(&self, limits: &Limits, now: Instant) -> bool {
        let is_slow = self.head.is_some_and(|head| now - head > limits.head);
        let is_silent = now - self.active > limits.idle;
        (is_silent || is_slow) && self.may_be_closed()
    }
}

impl Connections {
    fn new(limits: Limits) -> Self {
        let (stopping, _) = watch::channel(false);
        Self { limits, peers: Mutex::default(), ended: Notify::new(), stopping }
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>) -> Guard {
        let now = Instant::now();
        let state =
            State { is_answering: false, waiting: now, head: None, active: now, is_blocked: false };
        let peer = Arc::new(Peer { close: Notify::new(), state: Mutex::new(state) });
        let mut peers = self.peers();
        peers.last += 1;
        let id = peers.last;
        peers.open.insert(id, Arc::clone(&peer));
        Guard { id, peer, connections: Arc::clone(self) }
    }

    /// Waits until there is room for one more, and makes it where a connection is idle.
    async fn make_room(&self) {
        loop {
            let ended = self.ended.notified();
            if self.peers().open.len() < self.limits.most {
                return;
            }
            self.close_longest_waiting();
            let _ = timeout(Duration::from_millis(100), ended).await;
        }
    }

    fn close_longest_waiting(&self) {
        let peers = self.peers();
        let idle = peers.open.values().filter(|peer| peer.state().is_idle());
        if let Some(longest) = idle.min_by_key(|peer| peer.state().waiting) {
            longest.close.notify_one();
        }
    }

    /// Closes, for ever, the connections that are silent for too long.
    async fn close_silent(&self) {
        let mut ticks = interval((self.limits.head / 10).min(Duration::from_secs(1)));
        loop {
            let now = ticks.tick().await;
            let peers = self.peers();
            let overdue =
                peers.open.values().filter(|peer| peer.state().is_overdue(&self.limits, now));
            overdue.for_each(|peer| peer.close.notify_one());
        }
    }

    async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.peers().open.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl Peer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection until it ends.
struct Guard {
    id: u64,
    peer: Arc<Peer>,
    connections: Arc<Connections>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.connections.peers().open.remove(&self.id);
        self.connections.ended.notify_one();
    }
}

/// A request under way: nobody closes its connection for being silent.
struct Answering(Arc<Peer>);

impl Answering {
    fn of(peer: &Arc<Peer>) -> Self {
        let mut state = peer.state();
        state.is_answering = true;
        state.head = None;
        drop(state);
        Self(Arc::clone(peer))
    }

    /// The same answer; the request ends with its body.
    fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _until_the_end = &self;
                frame
            }))
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.0.state();
        state.is_answering = false;
        (state.waiting, state.active) = (now, now);
    }
}

/// A stream that notes when bytes pass.
struct Watched {
    stream: TcpStream,
    peer: Arc<Peer>,
}

impl Watched {
    fn note_write<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut state = self.peer.state();
        state.is_blocked = written.is_pending();
        if written.is_ready() {
            state.active = Instant::now();
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            let now = Instant::now();
            let mut state = self.peer.state();
            state.active = now;
            if !state.is_answering {
                state.head.get_or_insert(now);
            }
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

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
        let caller =
            connect(address, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
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
}
