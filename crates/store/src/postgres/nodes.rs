//! The list of nodes.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::engine::{Lease, no_answer};
use crate::error::StoreResult;
use crate::membership::Beat;

/// For this connection, which does nothing else: a beat that is lost in a crash is made up for by the
/// next one.
const SESSION: &str = "SET synchronous_commit = off";

const NOTE: &str = "INSERT INTO nodes (address, beat_at) VALUES ($1, now())
    ON CONFLICT (address) DO UPDATE SET beat_at = now()";

const READ: &str = r#"SELECT (extract(epoch FROM now()) * 1000)::bigint, secret, ARRAY(
        SELECT address FROM nodes WHERE beat_at > now() - make_interval(secs => $1) ORDER BY address COLLATE "C"
    ) FROM node_secret WHERE id = 1"#;

const LEAVE: &str = "DELETE FROM nodes WHERE address = $1";

/// Those that left without a word, some time ago.
const FORGET: &str = "DELETE FROM nodes WHERE beat_at < now() - interval '1 hour'";

/// How long a beat may take before its connection counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn beat(mut lease: Lease, address: &str, lifetime: Duration) -> StoreResult<Beat> {
    let note = timeout(PATIENCE, note(&mut lease.connection, address, lifetime));
    let beat = note.await.unwrap_or_else(|_| Err(no_answer()));
    if beat.is_err() {
        // The next one begins with another.
        drop(Lease::take(lease));
    }
    beat
}

async fn note(
    connection: &mut PgConnection,
    address: &str,
    lifetime: Duration,
) -> StoreResult<Beat> {
    sqlx::raw_sql(SESSION).execute(&mut *connection).await?;
    sqlx::query(NOTE).bind(address).execute(&mut *connection).await?;
    let read = sqlx::query_as(READ).bind(lifetime.as_secs_f64());
    let (now, secret, addresses) = read.fetch_one(connection).await?;
    Ok(Beat { addresses, now, secret })
}

pub(super) async fn leave(mut lease: Lease, address: &str) -> StoreResult<()> {
    sqlx::query(LEAVE).bind(address).execute(&mut lease.connection).await?;
    Ok(())
}

pub(super) async fn forget_old(mut lease: Lease) -> StoreResult<()> {
    sqlx::raw_sql(FORGET).execute(&mut lease.connection).await?;
    Ok(())
}
