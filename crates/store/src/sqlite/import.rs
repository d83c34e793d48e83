//! Collections written as a whole: a dropped collection that is filled, and then is dropped no more.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::collections::{self, add_to_counts};
use super::faces::insert_vectors;
use super::rows::CollectionRow;
use super::tags;
use super::writer::{Transaction, Write};
use crate::change::{Change, FaceVector};
use crate::error::{Entity, Quota, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey};
use crate::tenant::Tenant;
use crate::transfer::{Import, NewImport, StoredFace, TransferRows};
use crate::{MAX_FACES_PER_COLLECTION, MAX_FACES_PER_USER};

const BEGIN: &str = "INSERT INTO collections (account, region, name, model_version, pack_name, pack_version, created_at, dropped, importing)
    VALUES (?, ?, ?, ?, ?, ?, ?, 1, 1) RETURNING id";

const FACE_COUNT: &str = "SELECT face_count FROM collections WHERE id = ? AND importing = 1";

const INSERT_USERS: &str = "INSERT INTO users (collection, user_id) SELECT ?1, value FROM json_each(?2) WHERE true ORDER BY key
    ON CONFLICT DO NOTHING RETURNING user_id";

const INSERT_FACES: &str =
    "INSERT INTO faces (collection, face_id, image_id, image_sha256, external_image_id, ordinal,
        box_left, box_top, box_width, box_height, confidence, model_version, user)
    SELECT ?1, unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4,
        value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10,
        (SELECT id FROM users WHERE collection = ?1 AND user_id = value ->> 11)
    FROM json_each(?2) WHERE true ORDER BY key
    ON CONFLICT DO NOTHING RETURNING id, face_id, user";

const COUNT_FACES_OF_USERS: &str =
    "UPDATE users SET face_count = face_count + gained.value ->> 1 FROM json_each(?) gained
    WHERE users.id = gained.value ->> 0 RETURNING face_count";

const SHOW: &str =
    "UPDATE collections SET dropped = 0, importing = 0 WHERE id = ? AND importing = 1
    RETURNING id, name, model_version, pack_name, pack_version, created_at, face_count, user_count";

const ABANDON: &str = "UPDATE collections SET importing = 0 WHERE id = ? AND importing = 1";

/// Once at each start: the index of dropped collections holds few.
const CLEAR_UNFINISHED: &str =
    "UPDATE collections SET importing = 0 WHERE dropped = 1 AND importing = 1";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FACE_COUNT, COUNT_FACES_OF_USERS, SHOW, ABANDON];

/// Leaves imports that a server before did not finish to be cleared away.
pub(super) async fn clear_unfinished(database: &SqlitePool) -> sqlx::Result<()> {
    sqlx::query(CLEAR_UNFINISHED).execute(database).await.map(drop)
}

pub(super) struct Begin {
    pub(super) tenant: Tenant,
    pub(super) new: NewImport,
}

#[async_trait]
impl Write for Begin {
    type Output = Import;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Import> {
        let Self { tenant, new } = self;
        let id: i64 = sqlx::query_scalar(BEGIN)
            .bind(&tenant.account)
            .bind(&tenant.region)
            .bind(&new.name)
            .bind(&new.model_version)
            .bind(&new.pack.name)
            .bind(&new.pack.version)
            .bind(new.created_at)
            .fetch_one(&mut *transaction.connection)
            .await?;
        let key = CollectionKey(id);
        tags::insert(transaction.connection, key, &new.tags).await?;
        Ok(Import { key, tenant: tenant.clone(), name: new.name.clone() })
    }
}

pub(super) struct Rows {
    pub(super) import: Import,
    pub(super) rows: TransferRows,
}

#[async_trait]
impl Write for Rows {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let Self { import, rows } = self;
        let connection = &mut *transaction.connection;
        let found: Option<i64> = sqlx::query_scalar(FACE_COUNT)
            .bind(import.key.0)
            .fetch_optional(&mut *connection)
            .await?;
        let face_count = found.ok_or_else(|| ended(import))?;
        match rows {
            TransferRows::Users(users) => insert_users(connection, import.key, users).await,
            TransferRows::Faces(faces) if faces.is_empty() => Ok(()),
            TransferRows::Faces(faces) => {
                if face_count as u64 + faces.len() as u64 > MAX_FACES_PER_COLLECTION {
                    return Err(StoreError::Quota(Quota::FacesPerCollection));
                }
                insert_faces(connection, import.key, faces).await
            }
        }
    }
}

