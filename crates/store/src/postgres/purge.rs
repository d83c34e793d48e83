//! Clears away what deleted collections held, and tokens that nobody asks for any more, in steps
//! small enough for writes to pass between them. Nodes share the work.

use sqlx::Connection as _;

use super::engine::Engine;
use super::tokens::LIFETIME;
use crate::error::StoreResult;

/// Rows of each table in one step: some milliseconds.
const STEP: i64 = 2000;

/// In this order no row is left that refers to one that is gone.
const DELETIONS: [&str; 6] = [
    "DELETE FROM vectors WHERE collection = $1 AND face IN (SELECT face FROM vectors WHERE collection = $1 ORDER BY face LIMIT $2)",
    "DELETE FROM faces WHERE collection = $1 AND id IN (SELECT id FROM faces WHERE collection = $1 ORDER BY id LIMIT $2)",
    "DELETE FROM users WHERE collection = $1 AND id IN (SELECT id FROM users WHERE collection = $1 ORDER BY id LIMIT $2)",
    "DELETE FROM tags WHERE collection = $1 AND key IN (SELECT key FROM tags WHERE collection = $1 LIMIT $2)",
    "DELETE FROM tokens WHERE (account, region, operation, token) IN
        (SELECT account, region, operation, token FROM tokens WHERE collection = $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
    "DELETE FROM changes WHERE collection = $1 AND version IN (SELECT version FROM changes WHERE collection = $1 ORDER BY version LIMIT $2)",
];

const DROPPED: &str = "SELECT id FROM collections WHERE dropped AND coalesce(importing_until, 0) <= $1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED";

const EXPIRED: &str = "DELETE FROM tokens WHERE (account, region, operation, token) IN
    (SELECT account, region, operation, token FROM tokens WHERE created_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// Deletes some rows of a dropped collection, or the collection itself when it is empty. Says
/// whether there may be more to do.
pub(super) async fn step(engine: &Engine, now: i64) -> StoreResult<bool> {
    let mut lease = engine.writer().await?;
    let mut transaction = lease.connection.begin().await?;
    let dropped: Option<i64> =
        sqlx::query_scalar(DROPPED).bind(now).fetch_optional(&mut *transaction).await?;
    let Some(collection) = dropped else { return Ok(false) };
    let mut deleted = 0;
    for deletion in DELETIONS {
        deleted = sqlx::query(deletion)
            .bind(collection)
            .bind(STEP)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if deleted > 0 {
            break;
        }
    }
    if deleted == 0 {
        sqlx::query("DELETE FROM collections WHERE id = $1")
            .bind(collection)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Deletes tokens that have expired.
pub(super) async fn expire_tokens(engine: &Engine, now: i64) -> StoreResult<()> {
    let mut lease = engine.writer().await?;
    sqlx::query(EXPIRED).bind(now - LIFETIME).bind(STEP).execute(&mut lease.connection).await?;
    Ok(())
}
