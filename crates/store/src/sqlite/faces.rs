//! Faces: kept, listed, found and deleted.

use std::borrow::Cow;
use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use super::collections::{add_to_counts, counts};
use super::rows::FaceRow;
use super::writer::{Transaction, Write};
use crate::MAX_FACES_PER_COLLECTION;
use crate::change::{Change, FaceVector};
use crate::checksums::checksum;
use crate::duplicates::renumber;
use crate::error::{Quota, StoreError, StoreResult};
use crate::ownership::distinct;
use crate::rows::{
    BoundingBox, Collection, CollectionKey, Face, FaceDeletion, FaceFilter, IndexFaces, NewFace,
};

/// Columns and joins of a [`Face`] and its ordinal; faces of a deleted collection that are not
/// cleared away yet are not seen.
macro_rules! select_face {
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT f.id, f.ordinal, f.face_id, f.image_id, f.external_image_id, f.box_left, f.box_top, f.box_width, f.box_height, f.confidence,
                    f.model_version, u.user_id
             FROM ",
            $from,
            " JOIN collections c ON c.id = f.collection AND c.dropped = 0 LEFT JOIN users u ON u.id = f.user ",
            $rest
        )
    };
}

const OF_IMAGE: &str = select_face!(
    "faces f",
    "WHERE f.collection = ? AND f.image_sha256 = ? AND ifnull(f.external_image_id, '') = ifnull(?, '')"
);

// CROSS JOIN keeps SQLite to this order of the loops: from the list to the faces.
const BY_ROWS: &str = select_face!(
    "json_each(?1) wanted CROSS JOIN faces f ON f.id = wanted.value",
    "WHERE f.collection = ?2 ORDER BY wanted.key"
);

// All faces of an image in one statement: a call costs the same few exchanges with the database
// thread for any number of faces.
const INSERT: &str = "INSERT INTO faces (collection, image_id, image_sha256, external_image_id, model_version,
        face_id, ordinal, box_left, box_top, box_width, box_height, confidence)
    SELECT ?1, ?2, ?3, ?4, ?5, unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?6) WHERE true ORDER BY key
    ON CONFLICT (collection, image_sha256, ifnull(external_image_id, ''), ordinal) DO NOTHING
    RETURNING id, ordinal";

const INSERT_VECTORS: &str = "INSERT INTO vectors (collection, face, vector, checksum)
    SELECT ?1, value ->> 0, substr(?3, key * ?4 + 1, ?4), value ->> 1 FROM json_each(?2)";

const OWNERS: &str = "SELECT f.face_id, f.id, u.user_id
    FROM json_each(?2) wanted CROSS JOIN faces f ON f.collection = ?1 AND f.face_id = unhex(wanted.value)
    LEFT JOIN users u ON u.id = f.user";

const DELETE: &str = "DELETE FROM faces WHERE id IN (SELECT value FROM json_each(?))";

const DELETE_VECTORS: &str =
    "DELETE FROM vectors WHERE collection = ? AND face IN (SELECT value FROM json_each(?))";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[OF_IMAGE, BY_ROWS, OWNERS, DELETE, DELETE_VECTORS];

/// Face ids as a JSON list of hexadecimal strings: one parameter for any number of them.
pub(super) fn json_of_ids(face_ids: &[Uuid]) -> String {
    let list: Vec<String> = face_ids.iter().map(|id| format!("\"{}\"", id.simple())).collect();
    format!("[{}]", list.join(","))
}

/// Rows as a JSON list.
pub(super) fn json_of_rows(rows: &[i64]) -> String {
    let list: Vec<String> = rows.iter().map(i64::to_string).collect();
    format!("[{}]", list.join(","))
}

pub(super) async fn by_rows(
    database: &SqlitePool,
    collection: CollectionKey,
    rows: &[i64],
) -> StoreResult<Vec<Face>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<FaceRow> = sqlx::query_as(BY_ROWS)
        .bind(json_of_rows(rows))
        .bind(collection.0)
        .fetch_all(database)
        .await?;
    Ok(found.into_iter().map(Face::from).collect())
}

