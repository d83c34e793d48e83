//! Searches that nodes do for one another.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::OutcomeLabel;
use super::registered;

/// Counts what became of searches of parts that may be another node's.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    searches: Family<OutcomeLabel, Counter>,
}

/// What became of one.
#[derive(Debug, Clone, Copy)]
pub enum SearchOutcome {
    /// Another node answered.
    Forwarded,
    /// This node answered another one.
    Answered,
    /// Another node did not answer.
    Failed,
    /// Nobody answered for a part, and this node searched it itself.
    Fallback,
}

impl SearchOutcome {
    const ALL: [Self; 4] = [Self::Forwarded, Self::Answered, Self::Failed, Self::Fallback];

    fn label(self) -> OutcomeLabel {
        let outcome = match self {
            Self::Forwarded => "forwarded",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Fallback => "fallback",
        };
        OutcomeLabel { outcome }
    }
}

impl ClusterMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let help = "Searches that nodes did for one another, or failed to do";
        let searches: Family<OutcomeLabel, Counter> =
            registered(registry, "lookalike_cluster_searches", help);
        // All begin at zero, so that the first failure is a rise.
        for outcome in SearchOutcome::ALL {
            drop(searches.get_or_create(&outcome.label()));
        }
        Self { searches }
    }

    /// Counts one.
    pub fn count(&self, outcome: SearchOutcome) {
        self.searches.get_or_create(&outcome.label()).inc();
    }
}
