//! Collections by tenant and name.

use async_trait::async_trait;
use sqlx::postgres::PgConnection;

use super::engine::Lease;
use super::rows::CollectionRow;
use super::tags;
use super::transaction::{Effect, Transaction, nonce};
use super::writer::{Target, Write};
use crate::change::Change;
use crate::error::{Entity, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey, NewCollection};
use crate::tenant::Tenant;

/// Columns of a [`Collection`].
macro_rules! columns {
    () => {
        "id, name, model_version, pack_name, pack_version, created_at, face_count, user_count, version, nonce, next_row"
    };
}
pub(super) use columns;

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM collections WHERE account = $1 AND region = $2 AND name = $3 AND NOT dropped"
);

const FIND_BY_KEY: &str =
    concat!("SELECT ", columns!(), " FROM collections WHERE id = $1 AND NOT dropped");

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM collections WHERE account = $1 AND region = $2 AND id > $3 AND NOT dropped ORDER BY id LIMIT $4"
);

const INSERT: &str = concat!(
    "INSERT INTO collections (account, region, name, model_version, pack_name, pack_version, created_at, nonce)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (account, region, name) WHERE NOT dropped DO NOTHING RETURNING ",
    columns!()
);

pub(super) const FIRST_CHANGE: &str =
    "INSERT INTO changes (collection, version, nonce, faces, users) VALUES ($1, 0, $2, '{}', '{}')";

const IS_OURS: &str =
    "SELECT EXISTS (SELECT 1 FROM changes WHERE collection = $1 AND version = 0 AND nonce = $2)";

async fn find(
    connection: &mut PgConnection,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<Option<Collection>> {
    let found: Option<CollectionRow> = sqlx::query_as(FIND)
        .bind(&tenant.account)
        .bind(&tenant.region)
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(found.map(Collection::from))
}

pub(super) async fn expect(
    connection: &mut PgConnection,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<Collection> {
    let found = find(connection, tenant, name).await?;
    found.ok_or_else(|| StoreError::NotFound(Entity::Collection(name.to_owned())))
}

/// The collection that a request names.
pub(super) async fn look_up(
    mut lease: Lease,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<Collection> {
    expect(&mut lease.connection, tenant, name).await
}

pub(super) async fn look_up_by_key(
    mut lease: Lease,
    key: CollectionKey,
) -> StoreResult<Option<Collection>> {
    find_by_key(&mut lease.connection, key).await
}

async fn find_by_key(
    connection: &mut PgConnection,
    key: CollectionKey,
) -> StoreResult<Option<Collection>> {
    let found: Option<CollectionRow> =
        sqlx::query_as(FIND_BY_KEY).bind(key.0).fetch_optional(connection).await?;
    Ok(found.map(Collection::from))
}

pub(super) async fn list(
    mut lease: Lease,
    tenant: &Tenant,
    after: Option<CollectionKey>,
    limit: usize,
) -> StoreResult<Vec<Collection>> {
    let found: Vec<CollectionRow> = sqlx::query_as(LIST)
        .bind(&tenant.account)
        .bind(&tenant.region)
        .bind(after.map_or(0, |key| key.0))
        .bind(limit as i64)
        .fetch_all(&mut lease.connection)
        .await?;
    Ok(found.into_iter().map(Collection::from).collect())
}

pub(super) struct Create {
    tenant: Tenant,
    new: NewCollection,
    now: i64,
    /// By which a commit is known whose answer was lost.
    nonce: i64,
}

impl Create {
    pub(super) fn new(tenant: Tenant, new: NewCollection, now: i64) -> Self {
        Self { tenant, new, now, nonce: nonce() }
    }

    /// The collection that is there, if it is the one that an earlier attempt made.
    async fn made_before(&self, connection: &mut PgConnection) -> StoreResult<Collection> {
        if let Some(found) = find(connection, &self.tenant, &self.new.name).await? {
            let ours = sqlx::query_scalar(IS_OURS).bind(found.key.0).bind(self.nonce);
            if ours.fetch_one(connection).await? {
                return Ok(found);
            }
        }
        Err(StoreError::AlreadyExists(Entity::Collection(self.new.name.clone())))
    }
}

#[async_trait]
impl Write for Create {
    type Output = Collection;

    fn target(&self) -> Target {
        Target::Name(self.tenant.clone(), self.new.name.clone())
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Collection> {
        let Self { tenant, new, now, nonce } = self;
        // Waits for another node that makes it just now.
        let inserted: Option<CollectionRow> = sqlx::query_as(INSERT)
            .bind(&tenant.account)
            .bind(&tenant.region)
            .bind(&new.name)
            .bind(&new.model_version)
            .bind(&new.pack.name)
            .bind(&new.pack.version)
            .bind(now)
            .bind(nonce)
            .fetch_optional(&mut *transaction.connection)
            .await?;
        let Some(collection) = inserted.map(Collection::from) else {
            return self.made_before(transaction.connection).await;
        };
        sqlx::query(FIRST_CHANGE)
            .bind(collection.key.0)
            .bind(nonce)
            .execute(&mut *transaction.connection)
            .await?;
        tags::insert(transaction.connection, collection.key.0, &new.tags).await?;
        transaction.effect = Effect::Written;
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

    fn target(&self) -> Target {
        Target::Name(self.tenant.clone(), self.name.clone())
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Collection> {
        let locked = transaction.locked(&self.name)?;
        locked.dropped = true;
        let key = CollectionKey(locked.id);
        let collection = find_by_key(transaction.connection, key).await?;
        transaction.effect = Effect::Changed;
        transaction.changes.push(Change::CollectionDropped { collection: key });
        collection.ok_or_else(|| StoreError::NotFound(Entity::Collection(self.name.clone())))
    }
}
