//! Vectors, read in bulk to fill the search: page by page, so that others get their turn on the one
//! connection of a memory database.

use std::error::Error;
use std::str::FromStr;

use futures_util::TryStreamExt;
use sqlx::{Row, SqlitePool};
use uuid::Uuid;

use crate::change::FaceVector;
use crate::checksums::{decode, decode_into};
use crate::error::StoreResult;
use crate::rows::{CollectionKey, RowRange};
use crate::{FaceVisitor, UserVisitor};

/// Faces, or users with up to a hundred faces each, that are read at a time: some milliseconds.
const PAGE_FACES: i64 = 1024;
const PAGE_USERS: i64 = 128;

/// A page in one row: the driver hands every row from its thread to ours, which takes longer than
/// the reading.
const FACES: &str = "SELECT max(face) AS last, group_concat(face) AS faces,
    group_concat(coalesce(checksum, '')) AS checksums, group_concat(length(vector)) AS lengths,
    CAST(group_concat(vector, '') AS BLOB) AS vectors
    FROM (SELECT v.face, v.vector, v.checksum FROM vectors v
        WHERE v.collection = ?1 AND v.face >= ?2 AND v.face < ?4 AND EXISTS (SELECT 1 FROM collections WHERE id = ?1 AND dropped = 0)
        ORDER BY v.face LIMIT ?3) page
    HAVING count(*) > 0";

const LAST_OF_PAGE: &str =
    "SELECT id FROM users INDEXED BY users_in_order WHERE collection = ? AND id >= ? AND id < ? ORDER BY id
    LIMIT 1 OFFSET ?";

const USERS: &str = "SELECT f.user, f.id, v.vector, v.checksum
    FROM users u INDEXED BY users_in_order CROSS JOIN faces f INDEXED BY faces_by_user ON f.user = u.id
    CROSS JOIN vectors v ON v.collection = f.collection AND v.face = f.id
    WHERE u.collection = ?1 AND u.id >= ?2 AND u.id < ?3 AND EXISTS (SELECT 1 FROM collections WHERE id = ?1 AND dropped = 0)
    ORDER BY u.id, f.id";

const FACE_VECTOR: &str = "SELECT f.id, v.vector, v.checksum FROM faces f JOIN collections c ON c.id = f.collection AND c.dropped = 0
    JOIN vectors v ON v.collection = f.collection AND v.face = f.id WHERE f.collection = ? AND f.face_id = ?";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FACES, LAST_OF_PAGE, USERS, FACE_VECTOR];

pub(super) async fn face_vector(
    database: &SqlitePool,
    collection: CollectionKey,
    face_id: Uuid,
) -> StoreResult<Option<FaceVector>> {
    let found: Option<(i64, Vec<u8>, Option<i64>)> = sqlx::query_as(FACE_VECTOR)
        .bind(collection.0)
        .bind(face_id)
        .fetch_optional(database)
        .await?;
    found
        .map(|(row, vector, stored)| Ok(FaceVector { row, vector: decode(row, &vector, stored)? }))
        .transpose()
}

/// Lists of the same order, numbers as text between commas, vectors one behind the other.
#[derive(sqlx::FromRow)]
struct Page {
    last: i64,
    faces: String,
    checksums: String,
    lengths: String,
    vectors: Vec<u8>,
}

pub(super) async fn faces(
    database: &SqlitePool,
    collection: CollectionKey,
    RowRange { mut first, end }: RowRange,
    visit: &mut FaceVisitor<'_>,
) -> StoreResult<()> {
    let mut vector = Vec::new();
    loop {
        let page = sqlx::query_as(FACES).bind(collection.0).bind(first).bind(PAGE_FACES).bind(end);
        let Some(page): Option<Page> = page.fetch_optional(database).await? else {
            return Ok(());
        };
        let mut rest = page.vectors.as_slice();
        let terms = page.checksums.split(',').zip(page.lengths.split(','));
        for (face, (checksum, length)) in page.faces.split(',').zip(terms) {
            let (bytes, others) = rest.split_at(number(length)?);
            rest = others;
            let face = number(face)?;
            decode_into(face, bytes, checksum.parse().ok(), &mut vector)?;
            visit(face, &vector);
        }
        first = page.last + 1;
    }
}

/// A number of a list.
fn number<N: FromStr<Err: Error + Send + Sync + 'static>>(text: &str) -> sqlx::Result<N> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

pub(super) async fn users(
    database: &SqlitePool,
    collection: CollectionKey,
    RowRange { mut first, end }: RowRange,
    visit: &mut UserVisitor<'_>,
) -> StoreResult<()> {
    loop {
        let last = sqlx::query_scalar(LAST_OF_PAGE)
            .bind(collection.0)
            .bind(first)
            .bind(end)
            .bind(PAGE_USERS - 1);
        let last: Option<i64> = last.fetch_optional(database).await?;
        let page = RowRange { first, end: last.map_or(end, |last| last + 1) };
        page_of_users(database, collection, page, visit).await?;
        let Some(last) = last else { return Ok(()) };
        first = last + 1;
    }
}

/// The vectors of a user's faces.
pub(super) async fn user_vectors(
    database: &SqlitePool,
    collection: CollectionKey,
    user: i64,
) -> StoreResult<Vec<Vec<f32>>> {
    let mut found = Vec::new();
    let mut visit = |_: i64, vectors: &[Vec<f32>]| found = vectors.to_vec();
    let only = RowRange { first: user, end: user + 1 };
    page_of_users(database, collection, only, &mut visit).await?;
    Ok(found)
}

async fn page_of_users(
    database: &SqlitePool,
    collection: CollectionKey,
    RowRange { first, end }: RowRange,
    visit: &mut UserVisitor<'_>,
) -> StoreResult<()> {
    let mut rows = sqlx::query(USERS).bind(collection.0).bind(first).bind(end).fetch(database);
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
        vectors.push(decode(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)?);
    }
    if let Some(last) = current {
        visit(last, &vectors);
    }
    Ok(())
}
