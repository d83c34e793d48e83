//! What the server is, holds and was started with.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Json;
use crate::cluster::NodeState;
use crate::config::ServeConfig;
use crate::console::ThumbnailTemplate;
use crate::memory;
use crate::thumbnails::Keeping;
use aws_json::auth::KeyHolder;
use lookalike_store::TenantTotals;
use lookalike_vision::Pack;

/// The state of the server.
#[derive(Serialize, ToSchema)]
pub struct System {
    version: &'static str,
    uptime_seconds: u64,
    pack: PackCard,
    settings: Settings,
    /// Inference threads.
    workers: usize,
    queue: Queue,
    memory: Memory,
    collections: u64,
    faces: u64,
    users: u64,
    tenants: Vec<TenantCard>,
    /// Those that search for one another; none where this server searches for itself.
    nodes: Vec<NodeCard>,
    /// Those of the credentials file; none where the server takes any signature.
    keys: Vec<KeyCard>,
    /// Where small pictures of indexed faces are kept.
    thumbnails: Keeping,
    faults_on: bool,
    answers_on: bool,
}

/// The pack of new collections.
#[derive(Serialize, ToSchema)]
struct PackCard {
    name: String,
    version: String,
    license: String,
    description: String,
    /// Names the packs whose vectors can be compared.
    vector_space: String,
    has_analyzer: bool,
    calibration: Points,
    /// Measured figures, as the pack's author states them: a number or a text each.
    #[schema(value_type = BTreeMap<String, f64>)]
    accuracy: BTreeMap<String, toml::Value>,
}

/// A piecewise linear map from the cosine of two vectors to a similarity.
#[derive(Serialize, ToSchema)]
struct Points {
    cosine: Vec<f32>,
    similarity: Vec<f32>,
}

/// Images that wait for an inference thread.
#[derive(Serialize, ToSchema)]
struct Queue {
    waiting: usize,
    most: usize,
}

/// Memory in bytes.
#[derive(Serialize, ToSchema)]
struct Memory {
    /// What the process holds.
    resident: usize,
    /// The vectors of searched collections.
    search: usize,
    /// Collections, or parts of them, whose vectors are held: those of faces and those of users each by
    /// itself.
    loaded_collections: usize,
}

/// A server over the same database that this one asks to search.
#[derive(Serialize, ToSchema)]
struct NodeCard {
    address: String,
    is_own: bool,
    /// A node that did not answer is not asked for a while.
    is_asked: bool,
}

/// A key that the server knows, without its secret.
#[derive(Serialize, ToSchema)]
struct KeyCard {
    access_key_id: String,
    account: String,
    user: String,
    /// The regions where it holds, if not in all.
    regions: Option<Vec<String>>,
    /// RFC 3339.
    expires: Option<String>,
}

/// What an account has in a region.
#[derive(Serialize, ToSchema)]
pub struct TenantCard {
    account: String,
    region: String,
    collections: u64,
    faces: u64,
    users: u64,
}

/// The options in force; secrets are not among them.
#[derive(Serialize, ToSchema)]
struct Settings {
    listen: String,
    admin_listen: Option<String>,
    data: String,
    auth: &'static str,
    s3: String,
    face_model_version: String,
    limits: Vec<String>,
    forward: Option<String>,
    cors_origins: Vec<String>,
    host_names: Vec<String>,
    node_address: Option<String>,
    console: bool,
    #[schema(value_type = Option<String>)]
    console_thumbnails: Option<ThumbnailTemplate>,
    deterministic: Option<u64>,
}

impl From<TenantTotals> for TenantCard {
    fn from(totals: TenantTotals) -> Self {
        let TenantTotals { tenant, collections, faces, users } = totals;
        Self { account: tenant.account, region: tenant.region, collections, faces, users }
    }
}

impl From<NodeState> for NodeCard {
    fn from(state: NodeState) -> Self {
        let NodeState { address, is_own, is_asked } = state;
        Self { address, is_own, is_asked }
    }
}

impl From<KeyHolder> for KeyCard {
    fn from(holder: KeyHolder) -> Self {
        let KeyHolder { access_key_id, account, user, regions, expires } = holder;
        let expires = expires.and_then(|time| time.format(&Rfc3339).ok());
        Self { access_key_id, account, user, regions, expires }
    }
}

impl From<&Pack> for PackCard {
    fn from(pack: &Pack) -> Self {
        let (cosine, similarity) = pack.calibration.points();
        Self {
            name: pack.name.clone(),
            version: pack.version.clone(),
            license: pack.license.clone(),
            description: pack.description.clone(),
            vector_space: pack.vector_space().to_owned(),
            has_analyzer: pack.analyzer.is_some(),
            calibration: Points { cosine: cosine.to_vec(), similarity: similarity.to_vec() },
            accuracy: pack.accuracy.clone(),
        }
    }
}

impl Settings {
    fn of(config: &ServeConfig, is_open: bool) -> Self {
        Self {
            listen: config.listen.to_string(),
            admin_listen: config.admin.admin_listen.map(|address| address.to_string()),
            data: lookalike_store::shown(&config.data),
            auth: if is_open { "open" } else { "verify" },
            s3: config.api.s3.to_string(),
            face_model_version: config.api.face_model_version.clone(),
            limits: config.api.limits.iter().map(ToString::to_string).collect(),
            forward: config.api.forward.as_ref().map(|url| url.origin().ascii_serialization()),
            cors_origins: config.browsers.cors_origin.iter().map(ToString::to_string).collect(),
            host_names: config.browsers.host_name.clone(),
            node_address: config.cluster.node_address.as_ref().map(ToString::to_string),
            console: config.admin.has_console(),
            console_thumbnails: config.admin.console_thumbnails.clone(),
            deterministic: config.deterministic,
        }
    }
}

/// The state of the server: version, pack, settings, memory, and how much it holds.
#[utoipa::path(get, path = "/system", tag = "system", responses(
    (status = OK, body = System),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn system(State(admin): State<Arc<Admin>>) -> Result<Json<System>, AdminError> {
    let app = admin.app();
    let tenants = app.store.tenants().await?;
    let held = app.gallery.size();
    let vision = app.packs.served();
    let load = vision.load_now();
    let sum = |of: fn(&TenantTotals) -> u64| tenants.iter().map(of).sum();
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: admin.started.elapsed().as_secs(),
        pack: vision.pack().into(),
        settings: Settings::of(&admin.config, admin.front.auth.is_open()),
        workers: load.workers,
        queue: Queue { waiting: load.waiting, most: load.queue },
        memory: Memory {
            resident: memory::resident(),
            search: held.bytes,
            loaded_collections: held.collections,
        },
        collections: sum(|totals| totals.collections),
        faces: sum(|totals| totals.faces),
        users: sum(|totals| totals.users),
        tenants: tenants.into_iter().map(TenantCard::from).collect(),
        nodes: app.cluster.nodes().into_iter().map(NodeCard::from).collect(),
        keys: admin.front.auth.key_holders().into_iter().map(KeyCard::from).collect(),
        thumbnails: app.thumbnails.keeping(),
        faults_on: app.faults.is_on(),
        answers_on: !app.answers.is_empty(),
    }))
}
