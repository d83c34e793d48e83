//! Liveness and readiness.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::Admin;
use super::extract::Json;
use crate::listen::reachable;

/// Health as JSON.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`: whoever reads this has an answer.
    status: &'static str,
    version: &'static str,
    /// Name of the served pack.
    pack: String,
    uptime_seconds: u64,
}

/// Whether the process answers: a line of text, or JSON for whoever accepts it.
#[utoipa::path(get, path = "/health", tag = "health", responses(
    (status = OK, content((String = "text/plain"), (Health = "application/json"))),
))]
pub async fn health(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("application/json")) {
        return "ok\n".into_response();
    }
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        pack: admin.app().packs.served().pack().name.clone(),
        uptime_seconds: admin.started.elapsed().as_secs(),
    })
    .into_response()
}

/// Whether the database takes writes too; the networks were warmed before the address was taken.
#[utoipa::path(get, path = "/ready", tag = "health", responses(
    (status = OK, body = String, content_type = "text/plain"),
    (status = SERVICE_UNAVAILABLE, body = String, content_type = "text/plain"),
))]
pub async fn ready(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    match admin.app().store.check_ready().await {
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
    let address = reachable(listen);
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
