//! Requests as HTTP sees them, the control plane's included.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::HttpLabels;
use super::{Histograms, histograms, registered};
use crate::app::App;

/// Those of OpenTelemetry's `http.server.request.duration`, in seconds.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const BYTES: [f64; 8] = [1e3, 1e4, 1e5, 5e5, 1e6, 5e6, 1e7, 2e7];

#[derive(Debug)]
pub struct HttpMetrics {
    durations: Histograms<HttpLabels>,
    active: Gauge,
    pub body_sizes: Histogram,
}

impl HttpMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let body_sizes = Histogram::new(BYTES);
        registry.register(
            "http_server_request_body_size_bytes",
            "Sizes of the bodies of calls",
            body_sizes.clone(),
        );
        Self {
            durations: histograms(
                registry,
                "http_server_request_duration_seconds",
                "Time from the headers of a request to those of its answer",
                SECONDS,
            ),
            active: registered(
                registry,
                "http_server_active_requests",
                "Requests that are being answered",
            ),
            body_sizes,
        }
    }
}

/// Counts a request until it is answered, or given up.
struct Active(Gauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Measures each request.
pub async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let metrics = &app.telemetry.metrics.http;
    let began = Instant::now();
    let http_request_method = method(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let http_route = route.map_or("/", MatchedPath::as_str).to_owned();
    metrics.active.inc();
    let active = Active(metrics.active.clone());
    let response = next.run(request).await;
    drop(active);
    let http_response_status_code = response.status().as_u16();
    let labels = HttpLabels { http_request_method, http_response_status_code, http_route };
    metrics.durations.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
    response
}

/// Clients may invent methods.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
