//! A batch of writes to one collection, until it is durable.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::engine::{Engine, Lease, Patience, no_answer};
use super::index;
use super::transaction::{Effect, Transaction};
use super::writer::{Item, Outcome, Target};
use crate::change::{Change, Step};
use crate::error::{Failure, StoreError, StoreResult};

/// How long a batch may take before its connection counts as lost.
const WORK: Duration = Duration::from_secs(20);
/// The same for its commit, which waits for the disk and for replicas.
const COMMIT: Duration = Duration::from_secs(10);

const LOCK_EVEN_DROPPED: &str = "SELECT 1 FROM collections WHERE id = $1 FOR UPDATE";
const IS_KEPT: &str =
    "SELECT EXISTS (SELECT 1 FROM changes WHERE collection = $1 AND version = $2 AND nonce = $3)";

/// What a batch did.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) changes: Vec<Change>,
    pub(super) step: Option<Step>,
}

impl Committed {
    pub(super) fn drops(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::CollectionDropped { .. }))
    }
}

/// How an attempt ended that did not succeed.
enum Failed {
    /// Nothing was kept.
    Undone(StoreError),
    /// The connection was lost in the commit.
    InDoubt(Committed, StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Undone(error)
    }
}

/// Does the writes of a batch, again where that helps.
pub(super) async fn commit(
    engine: &Engine,
    target: &Target,
    batch: &mut [Item],
) -> StoreResult<Committed> {
    let mut patience = Patience::begin();
    loop {
        match attempt(engine, target, batch).await {
            Ok(committed) => return Ok(committed),
            Err(Failed::Undone(error)) => patience.pause_after(error).await?,
            Err(Failed::InDoubt(committed, error)) => {
                tracing::warn!(%error, "the connection to the database broke in a commit");
                // A new collection whose commit was lost is found by the next attempt.
                if let Some(step) = committed.step
                    && is_kept(engine, step).await?
                {
                    return Ok(committed);
                }
                patience.pause_after(error).await?;
            }
        }
    }
}

async fn attempt(
    engine: &Engine,
    target: &Target,
    batch: &mut [Item],
) -> Result<Committed, Failed> {
    let mut lease = engine.writer().await?;
    let work = timeout(WORK, work(&mut lease.connection, target, batch)).await;
    match work.unwrap_or_else(|_| Err(no_answer())) {
        Ok(Some(committed)) => match finish(&mut lease.connection, "COMMIT").await {
            Ok(()) => Ok(committed),
            Err(error) => {
                discard(engine, lease, &error);
                Err(Failed::InDoubt(committed, error))
            }
        },
        Ok(None) => {
            if let Err(error) = finish(&mut lease.connection, "ROLLBACK").await {
                discard(engine, lease, &error);
            }
            Ok(Committed::default())
        }
        Err(error) => {
            let lost = matches!(error, StoreError::Database { failure: Failure::Unreachable, .. });
            if lost || finish(&mut lease.connection, "ROLLBACK").await.is_err() {
                discard(engine, lease, &error);
            }
            Err(error.into())
        }
    }
}

/// Does the writes; none when they changed nothing.
async fn work(
    connection: &mut PgConnection,
    target: &Target,
    batch: &mut [Item],
) -> StoreResult<Option<Committed>> {
    let alone = batch.len() == 1;
    let mut transaction = Transaction::begin(connection, target).await?;
    index::together(&mut transaction, batch).await?;
    for item in batch {
        let Item::Other(job) = item else { continue };
        let before =
            (transaction.collection.clone(), transaction.changes.len(), transaction.effect);
        if !alone {
            sqlx::raw_sql("SAVEPOINT write").execute(&mut *transaction.connection).await?;
        }
        let outcome = job.run(&mut transaction).await?;
        if matches!(outcome, Outcome::Undone) {
            (transaction.collection, _, transaction.effect) = before.clone();
            transaction.changes.truncate(before.1);
        }
        let end = match outcome {
            _ if alone => continue,
            Outcome::Kept => "RELEASE SAVEPOINT write",
            Outcome::Undone => "ROLLBACK TO SAVEPOINT write; RELEASE SAVEPOINT write",
        };
        sqlx::raw_sql(end).execute(&mut *transaction.connection).await?;
    }
    if transaction.effect == Effect::Nothing {
        return Ok(None);
    }
    let step = transaction.stamp().await?;
    Ok(Some(Committed { changes: transaction.changes, step }))
}

async fn finish(connection: &mut PgConnection, statement: &'static str) -> StoreResult<()> {
    let end = sqlx::raw_sql(statement).execute(connection);
    timeout(COMMIT, end).await.map_err(|_| no_answer())??;
    Ok(())
}

/// Closes a connection that cannot be used any more.
fn discard(engine: &Engine, lease: Lease, error: &StoreError) {
    engine.lost(lease.generation(), error);
    drop(Lease::take(lease));
}

/// Whether a commit was kept whose answer was lost. The lock waits for its end.
async fn is_kept(engine: &Engine, step: Step) -> StoreResult<bool> {
    let mut patience = Patience::begin();
    loop {
        match ask(engine, step).await {
            Ok(kept) => return Ok(kept),
            Err(error) => {
                patience.pause_after(error).await.map_err(|_| StoreError::OutcomeUnknown)?;
            }
        }
    }
}

async fn ask(engine: &Engine, step: Step) -> StoreResult<bool> {
    let mut lease = engine.writer().await?;
    let question = async {
        let connection = &mut lease.connection;
        sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
        let row: Option<i32> = sqlx::query_scalar(LOCK_EVEN_DROPPED)
            .bind(step.collection.0)
            .fetch_optional(&mut *connection)
            .await?;
        let kept: bool = sqlx::query_scalar(IS_KEPT)
            .bind(step.collection.0)
            .bind(step.to.version)
            .bind(step.to.nonce)
            .fetch_one(&mut *connection)
            .await?;
        sqlx::raw_sql("ROLLBACK").execute(connection).await?;
        // A collection that is cleared away was dropped first: by this commit, or the callers will
        // hear of it.
        Ok(kept || row.is_none())
    };
    let answer: StoreResult<bool> =
        timeout(WORK, question).await.unwrap_or_else(|_| Err(no_answer()));
    if let Err(error) = &answer {
        discard(engine, lease, error);
    }
    answer
}
