//! Client request tokens: a write that succeeded is not done twice.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::writer::{Transaction, Write};
use crate::error::{StoreError, StoreResult};
use crate::rows::{CollectionKey, Idempotency};

/// How long an outcome is remembered, in milliseconds.
const LIFETIME: i64 = 24 * 60 * 60 * 1000;

const FIND: &str = "SELECT t.request_hash, t.outcome FROM tokens t JOIN collections c ON c.id = t.collection AND c.dropped = 0
    WHERE t.account = ? AND t.region = ? AND t.operation = ? AND t.token = ?";

// In place of the row of a deleted collection that is not cleared away yet.
const INSERT: &str =
    "INSERT OR REPLACE INTO tokens (account, region, operation, token, collection, request_hash, outcome, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FIND];

/// A write that clients may send with a token.
pub(super) trait Operation: Write {
    /// The name of the AWS operation: tokens of two operations never meet.
    const NAME: &'static str;

    /// The collection that it writes to: a token is forgotten with it.
    fn collection(&self) -> CollectionKey;
}

/// Does `write` unless its token tells that it was done: then gives the outcome of that time.
pub(super) struct Once<W> {
    pub(super) write: W,
    pub(super) token: Option<Idempotency>,
    pub(super) now: i64,
}

#[async_trait]
impl<W> Write for Once<W>
where
    W: Operation,
    W::Output: Serialize + DeserializeOwned + Sync,
{
    type Output = W::Output;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<W::Output> {
        let Some(token) = &self.token else { return self.write.apply(transaction).await };
        sqlx::query("DELETE FROM tokens WHERE created_at <= ?")
            .bind(self.now - LIFETIME)
            .execute(&mut *transaction.connection)
            .await?;
        let earlier: Option<(Vec<u8>, String)> = sqlx::query_as(FIND)
            .bind(&token.tenant.account)
            .bind(&token.tenant.region)
            .bind(W::NAME)
            .bind(&token.token)
            .fetch_optional(&mut *transaction.connection)
            .await?;
        if let Some((request_hash, outcome)) = earlier {
            if request_hash != token.request_hash {
                return Err(StoreError::TokenMismatch(token.token.clone()));
            }
            return serde_json::from_str(&outcome)
                .map_err(|error| sqlx::Error::Decode(error.into()).into());
        }
        let outcome = self.write.apply(transaction).await?;
        let json =
            serde_json::to_string(&outcome).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(INSERT)
            .bind(&token.tenant.account)
            .bind(&token.tenant.region)
            .bind(W::NAME)
            .bind(&token.token)
            .bind(self.write.collection().0)
            .bind(&token.request_hash[..])
            .bind(json)
            .bind(self.now)
            .execute(&mut *transaction.connection)
            .await?;
        Ok(outcome)
    }
}
