//! Checksums for the vectors of databases that are older than they are.

use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::checksums::checksum;

/// Vectors that get their checksum in one transaction.
const PAGE: i64 = 2000;

const WITHOUT: &str =
    "SELECT collection, face, vector FROM vectors INDEXED BY vectors_without_checksum
    WHERE checksum IS NULL LIMIT ?";

const FILL: &str = "UPDATE vectors SET checksum = filled.value ->> 2 FROM json_each(?) filled
    WHERE collection = filled.value ->> 0 AND face = filled.value ->> 1";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FILL];

/// Gives checksums to the vectors of a database that was written before there were any.
pub(super) async fn fill(database: &SqlitePool) -> sqlx::Result<()> {
    let mut count = 0;
    loop {
        let page: Vec<(i64, i64, Vec<u8>)> =
            sqlx::query_as(WITHOUT).bind(PAGE).fetch_all(database).await?;
        if page.is_empty() {
            break;
        }
        count += page.len();
        let filled = page
            .iter()
            .map(|(collection, face, vector)| json!([collection, face, checksum(*face, vector)]));
        sqlx::query(FILL)
            .bind(Value::Array(filled.collect()).to_string())
            .execute(database)
            .await?;
    }
    if count > 0 {
        tracing::info!(count, "stored vectors now have checksums");
    }
    Ok(())
}
