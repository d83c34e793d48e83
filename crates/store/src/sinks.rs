//! Those who are told what was committed.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::change::{Change, ChangeSink, Step};
use crate::error::{StoreError, StoreResult};

/// The sinks of a store, held weakly.
#[derive(Default)]
pub(crate) struct Sinks(Mutex<Vec<Weak<dyn ChangeSink>>>);

impl Sinks {
    pub(crate) fn subscribe(&self, sink: &Arc<dyn ChangeSink>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(sink));
    }

    /// Hands changes to every sink. A sink that panics may have applied half of them.
    pub(crate) fn notify(&self, changes: &[Change], step: Option<Step>) -> StoreResult<()> {
        if changes.is_empty() && step.is_none() {
            return Ok(());
        }
        for sink in self.alive() {
            std::panic::catch_unwind(AssertUnwindSafe(|| sink.committed(changes, step)))
                .map_err(|_| StoreError::OutOfStep)?;
        }
        Ok(())
    }

    /// Tells every sink what a transaction held and how long it took.
    pub(crate) fn flushed(&self, writes: usize, took: Duration) {
        self.alive().iter().for_each(|sink| sink.flushed(writes, took));
    }

    fn alive(&self) -> Vec<Arc<dyn ChangeSink>> {
        let mut alive = Vec::new();
        let mut sinks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.retain(|sink| sink.upgrade().map(|sink| alive.push(sink)).is_some());
        alive
    }
}
