//! Commits to the database.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

const SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

#[derive(Debug)]
pub struct StoreMetrics {
    durations: Histogram,
    batches: Histogram,
}

impl StoreMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let (durations, batches) = (Histogram::new(SECONDS), Histogram::new(WRITES));
        let name = "lookalike_store_commit_duration_seconds";
        registry.register(name, "Time of a transaction with its flush to disk", durations.clone());
        let name = "lookalike_store_commit_batch_size";
        registry.register(name, "Writes that shared a transaction", batches.clone());
        Self { durations, batches }
    }

    /// Counts a transaction.
    pub fn committed(&self, writes: usize, took: Duration) {
        self.durations.observe(took.as_secs_f64());
        self.batches.observe(writes as f64);
    }
}
