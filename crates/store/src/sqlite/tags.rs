//! Tags of collections.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::collections;
use super::writer::{Transaction, Write};
use crate::MAX_TAGS;
use crate::error::{Quota, StoreError, StoreResult};
use crate::rows::CollectionKey;
use crate::tenant::Tenant;

const LIST: &str = "SELECT key, value FROM tags WHERE collection = ?";

const COUNT: &str = "SELECT count(*) FROM tags WHERE collection = ?";

const REMOVE: &str = "DELETE FROM tags WHERE collection = ? AND key = ?";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[LIST, COUNT, REMOVE];

pub(super) async fn list(
    database: &SqlitePool,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<BTreeMap<String, String>> {
    // A read transaction, so that the collection and its tags are of one moment.
    let mut snapshot = database.begin().await?;
    let collection = collections::find(&mut *snapshot, tenant, name).await?;
    of_collection(&mut snapshot, collection.key).await
}

pub(super) async fn of_collection(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
) -> StoreResult<BTreeMap<String, String>> {
    let tags: Vec<(String, String)> =
        sqlx::query_as(LIST).bind(collection.0).fetch_all(connection).await?;
    Ok(tags.into_iter().collect())
}

/// Adds or replaces tags.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    tags: &BTreeMap<String, String>,
) -> StoreResult<()> {
    for (key, value) in tags {
        sqlx::query("INSERT OR REPLACE INTO tags (collection, key, value) VALUES (?, ?, ?)")
            .bind(collection.0)
            .bind(key)
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    let count: i64 = sqlx::query_scalar(COUNT).bind(collection.0).fetch_one(connection).await?;
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

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let collection =
            collections::find(&mut *transaction.connection, &self.tenant, &self.name).await?;
        insert(transaction.connection, collection.key, &self.tags).await
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

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let collection =
            collections::find(&mut *transaction.connection, &self.tenant, &self.name).await?;
        for key in &self.keys {
            sqlx::query(REMOVE)
                .bind(collection.key.0)
                .bind(key)
                .execute(&mut *transaction.connection)
                .await?;
        }
        Ok(())
    }
}
