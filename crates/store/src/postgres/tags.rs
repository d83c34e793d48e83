//! Tags of collections.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;

use super::collections;
use super::engine::Lease;
use super::transaction::{Effect, Transaction};
use super::writer::{Target, Write};
use crate::MAX_TAGS;
use crate::error::{Quota, StoreError, StoreResult};
use crate::rows::CollectionKey;
use crate::tenant::Tenant;

const LIST: &str = "SELECT key, value FROM tags WHERE collection = $1";

const INSERT: &str = "INSERT INTO tags (collection, key, value)
    SELECT $1, * FROM unnest($2::text[], $3::text[])
    ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value";

const COUNT: &str = "SELECT count(*) FROM tags WHERE collection = $1";

const REMOVE: &str = "DELETE FROM tags WHERE collection = $1 AND key = ANY($2)";

pub(super) async fn list(
    mut lease: Lease,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<BTreeMap<String, String>> {
    // Keys are never used again, and a collection's tags go after it is gone: without a transaction
    // an answer may lack tags only if the collection is deleted meanwhile.
    let collection = collections::expect(&mut lease.connection, tenant, name).await?;
    of_collection(&mut lease.connection, collection.key).await
}

pub(super) async fn of_collection(
    connection: &mut PgConnection,
    collection: CollectionKey,
) -> StoreResult<BTreeMap<String, String>> {
    let tags: Vec<(String, String)> =
        sqlx::query_as(LIST).bind(collection.0).fetch_all(connection).await?;
    Ok(tags.into_iter().collect())
}

/// Adds or replaces tags.
pub(super) async fn insert(
    connection: &mut PgConnection,
    collection: i64,
    tags: &BTreeMap<String, String>,
) -> StoreResult<()> {
    let (keys, values): (Vec<&str>, Vec<&str>) =
        tags.iter().map(|(key, value)| (&key[..], &value[..])).unzip();
    sqlx::query(INSERT).bind(collection).bind(keys).bind(values).execute(&mut *connection).await?;
    let count: i64 = sqlx::query_scalar(COUNT).bind(collection).fetch_one(connection).await?;
    if count as usize > MAX_TAGS { Err(StoreError::Quota(Quota::Tags)) } else { Ok(()) }
}

pub(super) struct Put {
    pub(super) tenant: Tenant,
    pub(super) name: String,
    pub(super) tags: BTreeMap<String, String>,
}

#[async_trait]
impl Write for Put {
    type Output = ();

    fn target(&self) -> Target {
        Target::Name(self.tenant.clone(), self.name.clone())
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let collection = transaction.locked(&self.name)?.id;
        insert(transaction.connection, collection, &self.tags).await?;
        transaction.effect = Effect::Changed;
        Ok(())
    }
}

pub(super) struct Remove {
    pub(super) tenant: Tenant,
    pub(super) name: String,
    pub(super) keys: Vec<String>,
}

#[async_trait]
impl Write for Remove {
    type Output = ();

    fn target(&self) -> Target {
        Target::Name(self.tenant.clone(), self.name.clone())
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let collection = transaction.locked(&self.name)?.id;
        sqlx::query(REMOVE)
            .bind(collection)
            .bind(&self.keys)
            .execute(&mut *transaction.connection)
            .await?;
        transaction.effect = Effect::Changed;
        Ok(())
    }
}
