//! What operators see of a running server: a line for each request, and where its time went.

mod findings;
mod log;
mod recent;
pub mod stage;
mod stages;
mod summary;

use std::sync::Arc;

use aws_json::{Outcome, Record};
use http::HeaderName;

use crate::config::TelemetryConfig;
pub use findings::{Findings, ImageOrigin, SearchFound, SeenImage};
pub use stages::StageLayer;

pub use recent::RecentRequests;
pub use summary::Summary;

const CAUSE: HeaderName = HeaderName::from_static("x-lookalike-cause");

/// Watches the requests of one server.
#[derive(Debug)]
pub struct Telemetry {
    options: TelemetryConfig,
    pub recent: RecentRequests,
}

impl Telemetry {
    pub fn new(options: TelemetryConfig) -> Self {
        Self { recent: RecentRequests::new(options.recent_requests), options }
    }

    /// The header of errors that states their causes; none where answers have to be AWS's own.
    pub fn cause_header(&self) -> Option<HeaderName> {
        (!self.options.strict).then_some(CAUSE)
    }

    /// Takes note of an answered request.
    pub fn answered(&self, record: Record, findings: &Findings, outcome: &Outcome<'_>) {
        let found = findings.take();
        let stages = stages::of(outcome.span);
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
