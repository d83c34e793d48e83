//! What the server holds, read at each scrape.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::FileLabel;
use super::registered;
use crate::app::App;
use lookalike_vision::Pack;

#[derive(Debug)]
pub struct StateMetrics {
    queue_depth: Gauge,
    queue_capacity: Gauge,
    workers: Gauge,
    workers_busy: Gauge,
    body_budget: Gauge,
    body_used: Gauge,
    pixel_budget: Gauge,
    pixels_used: Gauge,
    collections: Gauge,
    faces: Gauge,
    users: Gauge,
    loaded: Gauge,
    gallery: Gauge,
    nodes: Gauge,
    files: Family<FileLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    revision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PackLabels {
    pack: String,
    version: String,
    license: String,
}

impl StateMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let revision = option_env!("LOOKALIKE_REVISION").unwrap_or("unknown");
        let build = Info::new(Build { version: env!("CARGO_PKG_VERSION"), revision });
        registry.register("lookalike_build", "This server", build);
        let mut gauge = |name, help| registered::<Gauge>(registry, name, help);
        Self {
            queue_depth: gauge("lookalike_inference_queue_depth", "Images that wait for a thread"),
            queue_capacity: gauge("lookalike_inference_queue_capacity", "Images that may wait"),
            workers: gauge("lookalike_inference_workers", "Inference threads"),
            workers_busy: gauge("lookalike_inference_workers_busy", "Inference threads at work"),
            body_budget: gauge(
                "lookalike_body_budget_bytes",
                "Memory for large bodies and fetched objects",
            ),
            body_used: gauge("lookalike_body_budget_used_bytes", "Taken of it"),
            pixel_budget: gauge("lookalike_pixel_budget_bytes", "Memory for decoded images"),
            pixels_used: gauge("lookalike_pixel_budget_used_bytes", "Taken of it"),
            collections: gauge("lookalike_collections", "Collections of all accounts"),
            faces: gauge("lookalike_faces", "Faces of all accounts"),
            users: gauge("lookalike_users", "Users of all accounts"),
            loaded: gauge(
                "lookalike_collections_loaded",
                "Collections or parts of them in memory, those of faces and of users each by itself",
            ),
            gallery: gauge("lookalike_gallery_bytes", "Memory of their vectors"),
            nodes: gauge("lookalike_cluster_nodes", "Nodes that search for one another"),
            files: registered(registry, "lookalike_store_bytes", "Sizes of the database's files"),
        }
    }

    /// Reads all there is; what the database does not answer stays as it was.
    pub async fn refresh(&self, app: &App) {
        let set = |gauge: &Gauge, value: usize| {
            gauge.set(value as i64);
        };
        let load = app.packs.served().load_now();
        set(&self.queue_depth, load.waiting);
        set(&self.queue_capacity, load.queue);
        set(&self.workers, load.workers);
        set(&self.workers_busy, load.busy);
        let budget = app.encoded_kib;
        set(&self.body_budget, budget << 10);
        set(&self.body_used, budget.saturating_sub(app.encoded.available_permits()) << 10);
        set(&self.pixel_budget, app.pixels.total());
        set(&self.pixels_used, app.pixels.held());
        let gallery = app.gallery.size();
        set(&self.loaded, gallery.collections);
        set(&self.gallery, gallery.bytes);
        set(&self.nodes, app.cluster.nodes().len());
        match app.store.tenants().await {
            Ok(totals) => {
                let sum = |count: fn(&lookalike_store::TenantTotals) -> u64| {
                    totals.iter().map(count).sum::<u64>() as usize
                };
                set(&self.collections, sum(|tenant| tenant.collections));
                set(&self.faces, sum(|tenant| tenant.faces));
                set(&self.users, sum(|tenant| tenant.users));
            }
            Err(error) => tracing::warn!(%error, "metrics lack the numbers of faces"),
        }
        match app.store.size().await {
            Ok(size) => {
                for (file, bytes) in [("db", Some(size.database)), ("wal", size.log)] {
                    if let Some(bytes) = bytes {
                        self.files.get_or_create(&FileLabel { file }).set(bytes as i64);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "metrics lack the size of the database"),
        }
    }
}

/// Names the pack that is served.
pub fn register_pack(registry: &mut Registry, pack: &Pack) {
    let labels = PackLabels {
        pack: pack.name.clone(),
        version: pack.version.clone(),
        license: pack.license.clone(),
    };
    registry.register("lookalike_pack", "The pack of new collections", Info::new(labels));
}
