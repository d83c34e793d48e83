//! Opening a database, and the work that goes on while it is open.

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::address::Address;
use super::engine::Engine;
use super::writer::Writer;
use super::{nodes, purge};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::open_error::OpenError;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// How often a node looks for what others left to clear away.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// Connects, and makes or upgrades the schema; nodes that start at once wait for one another.
pub(super) async fn open(address: &Address) -> Result<Arc<Engine>, OpenError> {
    let engine = Arc::new(Engine::new(address));
    let mut connection = engine.connect().await?;
    MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| OpenError::migrating(&MIGRATIONS, error))?;
    Ok(engine)
}

/// Starts clearing away.
pub(super) fn tidy(engine: Arc<Engine>, writer: Writer, clock: Clock) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            if let Err(error) = tidy_once(&engine, &clock).await {
                if matches!(error, StoreError::Closed) {
                    return;
                }
                tracing::warn!(%error, "deleted collections are not cleared away; the next attempt follows soon");
            }
            tokio::select! {
                () = writer.dropped() => {}
                () = sleep(TIDY_EVERY) => {}
            }
        }
    })
}

async fn tidy_once(engine: &Engine, clock: &Clock) -> Result<(), StoreError> {
    while purge::step(engine, clock()).await? {}
    nodes::forget_old(engine.writer().await?).await?;
    purge::expire_tokens(engine, clock()).await
}
