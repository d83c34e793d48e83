//! Clears away what deleted collections held, in steps small enough for writes to pass between
//! them.

use sqlx::SqlitePool;

/// Rows of each table in one step: some milliseconds.
const STEP: i64 = 2000;

/// In this order no row is left that refers to one that is gone.
pub(super) const DELETIONS: [&str; 5] = [
    "DELETE FROM vectors WHERE collection = ?1 AND face IN (SELECT face FROM vectors WHERE collection = ?1 LIMIT ?2)",
    "DELETE FROM faces WHERE id IN (SELECT id FROM faces WHERE collection = ?1 LIMIT ?2)",
    "DELETE FROM users WHERE id IN (SELECT id FROM users WHERE collection = ?1 LIMIT ?2)",
    "DELETE FROM tags WHERE collection = ?1 AND key IN (SELECT key FROM tags WHERE collection = ?1 LIMIT ?2)",
    "DELETE FROM tokens WHERE (account, region, operation, token) IN
        (SELECT account, region, operation, token FROM tokens WHERE collection = ?1 LIMIT ?2)",
];

pub(super) const DROPPED: &str =
    "SELECT id FROM collections WHERE dropped = 1 AND importing = 0 ORDER BY id LIMIT 1";

/// Deletes some rows of a dropped collection, or the collection itself when it is empty. Says
/// whether there may be more to do.
pub(super) async fn step(database: &SqlitePool) -> sqlx::Result<bool> {
    let mut connection = database.acquire().await?;
    let dropped: Option<i64> = sqlx::query_scalar(DROPPED).fetch_optional(&mut *connection).await?;
    let Some(collection) = dropped else { return Ok(false) };
    for deletion in DELETIONS {
        let deleted = sqlx::query(deletion)
            .bind(collection)
            .bind(STEP)
            .execute(&mut *connection)
            .await?
            .rows_affected();
        if deleted > 0 {
            return Ok(true);
        }
    }
    sqlx::query("DELETE FROM collections WHERE id = ?")
        .bind(collection)
        .execute(&mut *connection)
        .await?;
    Ok(true)
}
