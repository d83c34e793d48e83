//! Client request tokens: a write that succeeded is not done twice.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::writer::{Transaction, Write};
use crate::store::error::{StoreError, StoreResult};
use crate::store::rows::Idempotency;

/// How long an outcome is remembered, in milliseconds.
const LIFETIME: i64 = 24 * 60 * 60 * 1000;

const FIND: &str = "SELECT request_hash, outcome FROM tokens WHERE account = ? AND region = ? AND operation = ? AND token = ?";

const INSERT: &str = "INSERT INTO tokens (account, region, operation, token, request_hash, outcome, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)";

/// A write that clients may send with a token.
pub(super) trait Operation: Write {
    /// The name of the AWS operation: tokens of two operations never meet.
    const NAME: &'static str;
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
                return Err(StoreError::TokenMismatch);
            }
            return serde_json::from_str(&outcome).map_err(|error| sqlx::Error::Decode(error.into()).into());
        }
        let outcome = self.write.apply(transaction).await?;
        let json = serde_json::to_string(&outcome).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(INSERT)
            .bind(&token.tenant.account)
            .bind(&token.tenant.region)
            .bind(W::NAME)
            .bind(&token.token)
            .bind(&token.request_hash[..])
            .bind(json)
            .bind(self.now)
            .execute(&mut *transaction.connection)
            .await?;
        Ok(outcome)
    }
}
