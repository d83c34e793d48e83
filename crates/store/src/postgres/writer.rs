//! Writes, with group commit: those that wait for the same collection share a transaction and one
//! flush to disk. Each collection has a lane of its own, so that a row which somebody else keeps
//! locked delays the writes to no other.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, oneshot};

use super::batch;
use super::engine::Engine;
use super::transaction::Transaction;
use crate::error::{StoreError, StoreResult};
use crate::rows::{CollectionKey, Face, IndexFaces};
use crate::sinks::Sinks;
use crate::tenant::Tenant;

/// Writes in one transaction. PostgreSQL keeps 64 savepoints of a transaction at hand; more are
/// slow for everybody.
const MAX_BATCH: usize = 64;

/// What a write works on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Key(CollectionKey),
    Name(Tenant, String),
    /// A collection that nobody finds yet.
    Import(CollectionKey),
    /// Collections that the write finds and locks itself.
    Many,
}

/// One atomic write.
#[async_trait]
pub(super) trait Write: Send + Sync + 'static {
    type Output: Send + 'static;

    /// What it works on.
    fn target(&self) -> Target;

    /// Does the write; all of it is undone when it fails. May be called again after that.
    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Self::Output>;
}

/// A write with the one who waits for it.
pub(super) struct Pending<W, T> {
    pub(super) write: W,
    pub(super) result: Option<StoreResult<T>>,
    caller: oneshot::Sender<StoreResult<T>>,
}

#[async_trait]
pub(super) trait Job: Send {
    /// Does the write. Fails where the whole transaction does.
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> StoreResult<Outcome>;
    /// Tells the caller, now that the transaction has ended.
    fn answer(self: Box<Self>, commit: StoreResult<()>);
}

/// Whether a write is to be kept.
pub(super) enum Outcome {
    Kept,
    Undone,
}

/// A write in a queue.
pub(super) enum Item {
    /// All that wait together are done together.
    Index(Box<Pending<IndexFaces, Vec<Face>>>),
    Other(Box<dyn Job>),
}

impl<W, T> Pending<W, T> {
    pub(super) fn answer(self, commit: StoreResult<()>) {
        let Self { result, caller, .. } = self;
        // A caller that is gone does not hear; the write stands all the same.
        let _ = caller.send(commit.and_then(|()| result.unwrap_or(Err(StoreError::Closed))));
    }
}

#[async_trait]
impl<W: Write> Job for Pending<W, W::Output> {
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> StoreResult<Outcome> {
        let result = AssertUnwindSafe(self.write.apply(transaction)).catch_unwind().await;
        match result.unwrap_or(Err(StoreError::Panicked)) {
            Err(error) if error.is_transient() => Err(error),
            result => Ok(match self.result.insert(result) {
                Ok(_) => Outcome::Kept,
                Err(_) => Outcome::Undone,
            }),
        }
    }

    fn answer(self: Box<Self>, commit: StoreResult<()>) {
        Pending::answer(*self, commit);
    }
}

impl Item {
    fn answer(self, commit: StoreResult<()>) {
        match self {
            Self::Index(pending) => (*pending).answer(commit),
            Self::Other(job) => job.answer(commit),
        }
    }
}

/// The way to the lanes.
#[derive(Clone)]
pub(super) struct Writer(Arc<Shared>);

struct Shared {
    engine: Arc<Engine>,
    sinks: Sinks,
    lanes: Mutex<Lanes>,
    /// A lane has ended.
    ended: Notify,
    /// A collection was dropped.
    dropped: Notify,
    /// Why nothing is written any more.
    broken: OnceLock<StoreError>,
}

#[derive(Default)]
struct Lanes {
    queues: HashMap<Target, VecDeque<Item>>,
    closed: bool,
}

impl Writer {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self(Arc::new(Shared {
            engine,
            sinks: Sinks::default(),
            lanes: Mutex::default(),
            ended: Notify::new(),
            dropped: Notify::new(),
            broken: OnceLock::new(),
        }))
    }

    pub(super) fn sinks(&self) -> &Sinks {
        &self.0.sinks
    }

    /// Fails once nothing is written any more.
    pub(super) fn check_intact(&self) -> StoreResult<()> {
        self.0.broken.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Returns when a collection was dropped.
    pub(super) async fn dropped(&self) {
        self.0.dropped.notified().await;
    }

    /// Queues a write and waits until it is durable or has failed.
    pub(super) async fn write<W: Write>(&self, write: W) -> StoreResult<W::Output> {
        let target = write.target();
        let (caller, result) = oneshot::channel();
        self.queue(target, Item::Other(Box::new(Pending { write, result: None, caller })))?;
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The same for the faces of an image.
    pub(super) async fn index(&self, write: IndexFaces) -> StoreResult<Vec<Face>> {
        let target = Target::Key(write.collection.key);
        let (caller, result) = oneshot::channel();
        self.queue(target, Item::Index(Box::new(Pending { write, result: None, caller })))?;
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    fn queue(&self, target: Target, item: Item) -> StoreResult<()> {
        let mut lanes = self.lanes();
        if lanes.closed {
            return Err(StoreError::Closed);
        }
        if let Some(queue) = lanes.queues.get_mut(&target) {
            queue.push_back(item);
        } else {
            lanes.queues.insert(target.clone(), VecDeque::from([item]));
            tokio::spawn(self.clone().serve(target));
        }
        Ok(())
    }

    /// Lets the queued writes finish and takes no more.
    pub(super) async fn close(&self) {
        self.lanes().closed = true;
        loop {
            let ended = self.0.ended.notified();
            if self.lanes().queues.is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Serves a lane until its queue is empty.
    async fn serve(self, target: Target) {
        loop {
            let batch: Vec<Item> = {
                let mut lanes = self.lanes();
                let Some(queue) = lanes.queues.get_mut(&target) else { return };
                if queue.is_empty() {
                    lanes.queues.remove(&target);
                    self.0.ended.notify_waiters();
                    return;
                }
                // What makes or drops a collection is alone in its transaction.
                let most = if matches!(target, Target::Key(_)) { MAX_BATCH } else { 1 };
                let count = queue.len().min(most);
                queue.drain(..count).collect()
            };
            self.commit(&target, batch).await;
        }
    }

    /// Commits the batch, notifies the sinks, answers the callers.
    async fn commit(&self, target: &Target, mut batch: Vec<Item>) {
        let shared = &*self.0;
        let start = Instant::now();
        let outcome = match self.check_intact() {
            Err(error) => Err(error),
            Ok(()) => match batch::commit(&shared.engine, target, &mut batch).await {
                Ok(committed) => {
                    shared.sinks.flushed(batch.len(), start.elapsed());
                    if committed.drops() {
                        shared.dropped.notify_one();
                    }
                    shared.sinks.notify(&committed.changes, committed.step).inspect_err(|error| {
                        tracing::error!(%error, "a change could not be applied in memory; nothing more is written");
                        let _ = shared.broken.set(error.clone());
                    })
                }
                Err(error) => Err(error),
            },
        };
        batch.into_iter().for_each(|item| item.answer(outcome.clone()));
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
