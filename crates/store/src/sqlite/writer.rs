//! The one writer, with group commit: all writes that wait share one transaction, a savepoint each,
//! and one flush to disk.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::folder::{Files, Folder};
use super::purge;
use crate::change::{Change, ChangeSink};
use crate::error::{StoreError, StoreResult};
use crate::sinks::Sinks;

/// Writes in one transaction; more would only delay the first of them.
const MAX_BATCH: usize = 256;

/// What a write works on.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c mut SqliteConnection,
    /// What the sinks hear if the write succeeds.
    pub(super) changes: Vec<Change>,
}

/// One atomic write.
#[async_trait]
pub(super) trait Write: Send + Sync + 'static {
    type Output: Send + 'static;

    /// Does the write; all of it is undone when it fails.
    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Self::Output>;
}

/// A write with the one who waits for it.
struct Pending<W: Write> {
    write: W,
    result: Option<StoreResult<W::Output>>,
    caller: oneshot::Sender<StoreResult<W::Output>>,
}

#[async_trait]
trait Job: Send {
    /// Does the write and says whether it is to be kept.
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> bool;
    /// Tells the caller, now that the transaction has ended.
    fn answer(self: Box<Self>, commit: StoreResult<()>);
}

#[async_trait]
impl<W: Write> Job for Pending<W> {
    async fn run(&mut self, transaction: &mut Transaction<'_>) -> bool {
        let result = AssertUnwindSafe(self.write.apply(transaction)).catch_unwind().await;
        self.result.insert(result.unwrap_or(Err(StoreError::Panicked))).is_ok()
    }

    fn answer(self: Box<Self>, commit: StoreResult<()>) {
        let Self { result, caller, .. } = *self;
        // A caller that is gone does not hear; the write stands all the same.
        let _ = caller.send(commit.and_then(|()| result.unwrap_or(Err(StoreError::Closed))));
    }
}

/// The way to the writing task, which ends when this is dropped or closed and all writes are done.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    sinks: Arc<Sinks>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writing task; `folder` stays locked until it ends.
    pub(super) fn start(
        database: SqlitePool,
        folder: Option<Folder>,
        files: Option<Files>,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(MAX_BATCH);
        let sinks = Arc::<Sinks>::default();
        let served = Served { database, sinks: Arc::clone(&sinks), folder, files, broken: None };
        let task = tokio::spawn(served.serve(queue));
        Self { jobs: Mutex::new(Some(jobs)), sinks, task: Mutex::new(Some(task)) }
    }

    pub(super) fn subscribe(&self, sink: &Arc<dyn ChangeSink>) {
        self.sinks.subscribe(sink);
    }

    /// Queues a write and waits until it is durable or has failed.
    pub(super) async fn write<W: Write>(&self, write: W) -> StoreResult<W::Output> {
        let (caller, result) = oneshot::channel();
        let jobs = locked(&self.jobs).clone().ok_or(StoreError::Closed)?;
        let job = Box::new(Pending { write, result: None, caller });
        jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        drop(jobs);
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Lets the queued writes finish and ends the task.
    pub(super) async fn close(&self) {
        drop(locked(&self.jobs).take());
        let task = locked(&self.task).take();
        if let Some(task) = task {
            // It only fails when the task panicked, and then there is nothing left to wait for.
            let _ = task.await;
        }
    }
}

/// A write that changes nothing that anyone reads, to see whether writes succeed.
pub(super) struct Probe {
    pub(super) value: i64,
}

#[async_trait]
impl Write for Probe {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        // The one number in the header that SQLite leaves to its users.
        let statement = format!("PRAGMA user_version = {}", self.value & 0x7fff_ffff);
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *transaction.connection).await?;
        Ok(())
    }
}

/// What the writing task works with.
struct Served {
    database: SqlitePool,
    sinks: Arc<Sinks>,
    folder: Option<Folder>,
    files: Option<Files>,
    /// Why nothing is written any more.
    broken: Option<StoreError>,
}

impl Served {
    async fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::new();
        let mut purging = true;
        'serving: loop {
            if purging {
                // Writes go first, a step of clearing away after each batch of them.
                while batch.len() < MAX_BATCH {
                    match queue.try_recv() {
                        Ok(job) => batch.push(job),
                        Err(TryRecvError::Disconnected) if batch.is_empty() => break 'serving,
                        Err(_) => break,
                    }
                }
            } else if queue.recv_many(&mut batch, MAX_BATCH).await == 0 {
                break;
            }
            if !batch.is_empty() {
                purging |= self.commit_batch(&mut batch).await;
            }
            if purging && self.broken.is_none() {
                purging = purge::step(&self.database).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "deleted collections are not cleared away; the next deletion or start tries again");
                    false
                });
            } else {
                purging = false;
            }
        }
        if let Some(folder) = &mut self.folder {
            folder.mark_closed();
        }
    }

    /// Commits the batch, notifies the sinks, answers the callers. Returns whether a collection was
    /// dropped.
    async fn commit_batch(&mut self, batch: &mut Vec<Box<dyn Job>>) -> bool {
        let began = Instant::now();
        let changes = match self.try_commit(batch).await {
            Ok(changes) => {
                let took = began.elapsed();
                self.sinks.flushed(batch.len(), took);
                changes
            }
            Err(error) => {
                batch.drain(..).for_each(|job| job.answer(Err(error.clone())));
                return false;
            }
        };
        let outcome = match self.sinks.notify(&changes, None) {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "a change could not be applied in memory; nothing more is written");
                self.broken = Some(error.clone());
                Err(error)
            }
        };
        batch.drain(..).for_each(|job| job.answer(outcome.clone()));
        changes.iter().any(|change| matches!(change, Change::CollectionDropped { .. }))
    }

    async fn try_commit(&mut self, batch: &mut [Box<dyn Job>]) -> StoreResult<Vec<Change>> {
        self.check_intact()?;
        let mut connection = self.database.acquire().await?;
        let changes = match run_batch(&mut connection, batch).await {
            Ok(changes) => changes,
            Err(error) => {
                // SQLite may have rolled back by itself, and then says that there is no
                // transaction.
                let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                return Err(error.into());
            }
        };
        if let Some(folder) = &mut self.folder {
            folder.mark_open();
        }
        // Again, as a commit into a file that has no name any more is lost.
        self.check_intact()?;
        Ok(changes)
    }

    /// Fails for good once something was found broken.
    fn check_intact(&mut self) -> StoreResult<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let result = self.files.as_ref().map_or(Ok(()), Files::check_in_place);
        if let Err(error) = &result {
            tracing::error!(%error, "nothing more is written");
            self.broken = Some(error.clone());
        }
        result
    }
}

async fn run_batch(
    connection: &mut SqliteConnection,
    batch: &mut [Box<dyn Job>],
) -> sqlx::Result<Vec<Change>> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let mut transaction = Transaction { connection, changes: Vec::new() };
    for job in batch {
        let changes_before = transaction.changes.len();
        sqlx::query("SAVEPOINT write").execute(&mut *transaction.connection).await?;
        if !job.run(&mut transaction).await {
            transaction.changes.truncate(changes_before);
            sqlx::query("ROLLBACK TO write").execute(&mut *transaction.connection).await?;
        }
        sqlx::query("RELEASE write").execute(&mut *transaction.connection).await?;
    }
    sqlx::query("COMMIT").execute(&mut *transaction.connection).await?;
    Ok(transaction.changes)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