fn ended(import: &Import) -> StoreError {
    StoreError::NotFound(Entity::Collection(import.name.clone()))
}

async fn insert_users(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    users: &[String],
) -> StoreResult<()> {
    let inserted: Vec<String> = sqlx::query_scalar(INSERT_USERS)
        .bind(collection.0)
        .bind(json!(users).to_string())
        .fetch_all(&mut *connection)
        .await?;
    if inserted.len() < users.len() {
        return Err(StoreError::InvalidImport("a user is there twice".to_owned()));
    }
    add_to_counts(connection, collection, 0, users.len() as i64).await
}

async fn insert_faces(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    faces: &[StoredFace],
) -> StoreResult<()> {
    let inserted: Vec<(i64, Uuid, Option<i64>)> = sqlx::query_as(INSERT_FACES)
        .bind(collection.0)
        .bind(Value::Array(faces.iter().map(columns).collect()).to_string())
        .fetch_all(&mut *connection)
        .await?;
    let inserted: HashMap<Uuid, (i64, Option<i64>)> =
        inserted.into_iter().map(|(row, face_id, user)| (face_id, (row, user))).collect();
    let mut vectors = Vec::with_capacity(faces.len());
    let mut gained: HashMap<i64, u64> = HashMap::new();
    for face in faces {
        let invalid = |what: &str| {
            let text = format!("the face {} {what}", face.face_id);
            Err(StoreError::InvalidImport(text))
        };
        match (inserted.get(&face.face_id), &face.user_id) {
            (None, _) => return invalid("is there twice, or another one of the same image is"),
            (Some((_, None)), Some(_)) => return invalid("is of a user that is not there"),
            (Some((row, user)), _) => {
                vectors.push(FaceVector { row: *row, vector: face.vector.clone() });
                if let Some(user) = user {
                    *gained.entry(*user).or_default() += 1;
                }
            }
        }
    }
    if inserted.len() < faces.len() {
        return Err(StoreError::InvalidImport("a face is there twice".to_owned()));
    }
    insert_vectors(connection, collection, &vectors).await?;
    if !gained.is_empty() {
        let gained: Vec<(i64, u64)> = gained.into_iter().collect();
        let counts: Vec<i64> = sqlx::query_scalar(COUNT_FACES_OF_USERS)
            .bind(json!(gained).to_string())
            .fetch_all(&mut *connection)
            .await?;
        if counts.into_iter().any(|count| count as usize > MAX_FACES_PER_USER) {
            return Err(StoreError::Quota(Quota::FacesPerUser));
        }
    }
    add_to_counts(connection, collection, faces.len() as i64, 0).await
}

fn columns(face: &StoredFace) -> Value {
    json!([
        face.face_id.simple().to_string(),
        face.image_id.simple().to_string(),
        hex::encode(face.image_sha256),
        face.external_image_id,
        face.ordinal,
        face.bounding_box.left,
        face.bounding_box.top,
        face.bounding_box.width,
        face.bounding_box.height,
        face.confidence,
        face.model_version,
        face.user_id,
    ])
}

pub(super) struct Finish {
    pub(super) imports: Vec<Import>,
    pub(super) replace: bool,
}

#[async_trait]
impl Write for Finish {
    type Output = Vec<Collection>;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Vec<Collection>> {
        let mut shown = Vec::with_capacity(self.imports.len());
        for import in &self.imports {
            let Import { key, tenant, name } = import;
            match collections::find(&mut *transaction.connection, tenant, name).await {
                Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
                Ok(_) if self.replace => {
                    let drop = collections::Delete { tenant: tenant.clone(), name: name.clone() };
                    drop.apply(transaction).await?;
                }
                Ok(_) => return Err(StoreError::AlreadyExists(Entity::Collection(name.clone()))),
            }
            let collection: Option<CollectionRow> = sqlx::query_as(SHOW)
                .bind(key.0)
                .fetch_optional(&mut *transaction.connection)
                .await?;
            shown.push(collection.ok_or_else(|| ended(import))?.into());
        }
        Ok(shown)
    }
}

pub(super) struct Abandon {
    pub(super) imports: Vec<Import>,
}

#[async_trait]
impl Write for Abandon {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        for Import { key, .. } in &self.imports {
            let abandoned =
                sqlx::query(ABANDON).bind(key.0).execute(&mut *transaction.connection).await?;
            if abandoned.rows_affected() > 0 {
                // What a dropped collection held is cleared away after this batch.
                transaction.changes.push(Change::CollectionDropped { collection: *key });
            }
        }
        Ok(())
    }
}
