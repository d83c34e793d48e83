//! A checksum beside each vector: a flipped bit would make a face unfindable, and nobody would see.

use crc_fast::{CrcAlgorithm, Digest};
use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::error::{StoreError, StoreResult};

/// Vectors that get their checksum in one transaction.
const PAGE: i64 = 2000;

const WITHOUT: &str =
    "SELECT collection, face, vector FROM vectors INDEXED BY vectors_without_checksum
    WHERE checksum IS NULL LIMIT ?";

const FILL: &str = "UPDATE vectors SET checksum = filled.value ->> 2 FROM json_each(?) filled
    WHERE collection = filled.value ->> 0 AND face = filled.value ->> 1";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FILL];

/// CRC-32C of a face's row and the bytes of its vector, so that neither can stand beside another.
pub(super) fn checksum(face: i64, vector: &[u8]) -> i64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&face.to_le_bytes());
    digest.update(vector);
    digest.finalize().cast_signed()
}

/// Reads a stored vector into `values`, which it clears; fails when it is not as it was written.
pub(super) fn decode_into(
    face: i64,
    vector: &[u8],
    stored: Option<i64>,
    values: &mut Vec<f32>,
) -> StoreResult<()> {
    let (chunks, rest) = vector.as_chunks::<4>();
    if stored != Some(checksum(face, vector)) || !rest.is_empty() {
        return Err(StoreError::DamagedVector(face));
    }
    values.clear();
    values.extend(chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    Ok(())
}

/// A stored vector; fails when it is not as it was written.
pub(super) fn decode(face: i64, vector: &[u8], stored: Option<i64>) -> StoreResult<Vec<f32>> {
    let mut values = Vec::new();
    decode_into(face, vector, stored, &mut values)?;
    Ok(values)
}

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
