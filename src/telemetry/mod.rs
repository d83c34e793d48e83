//! What operators see of a running server: a line for each request, and where its time went.

mod findings;
mod log;
mod metrics;
mod recent;
pub mod stage;
mod stages;
mod summary;
pub mod traces;

use std::sync::Arc;
use std::time::Duration;

use aws_json::{Outcome, Record};
use http::HeaderName;
use lookalike_store::{Change as StoreChange, ChangeSink, Step};
use lookalike_vision::Pack;
use metrics::Metrics;

use crate::app::App;
use crate::config::TelemetryConfig;
pub use findings::{Fetch, Findings, ImageOrigin, SearchFound, SeenImage};
pub use stages::StageLayer;

pub use metrics::{ClusterMetrics, Exposition, SearchOutcome, count};
pub use recent::RecentRequests;
pub use summary::Summary;

const CAUSE: HeaderName = HeaderName::from_static("x-lookalike-cause");

/// Watches the requests of one server.
#[derive(Debug)]
pub struct Telemetry {
    options: TelemetryConfig,
    pub recent: RecentRequests,
    metrics: Metrics,
}

impl Telemetry {
    /// Watches a server with this pack.
    pub fn new(options: TelemetryConfig, pack: &Pack) -> Self {
        let recent = RecentRequests::new(options.recent_requests);
        Self { recent, options, metrics: Metrics::new(pack) }
    }

    /// The header of errors that states their causes; none where answers have to be AWS's own.
    pub fn cause_header(&self) -> Option<HeaderName> {
        (!self.options.strict).then_some(CAUSE)
    }

    /// Where searches of other nodes are counted.
    pub fn cluster(&self) -> ClusterMetrics {
        self.metrics.cluster.clone()
    }

    /// All metrics as they are now.
    pub async fn print_metrics(&self, app: &App, exposition: Exposition) -> String {
        self.metrics.state.refresh(app).await;
        self.metrics.print(exposition)
    }

    /// Takes note of an answered request.
    pub fn answered(&self, record: Record, findings: &Findings, outcome: &Outcome<'_>) {
        traces::end(outcome);
        let found = findings.take();
        let stages = stages::of(outcome.span);
        if outcome.is_call {
            self.metrics.operations.observe(&record, &found, &stages, outcome);
            self.metrics.http.body_sizes.observe(record.body_bytes as f64);
        }
        let summary = Summary::of(record, &found, outcome, stages);
        log::request(&summary, outcome, self.options.slow);
        if let Some(change) = found.change
            && outcome.status.is_success()
        {
            log::audit(&summary, &change);
        }
        if outcome.is_call {
            self.recent.add(Arc::new(summary));
        }
    }
}

impl ChangeSink for Telemetry {
    fn committed(&self, _changes: &[StoreChange], _step: Option<Step>) {}

    fn flushed(&self, writes: usize, took: Duration) {
        self.metrics.store.committed(writes, took);
    }
}
