//! Rows as PostgreSQL returns them.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use crate::rows::{BoundingBox, Collection, CollectionKey, Face, PackId, Revision, User};

#[derive(sqlx::FromRow)]
pub(super) struct CollectionRow {
    id: i64,
    name: String,
    model_version: String,
    pack_name: String,
    pack_version: String,
    created_at: i64,
    face_count: i64,
    user_count: i64,
    version: i64,
    nonce: i64,
    next_row: i64,
}

impl From<CollectionRow> for Collection {
    fn from(row: CollectionRow) -> Self {
        Self {
            key: CollectionKey(row.id),
            name: row.name,
            model_version: row.model_version,
            pack: PackId { name: row.pack_name, version: row.pack_version },
            created_at: row.created_at,
            face_count: row.face_count as u64,
            user_count: row.user_count as u64,
            revision: Revision { version: row.version, nonce: row.nonce },
            next_row: row.next_row,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct FaceRow {
    id: i64,
    ordinal: i32,
    face_id: Uuid,
    image_id: Uuid,
    external_image_id: String,
    box_left: f32,
    box_top: f32,
    box_width: f32,
    box_height: f32,
    confidence: f32,
    model_version: String,
    user_id: Option<String>,
}

impl FaceRow {
    pub(super) fn ordinal(&self) -> u32 {
        self.ordinal as u32
    }
}

impl From<FaceRow> for Face {
    fn from(row: FaceRow) -> Self {
        Self {
            row: row.id,
            face_id: row.face_id,
            image_id: row.image_id,
            external_image_id: Some(row.external_image_id).filter(|id| !id.is_empty()),
            bounding_box: BoundingBox {
                left: row.box_left,
                top: row.box_top,
                width: row.box_width,
                height: row.box_height,
            },
            confidence: row.confidence,
            model_version: row.model_version,
            user_id: row.user_id,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    id: i64,
    user_id: String,
    face_count: i64,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self { row: row.id, user_id: row.user_id, face_count: row.face_count as u64 }
    }
}

/// What is left-joined to a collection; none without the collection.
pub(super) fn joined<T>(rows: Vec<PgRow>) -> sqlx::Result<Option<Vec<T>>>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    if rows.is_empty() {
        return Ok(None);
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<i64>, _>("id")?.is_some() {
            found.push(T::from_row(row)?);
        }
    }
    Ok(Some(found))
}
