//! Metrics by the names of docs/OBSERVABILITY.md. Labels come from bounded sets: no account,
//! collection or face is among them.

mod cluster;
mod http;
mod labels;
mod operations;
mod process;
mod state;
mod store;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use cluster::{ClusterMetrics, SearchOutcome};
pub use http::count;
use lookalike_vision::Pack;

use http::HttpMetrics;
use operations::OperationMetrics;
use process::Process;
use state::StateMetrics;
use store::StoreMetrics;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    OpenMetrics,
    /// Prometheus' own text format, version 0.0.4.
    Text,
}

impl Exposition {
    /// The one that the value of `Accept` asks for.
    pub fn of(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// All metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(super) http: HttpMetrics,
    pub(super) operations: OperationMetrics,
    pub(super) store: StoreMetrics,
    pub(super) state: StateMetrics,
    pub(super) cluster: ClusterMetrics,
}

impl Metrics {
    /// The metrics of a server with this pack.
    pub fn new(pack: &Pack) -> Self {
        process::started();
        let mut registry = Registry::default();
        let (http, operations, store, state, cluster) = (
            HttpMetrics::register(&mut registry),
            OperationMetrics::register(&mut registry),
            StoreMetrics::register(&mut registry),
            StateMetrics::register(&mut registry),
            ClusterMetrics::register(&mut registry),
        );
        state::register_pack(&mut registry, pack);
        registry.register_collector(Box::new(Process));
        Self { registry, http, operations, store, state, cluster }
    }

    /// All metrics as they are now.
    pub fn print(&self, exposition: Exposition) -> String {
        let mut printed = String::with_capacity(32 << 10);
        let written = match exposition {
            Exposition::OpenMetrics => text::encode(&mut printed, &self.registry),
            Exposition::Text => prometheus_text::encode(&mut printed, &self.registry),
        };
        written.expect("a string takes everything");
        printed
    }
}

/// Makes the histograms of a family.
#[derive(Debug, Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

type Histograms<L> = Family<L, Histogram, Buckets>;

/// Registers histograms with these upper bounds of buckets.
fn histograms<L>(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    buckets: &'static [f64],
) -> Histograms<L>
where
    L: labels::LabelSet,
{
    let family = Histograms::new_with_constructor(Buckets(buckets));
    registry.register(name, help, family.clone());
    family
}

/// Registers a metric.
fn registered<M>(registry: &mut Registry, name: &'static str, help: &'static str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}
