//! Vectors, read in bulk to fill the search.

use futures_util::TryStreamExt;
use sqlx::{Row, SqlitePool};
use uuid::Uuid;

use crate::store::change::FaceVector;
use crate::store::error::StoreResult;
use crate::store::rows::CollectionKey;
use crate::store::{FaceVisitor, UserVisitor};

const FACES: &str = "SELECT v.face, v.vector FROM vectors v
    WHERE v.collection = ?1 AND EXISTS (SELECT 1 FROM collections WHERE id = ?1 AND dropped = 0) ORDER BY v.face";

const USERS: &str = "SELECT f.user, v.vector
    FROM users u INDEXED BY users_in_order CROSS JOIN faces f INDEXED BY faces_by_user ON f.user = u.id
    CROSS JOIN vectors v ON v.collection = f.collection AND v.face = f.id
    WHERE u.collection = ?1 AND EXISTS (SELECT 1 FROM collections WHERE id = ?1 AND dropped = 0) ORDER BY u.id, f.id";

const FACE_VECTOR: &str = "SELECT f.id, v.vector FROM faces f JOIN collections c ON c.id = f.collection AND c.dropped = 0
    JOIN vectors v ON v.collection = f.collection AND v.face = f.id WHERE f.collection = ? AND f.face_id = ?";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FACES, USERS, FACE_VECTOR];

/// A stored vector as numbers.
pub(super) fn decode(blob: &[u8]) -> Vec<f32> {
    let (values, _) = blob.as_chunks::<4>();
    values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

pub(super) async fn face_vector(
    database: &SqlitePool,
    collection: CollectionKey,
    face_id: Uuid,
) -> StoreResult<Option<FaceVector>> {
    let found: Option<(i64, Vec<u8>)> =
        sqlx::query_as(FACE_VECTOR).bind(collection).bind(face_id).fetch_optional(database).await?;
    Ok(found.map(|(row, vector)| FaceVector { row, vector: decode(&vector) }))
}

pub(super) async fn faces(database: &SqlitePool, collection: CollectionKey, visit: &mut FaceVisitor<'_>) -> StoreResult<()> {
    let mut rows = sqlx::query(FACES).bind(collection).fetch(database);
    let mut vector = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let (values, _) = row.try_get::<&[u8], _>(1)?.as_chunks::<4>();
        vector.clear();
        vector.extend(values.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        visit(row.try_get(0)?, &vector);
    }
    Ok(())
}

pub(super) async fn users(database: &SqlitePool, collection: CollectionKey, visit: &mut UserVisitor<'_>) -> StoreResult<()> {
    let mut rows = sqlx::query(USERS).bind(collection).fetch(database);
    let mut current = None;
    let mut vectors = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let user: i64 = row.try_get(0)?;
        if let Some(before) = current.replace(user)
            && before != user
        {
            visit(before, &vectors);
            vectors.clear();
        }
        vectors.push(decode(row.try_get(1)?));
    }
    if let Some(last) = current {
        visit(last, &vectors);
    }
    Ok(())
}
