//! Collections by tenant and name.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Row, SqliteExecutor, SqlitePool};

use super::rows::CollectionRow;
use super::tags;
use super::writer::{Transaction, Write};
use crate::change::Change;
use crate::error::{Entity, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey, NewCollection};
use crate::tenant::Tenant;

const FIND: &str =
    "SELECT id, name, model_version, pack_name, pack_version, created_at, face_count, user_count
    FROM collections WHERE account = ? AND region = ? AND name = ? AND dropped = 0";

const FIND_BY_KEY: &str =
    "SELECT id, name, model_version, pack_name, pack_version, created_at, face_count, user_count
    FROM collections WHERE id = ? AND dropped = 0";

const LIST: &str = "SELECT id, name, model_version, pack_name, pack_version, created_at, face_count, user_count
    FROM collections WHERE account = ? AND region = ? AND id > ? AND dropped = 0 ORDER BY id LIMIT ?";

const INSERT: &str = "INSERT INTO collections (account, region, name, model_version, pack_name, pack_version, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account, region, name) WHERE dropped = 0 DO NOTHING
    RETURNING id, name, model_version, pack_name, pack_version, created_at, face_count, user_count";

const DROP: &str = "UPDATE collections SET dropped = 1 WHERE account = ? AND region = ? AND name = ? AND dropped = 0
    RETURNING id, name, model_version, pack_name, pack_version, created_at, face_count, user_count";

const COUNTS: &str = "SELECT face_count, user_count FROM collections WHERE id = ? AND dropped = 0";

const ADD_TO_COUNTS: &str =
    "UPDATE collections SET face_count = face_count + ?, user_count = user_count + ? WHERE id = ?";

fn not_found(name: &str) -> StoreError {
    StoreError::NotFound(Entity::Collection(name.to_owned()))
}

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FIND, FIND_BY_KEY, LIST, DROP, COUNTS, ADD_TO_COUNTS];

pub(super) async fn find(
    database: impl SqliteExecutor<'_>,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<Collection> {
    let found: Option<CollectionRow> = sqlx::query_as(FIND)
        .bind(&tenant.account)
        .bind(&tenant.region)
        .bind(name)
        .fetch_optional(database)
        .await?;
    found.map(Collection::from).ok_or_else(|| not_found(name))
}

pub(super) async fn find_by_key(
    database: &SqlitePool,
    key: CollectionKey,
) -> StoreResult<Option<Collection>> {
    let found: Option<CollectionRow> =
        sqlx::query_as(FIND_BY_KEY).bind(key.0).fetch_optional(database).await?;
    Ok(found.map(Collection::from))
}

pub(super) async fn list(
    database: &SqlitePool,
    tenant: &Tenant,
    after: Option<CollectionKey>,
    limit: usize,
) -> StoreResult<Vec<Collection>> {
    let after = after.map_or(0, |key| key.0);
    let found: Vec<CollectionRow> = sqlx::query_as(LIST)
        .bind(&tenant.account)
        .bind(&tenant.region)
        .bind(after)
        .bind(limit as i64)
        .fetch_all(database)
        .await?;
    Ok(found.into_iter().map(Collection::from).collect())
}

/// How many faces and users a collection has; fails when it was deleted.
pub(super) async fn counts(
    connection: &mut SqliteConnection,
    collection: &Collection,
) -> StoreResult<(u64, u64)> {
    let row = sqlx::query(COUNTS)
        .bind(collection.key.0)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| not_found(&collection.name))?;
    Ok((row.try_get::<i64, _>(0)? as u64, row.try_get::<i64, _>(1)? as u64))
}

/// Moves the counts of a collection.
pub(super) async fn add_to_counts(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    faces: i64,
    users: i64,
) -> StoreResult<()> {
    sqlx::query(ADD_TO_COUNTS)
        .bind(faces)
        .bind(users)
        .bind(collection.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) struct Create {
    pub(super) tenant: Tenant,
    pub(super) new: NewCollection,
    pub(super) now: i64,
}

#[async_trait]
impl Write for Create {
    type Output = Collection;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Collection> {
        let Self { tenant, new, now } = self;
        let inserted: Option<CollectionRow> = sqlx::query_as(INSERT)
            .bind(&tenant.account)
            .bind(&tenant.region)
            .bind(&new.name)
            .bind(&new.model_version)
            .bind(&new.pack.name)
            .bind(&new.pack.version)
            .bind(now)
            .fetch_optional(&mut *transaction.connection)
            .await?;
        let collection = inserted
            .map(Collection::from)
            .ok_or_else(|| StoreError::AlreadyExists(Entity::Collection(new.name.clone())))?;
        tags::insert(transaction.connection, collection.key, &new.tags).await?;
        Ok(collection)
    }
}

pub(super) struct Delete {
    pub(super) tenant: Tenant,
    pub(super) name: String,
}

#[async_trait]
impl Write for Delete {
    type Output = Collection;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Collection> {
        let dropped: Option<CollectionRow> = sqlx::query_as(DROP)
            .bind(&self.tenant.account)
            .bind(&self.tenant.region)
            .bind(&self.name)
            .fetch_optional(&mut *transaction.connection)
            .await?;
        let collection = dropped.map(Collection::from).ok_or_else(|| not_found(&self.name))?;
        transaction.changes.push(Change::CollectionDropped { collection: collection.key });
        Ok(collection)
    }
}
