//! Connections: how many there may be, how long each may be silent, and how they end.
//!
//! HTTP/1 only. A connection waits for its client or answers a request. One that waits too long is
//! closed, and so is the one that has waited longest when there is no room for another: idle
//! connections never keep a caller out.

mod peers;
#[cfg(test)]
mod tests;
mod watched;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::{debug, warn};

use self::peers::{Answering, Connections, Guard};
use self::watched::Watched;

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
            let arrived = next(&listener, connections).await;
            connections.make_room().await;
            arrived
        };
        let (stream, client) = tokio::select! {
            arrived = arrival => arrived,
            () = &mut stop => break,
        };
        let connection = connections.add();
        tokio::spawn(run(connection, stream, client, service.clone()));
    }
    drop(listener);
    connections.stopping.send_replace(true);
    connections.all_ended().await;
}

/// The next connection. When files run out, an idle connection gives its own up.
async fn next(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(arrived) => return arrived,
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
async fn run(
    connection: Guard,
    stream: TcpStream,
    client: SocketAddr,
    service: TowerToHyperService<Router>,
) {
    let peer = Arc::clone(&connection.peer);
    // Answers are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(client));
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
