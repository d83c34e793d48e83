//! Metrics for Prometheus and whatever reads its formats.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

use super::Admin;
use super::error::ErrorBody;
use crate::telemetry::Exposition;

/// All metrics: OpenMetrics where `Accept` asks for it, or else Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "observing", responses(
    (status = OK, body = String, content_type = "text/plain"),
    (status = "4XX", body = ErrorBody),
))]
pub async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().map(HeaderValue::to_str);
    let accept: Vec<&str> = accept.filter_map(Result::ok).collect();
    let exposition = Exposition::of(&accept.join(","));
    let app = admin.app();
    let printed = app.telemetry.print_metrics(app, exposition).await;
    let headers = [(header::CONTENT_TYPE, exposition.content_type()), (header::VARY, "Accept")];
    (headers, printed).into_response()
}