pub(super) async fn list(
    database: &SqlitePool,
    collection: CollectionKey,
    after: Option<Uuid>,
    limit: usize,
    filter: FaceFilter,
) -> StoreResult<Vec<Face>> {
    let found: Vec<FaceRow> =
        list_query(collection, after, limit, filter).build_query_as().fetch_all(database).await?;
    Ok(found.into_iter().map(Face::from).collect())
}

pub(super) fn list_query(
    collection: CollectionKey,
    after: Option<Uuid>,
    limit: usize,
    filter: FaceFilter,
) -> QueryBuilder<Sqlite> {
    // Named, as without statistics SQLite may walk the whole collection to find the few faces of a
    // user.
    let mut query = QueryBuilder::new(if filter.user_id.is_some() {
        select_face!("faces f INDEXED BY faces_by_user", "WHERE f.collection = ")
    } else {
        select_face!("faces f INDEXED BY faces_by_face_id", "WHERE f.collection = ")
    });
    query.push_bind(collection.0);
    if let Some(after) = after {
        query.push(" AND f.face_id > ").push_bind(after);
    }
    if let Some(user_id) = filter.user_id {
        query
            .push(" AND f.user = (SELECT id FROM users WHERE collection = ")
            .push_bind(collection.0);
        query.push(" AND user_id = ").push_bind(user_id).push(")");
    }
    if let Some(face_ids) = filter.face_ids {
        query
            .push(" AND f.face_id IN (SELECT unhex(value) FROM json_each(")
            .push_bind(json_of_ids(&face_ids))
            .push("))");
    }
    query.push(" ORDER BY f.face_id LIMIT ").push_bind(limit as i64);
    query
}

#[async_trait]
impl Write for IndexFaces {
    type Output = Vec<Face>;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Vec<Face>> {
        let (count_before, _) = counts(transaction.connection, &self.collection).await?;
        if self.faces.is_empty() {
            return Ok(Vec::new());
        }
        let mut kept = of_image(transaction.connection, self).await?;
        let mut faces = Cow::Borrowed(&self.faces);
        if !kept.is_empty() {
            let kept: Vec<_> =
                kept.iter().map(|kept| (kept.ordinal, kept.bounding_box())).collect();
            renumber(&kept, faces.to_mut());
        }
        let added = insert(transaction.connection, self, &faces).await?;
        if !added.is_empty() {
            if count_before + added.len() as u64 > MAX_FACES_PER_COLLECTION {
                return Err(StoreError::Quota(Quota::FacesPerCollection));
            }
            insert_vectors(transaction.connection, self.collection.key, &added).await?;
            add_to_counts(transaction.connection, self.collection.key, added.len() as i64, 0)
                .await?;
            transaction
                .changes
                .push(Change::FacesAdded { collection: self.collection.key, faces: added });
            kept = of_image(transaction.connection, self).await?;
        }
        let by_ordinal: HashMap<u32, Face> =
            kept.into_iter().map(|kept| (kept.ordinal, Face::from(kept))).collect();
        Ok(faces.iter().map(|new| by_ordinal[&new.ordinal].clone()).collect())
    }
}

/// The faces that are kept of the request's image.
async fn of_image(
    connection: &mut SqliteConnection,
    request: &IndexFaces,
) -> StoreResult<Vec<FaceRow>> {
    Ok(sqlx::query_as(OF_IMAGE)
        .bind(request.collection.key.0)
        .bind(&request.image_sha256[..])
        .bind(&request.external_image_id)
        .fetch_all(connection)
        .await?)
}

