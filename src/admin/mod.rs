//! The control plane: the server's own routes under `/_lookalike/`, a file per resource.
//!
//! A handler is annotated with `#[utoipa::path]` and listed in `described` once; from that comes
//! its route and its part of the OpenAPI description. Whoever answers in JSON returns
//! [`Json`](extract::Json) of a type that derives `ToSchema`, and fails with [`AdminError`].

pub mod access;
mod answers;
pub mod error;
pub mod extract;
mod faults;
pub mod health;
mod memory;
mod metrics;
mod page;
mod requests;
mod reset;
mod seed;
mod system;
mod thumbnails;
pub mod transfer;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header;
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use aws_json::FrontEnd;

use self::access::Access;
use self::error::AdminError;
use crate::app::App;
use crate::cluster;
use crate::config::ServeConfig;
use crate::console::{self, Facts};
use crate::operations::Rekognition;

/// What the control plane steers.
pub struct Admin {
    pub front: Arc<FrontEnd<Rekognition>>,
    /// What the server was started with.
    pub config: ServeConfig,
    pub started: Instant,
    /// Room for exports and imports.
    pub transfers: Arc<Semaphore>,
}

impl Admin {
    /// What the operations work with.
    pub fn app(&self) -> &App {
        &self.front.service.app
    }

    /// Whether the console and the control plane are on another listener than the API.
    pub fn is_apart(&self) -> bool {
        self.config.admin.admin_listen.is_some()
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Lookalike's control plane",
    description = "The server's own routes. The AWS operations are described by AWS's model."
))]
struct Description;

/// The routes that need no right, and are on every listener.
fn public() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::ready))
}

/// The routes that [`access`] guards.
fn guarded() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new()
        .routes(routes!(system::system))
        .routes(routes!(memory::memory))
        .routes(routes!(reset::reset))
        .routes(routes!(requests::requests))
        .routes(routes!(requests::stream))
        .routes(routes!(metrics::metrics))
        .routes(routes!(answers::list, answers::declare, answers::clear))
        .routes(routes!(faults::show, faults::replace, faults::clear))
        .routes(routes!(seed::seed))
        .routes(routes!(thumbnails::thumbnail))
        .routes(routes!(transfer::export))
        .routes(routes!(transfer::import))
}

/// All routes with their description.
fn described() -> OpenApiRouter<Arc<Admin>> {
    let all = OpenApiRouter::with_openapi(Description::openapi());
    all.nest("/_lookalike", public().merge(guarded()))
}

/// The routes of a listener that has the whole control plane.
pub fn routes(admin: &Arc<Admin>, access: Arc<Access>) -> Router {
    let description = described().into_openapi().to_json().expect("a description is plain JSON");
    let description: Arc<str> = description.into();
    let describe = move || std::future::ready(json_text(&description));
    let guard = from_fn_with_state(access, access::guard);
    let guarded =
        Router::from(guarded()).route("/openapi.json", get(describe)).route_layer(guard.clone());
    let aliases = Router::new()
        .route("/moto-api/reset", post(reset::reset))
        .route("/metrics", get(metrics::metrics))
        .route_layer(guard);
    let mut own = Router::from(public()).merge(guarded);
    if admin.config.admin.has_console() {
        own = own.merge(console::routes(Facts {
            version: env!("CARGO_PKG_VERSION"),
            verify: !admin.front.auth.is_open(),
            thumbnails: admin.config.admin.console_thumbnails.clone(),
            kept: admin.config.admin.thumbnails,
        }));
    }
    with_aliases(own, aliases, admin)
}

/// The routes of the API's listener where the control plane has one of its own.
pub fn public_routes(admin: &Arc<Admin>) -> Router {
    with_aliases(Router::from(public()), Router::new(), admin)
}

/// Nests the routes, and adds those that other servers have by other names.
fn with_aliases(
    own: Router<Arc<Admin>>,
    aliases: Router<Arc<Admin>>,
    admin: &Arc<Admin>,
) -> Router {
    let own = own.route("/cluster/search", post(cluster::route::search));
    let own = own.fallback(unknown).method_not_allowed_fallback(wrong_method);
    Router::new()
        .nest("/_lookalike", own)
        .merge(aliases)
        .route("/_localstack/health", get(health::health))
        .route("/", get(page::root).fallback(page::api))
        .with_state(Arc::clone(admin))
}

async fn unknown(State(admin): State<Arc<Admin>>) -> AdminError {
    AdminError::NoRoute { is_apart: admin.is_apart() }
}

async fn wrong_method() -> AdminError {
    AdminError::WrongMethod
}

fn json_text(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response()
}
