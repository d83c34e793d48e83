//! What a browser is shown.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Request, StatusCode, header};

use super::Admin;

const WELCOME: &str = include_str!("welcome.html");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// `GET /`: a browser is led to the console where this listener has one, or else greeted; the API
/// answers everybody else, as AWS does.
pub async fn root(State(admin): State<Arc<Admin>>, request: Request<Body>) -> Response {
    if !wants_html(request.headers()) {
        return api(State(admin), request).await;
    }
    // Relative, for servers behind a path of another one.
    let has_console = admin.config.admin.has_console() && !admin.is_apart();
    if has_console { redirect("_lookalike/ui/") } else { welcome() }
}

/// What is no route of the control plane.
pub async fn api(State(admin): State<Arc<Admin>>, request: Request<Body>) -> Response {
    aws_json::serve(State(Arc::clone(&admin.front)), request).await
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn redirect(to: &'static str) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to), (header::VARY, "Accept")])
        .into_response()
}

fn welcome() -> Response {
    let page = WELCOME.replace("{version}", env!("CARGO_PKG_VERSION"));
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "Accept"),
    ];
    (headers, page).into_response()
}
