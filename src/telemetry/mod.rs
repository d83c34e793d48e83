//! What operators see of a running server: a line for each request, and where its time went.

mod findings;
mod log;
pub mod stage;
mod stages;
mod summary;

use std::time::Duration;

use aws_json::{Outcome, Record};

pub use findings::{Findings, ImageOrigin, SearchFound, SeenImage};
pub use stages::StageLayer;

use summary::Summary;

/// Watches the requests of one server.
#[derive(Debug)]
pub struct Telemetry {
    slow: Option<Duration>,
}

impl Telemetry {
    /// Answers that take longer than `slow` are logged as warnings.
    pub fn new(slow: Option<Duration>) -> Self {
        Self { slow }
    }

    /// Takes note of an answered request.
    pub fn answered(&self, record: Record, findings: &Findings, outcome: &Outcome<'_>) {
        let found = findings.take();
        let stages = stages::of(outcome.span);
        let summary = Summary::of(record, &found, outcome, stages);
        log::request(&summary, outcome, self.slow);
        if let Some(change) = found.change
            && outcome.status.is_success()
        {
            log::audit(&summary, &change);
        }
    }
}
