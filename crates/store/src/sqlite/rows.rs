//! Rows as SQLite returns them.

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
            revision: Revision::default(),
            next_row: i64::MAX,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct FaceRow {
    id: i64,
    pub(super) ordinal: u32,
    face_id: Uuid,
    image_id: Uuid,
    external_image_id: Option<String>,
    box_left: f32,
    box_top: f32,
    box_width: f32,
    box_height: f32,
    confidence: f32,
    model_version: String,
    user_id: Option<String>,
}

impl FaceRow {
    pub(super) fn bounding_box(&self) -> BoundingBox {
        BoundingBox {
            left: self.box_left,
            top: self.box_top,
            width: self.box_width,
            height: self.box_height,
        }
    }
}

impl From<FaceRow> for Face {
    fn from(row: FaceRow) -> Self {
        Self {
            bounding_box: row.bounding_box(),
            row: row.id,
            face_id: row.face_id,
            image_id: row.image_id,
            external_image_id: row.external_image_id,
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
