//! The web console: static files out of the binary, under `/_lookalike/ui/`.
//!
//! The files in `ui/` are served as they are; there is no build step. The pages call the public
//! operations and the control plane as any client does, so they can do nothing that a key may not.

mod assets;
mod policy;
mod thumbnails;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

pub use self::thumbnails::ThumbnailTemplate;
use crate::thumbnails::Keeping;
use assets::Assets;

/// What the pages have to know before their first call.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// The version of the server.
    pub version: &'static str,
    /// Whether calls have to be signed with a known key.
    pub verify: bool,
    /// Where pictures of enrolled people are, if the operator has any.
    pub thumbnails: Option<ThumbnailTemplate>,
    /// Where the server keeps pictures of faces.
    pub kept: Keeping,
}

struct Console {
    assets: Assets,
    facts: String,
    policy: HeaderValue,
}

/// The routes of the console, to be nested under `/_lookalike`.
pub fn routes<S: Clone + Send + Sync + 'static>(facts: Facts) -> Router<S> {
    let assets = Assets::load();
    let policy = policy::content_security_policy(&assets, facts.thumbnails.as_ref());
    let facts = serde_json::to_string(&facts).expect("facts are plain data");
    let console = Arc::new(Console { assets, facts, policy });
    Router::new()
        // Relative, for servers behind a path of another one.
        .route("/ui", get(async || Redirect::temporary("ui/")))
        .route("/ui/", get(index))
        .route("/ui/facts.json", get(show_facts))
        .route("/ui/{*path}", get(file))
        .with_state(console)
}

async fn index(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response<Body> {
    console.serve("index.html", &headers)
}

async fn file(
    State(console): State<Arc<Console>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    console.serve(&path, &headers)
}

async fn show_facts(State(console): State<Arc<Console>>) -> Response<Body> {
    let media_type = (header::CONTENT_TYPE, "application/json");
    let mut response = ([media_type], console.facts.clone()).into_response();
    console.protect(response.headers_mut());
    response
}

impl Console {
    fn serve(&self, path: &str, headers: &HeaderMap) -> Response<Body> {
        let mut response = match self.assets.get(path) {
            Some(asset) => asset.answer(headers),
            None => (StatusCode::NOT_FOUND, "The console has no such file.\n").into_response(),
        };
        self.protect(response.headers_mut());
        response
    }

    /// Keeps pages from loading, sending or framing anything that is not the server's own.
    fn protect(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        for (name, value) in [
            (header::CACHE_CONTROL, "no-cache"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(self), microphone=(), geolocation=()"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