/// Inserts those of the faces that are new; gives them in the order of their rows.
async fn insert(
    connection: &mut SqliteConnection,
    request: &IndexFaces,
    faces: &[NewFace],
) -> StoreResult<Vec<FaceVector>> {
    let columns = |new: &NewFace| {
        let NewFace {
            face_id,
            ordinal,
            bounding_box: BoundingBox { left, top, width, height },
            confidence,
            ..
        } = new;
        json!([face_id.simple().to_string(), ordinal, left, top, width, height, confidence])
    };
    let mut inserted: Vec<(i64, u32)> = sqlx::query_as(INSERT)
        .bind(request.collection.key.0)
        .bind(request.image_id)
        .bind(&request.image_sha256[..])
        .bind(&request.external_image_id)
        .bind(&request.model_version)
        .bind(Value::Array(faces.iter().map(columns).collect()).to_string())
        .fetch_all(connection)
        .await?;
    inserted.sort_unstable();
    let mut vectors: HashMap<u32, &[f32]> = HashMap::with_capacity(faces.len());
    for new in faces {
        vectors.entry(new.ordinal).or_insert(&new.vector);
    }
    Ok(inserted
        .into_iter()
        .map(|(row, ordinal)| FaceVector { row, vector: vectors[&ordinal].to_vec() })
        .collect())
}

/// Inserts vectors, all of one length.
pub(super) async fn insert_vectors(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    faces: &[FaceVector],
) -> StoreResult<()> {
    let bytes: Vec<u8> =
        faces.iter().flat_map(|face| &face.vector).flat_map(|value| value.to_le_bytes()).collect();
    debug_assert!(
        faces.iter().all(|face| face.vector.len() == faces[0].vector.len()),
        "vectors of one image differ in length"
    );
    let bytes_per_vector = bytes.len() / faces.len();
    let rows = faces
        .iter()
        .zip(bytes.chunks_exact(bytes_per_vector))
        .map(|(face, vector)| json!([face.row, checksum(face.row, vector)]));
    let rows = Value::Array(rows.collect()).to_string();
    sqlx::query(INSERT_VECTORS)
        .bind(collection.0)
        .bind(rows)
        .bind(bytes)
        .bind(bytes_per_vector as i64)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) struct Delete {
    pub(super) collection: Collection,
    pub(super) face_ids: Vec<Uuid>,
}

#[async_trait]
impl Write for Delete {
    type Output = Vec<(Uuid, FaceDeletion)>;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Self::Output> {
        counts(transaction.connection, &self.collection).await?;
        let face_ids = distinct(&self.face_ids);
        let found: Vec<(Uuid, i64, Option<String>)> = sqlx::query_as(OWNERS)
            .bind(self.collection.key.0)
            .bind(json_of_ids(&face_ids))
            .fetch_all(&mut *transaction.connection)
            .await?;
        let rows: Vec<i64> =
            found.iter().filter(|(_, _, owner)| owner.is_none()).map(|(_, row, _)| *row).collect();
        if !rows.is_empty() {
            delete_rows(transaction.connection, self.collection.key, &rows).await?;
            transaction
                .changes
                .push(Change::FacesRemoved { collection: self.collection.key, rows });
        }
        let mut outcomes: HashMap<Uuid, FaceDeletion> = found
            .into_iter()
            .map(|(face_id, _, owner)| {
                (face_id, owner.map_or(FaceDeletion::Deleted, FaceDeletion::AssociatedTo))
            })
            .collect();
        Ok(face_ids
            .into_iter()
            .map(|id| (id, outcomes.remove(&id).unwrap_or(FaceDeletion::NotFound)))
            .collect())
    }
}

async fn delete_rows(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    rows: &[i64],
) -> StoreResult<()> {
    let list = json_of_rows(rows);
    sqlx::query(DELETE_VECTORS).bind(collection.0).bind(&list).execute(&mut *connection).await?;
    sqlx::query(DELETE).bind(list).execute(&mut *connection).await?;
    add_to_counts(connection, collection, -(rows.len() as i64), 0).await
}
