//! A bound on the memory of all images in flight, first come, first served.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::{DecodeError, DecodePlan};
use crate::stage;

/// An image that needs no more than this is outside of the budget: large ones cannot keep it
/// waiting. Each inference thread holds one at most.
pub const LIGHT_IMAGE: usize = 4 << 20;
/// How long an image waits for others to be finished with.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a permit stands for, in bytes.
const UNIT: usize = 1 << 10;

/// What the pixels of images may hold together; clones share it.
#[derive(Debug, Clone)]
pub struct PixelBudget {
    units: Arc<Semaphore>,
    total: usize,
}

/// Memory of the budget, held until it is dropped.
#[derive(Debug)]
pub struct PixelMemory(#[expect(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl PixelBudget {
    /// A budget of so many bytes, at most 4 TB.
    pub fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT).min(u32::MAX as usize);
        Self { units: Arc::new(Semaphore::new(total)), total }
    }

    /// All that images may hold, in bytes.
    pub fn total(&self) -> usize {
        self.total * UNIT
    }

    /// What images hold now, in bytes.
    pub fn held(&self) -> usize {
        (self.total - self.units.available_permits()) * UNIT
    }

    /// Waits until the largest of these images fits; they are decoded one after the other.
    ///
    /// To be called before a worker thread is taken: nobody computes meanwhile.
    pub async fn reserve(
        &self,
        plans: impl IntoIterator<Item = &DecodePlan>,
    ) -> Result<PixelMemory, DecodeError> {
        let largest = plans.into_iter().max_by_key(|plan| plan.memory());
        match largest {
            Some(plan) if plan.memory() > self.total() && plan.memory() > LIGHT_IMAGE => {
                let (width, height) = plan.dimensions();
                Err(DecodeError::NoRoom { width, height })
            }
            Some(plan) => self.take(plan.memory()).await,
            None => Ok(PixelMemory(None)),
        }
    }

    /// Waits until so many bytes are free, unless they are few.
    pub async fn take(&self, bytes: usize) -> Result<PixelMemory, DecodeError> {
        if bytes <= LIGHT_IMAGE {
            return Ok(PixelMemory(None));
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match Arc::clone(&self.units).try_acquire_many_owned(units) {
            Ok(permit) => return Ok(PixelMemory(Some(permit))),
            Err(TryAcquireError::NoPermits) => {}
            Err(TryAcquireError::Closed) => return Err(DecodeError::Busy),
        }
        let turn = Arc::clone(&self.units).acquire_many_owned(units);
        match timeout(PATIENCE, turn.instrument(stage::queue_wait())).await {
            Ok(Ok(permit)) => Ok(PixelMemory(Some(permit))),
            _ => Err(DecodeError::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::Instant;

    use super::*;

    const MIB: usize = 1 << 20;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn never_more_than_the_total_is_out() {
        let budget = PixelBudget::new(100 * MIB);
        let (out, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = [10, 40, 70, 100, 30, 60, 90].map(|mib| {
            let (budget, out, peak) = (budget.clone(), Arc::clone(&out), Arc::clone(&peak));
            tokio::spawn(async move {
                for _ in 0..50 {
                    let held = budget.take(mib * MIB).await.expect("its turn comes");
                    let now = out.fetch_add(mib, Ordering::SeqCst) + mib;
                    peak.fetch_max(now, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    out.fetch_sub(mib, Ordering::SeqCst);
                    drop(held);
                }
            })
        });
        for task in tasks {
            task.await.expect("no panic");
        }
        assert!(peak.load(Ordering::SeqCst) <= 100);
        assert_eq!((budget.total(), budget.held()), (100 * MIB, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_refused_and_few_bytes_never_wait() {
        let budget = PixelBudget::new(100 * MIB);
        let held = budget.take(60 * MIB).await.expect("free");
        let started = Instant::now();
        assert!(matches!(budget.take(60 * MIB).await, Err(DecodeError::Busy)));
        assert_eq!(started.elapsed(), PATIENCE);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.take(60 * MIB).await.map(|_| ()) }
        });
        tokio::task::yield_now().await;
        budget.take(LIGHT_IMAGE).await.expect("outside of the budget");
        assert!(matches!(budget.take(30 * MIB).await, Err(DecodeError::Busy)), "first come first");
        assert!(matches!(waiting.await, Ok(Err(DecodeError::Busy))));
        budget.take(40 * MIB).await.expect("who gave up does not stand in the way");
        drop(held);
        assert_eq!(budget.held(), 0);
    }
}
