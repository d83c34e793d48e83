//! The server's own routes under `/_lookalike/`: liveness and readiness.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use thiserror::Error;

use aws_json::FrontEnd;

use crate::operations::Rekognition;

type Front = Arc<FrontEnd<Rekognition>>;

/// The routes, to be nested under `/_lookalike`.
pub fn routes() -> Router<Front> {
    Router::new().route("/health", get(health)).route("/ready", get(ready))
}

/// The process answers.
async fn health() -> &'static str {
    "ok\n"
}

/// The database takes writes too; the networks were warmed before the address was taken.
async fn ready(State(front): State<Front>) -> (StatusCode, &'static str) {
    match front.service.app.store.check_ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "not ready: the database takes no writes");
            (StatusCode::SERVICE_UNAVAILABLE, "the database takes no writes\n")
        }
    }
}

/// Why a server is not ready.
#[derive(Debug, Error)]
pub enum NotReady {
    #[error("no answer from {0}")]
    Silent(SocketAddr, #[source] reqwest::Error),
    #[error("{0} answered {1}")]
    Unready(SocketAddr, StatusCode),
}

/// Asks the server at an address whether it is ready; one that listens everywhere is asked on
/// loopback.
pub async fn ask_ready(listen: SocketAddr) -> Result<(), NotReady> {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let silent = |error| NotReady::Silent(address, error);
    // A proxy of the environment is for others: what it can reach says nothing about this server.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(silent)?;
    let answer =
        client.get(format!("http://{address}/_lookalike/ready")).send().await.map_err(silent)?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(NotReady::Unready(address, status)) }
}
