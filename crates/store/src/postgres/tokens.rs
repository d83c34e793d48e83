//! Client request tokens: a write that succeeded is not done twice, on whichever node.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::transaction::{Effect, Transaction};
use super::writer::{Target, Write};
use crate::error::{StoreError, StoreResult};
use crate::rows::Idempotency;

/// How long an outcome is remembered, in milliseconds.
pub(super) const LIFETIME: i64 = 24 * 60 * 60 * 1000;

/// Takes a token that is free: never used, expired, or of a collection that is gone. Waits for
/// another node that is taking it.
const CLAIM: &str =
    "INSERT INTO tokens AS t (account, region, operation, token, collection, request_hash, outcome, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, '', $7)
    ON CONFLICT (account, region, operation, token) DO UPDATE
        SET collection = excluded.collection, request_hash = excluded.request_hash, outcome = '', created_at = excluded.created_at
        WHERE t.created_at <= $8 OR NOT EXISTS (SELECT 1 FROM collections c WHERE c.id = t.collection AND NOT c.dropped)";

const FIND: &str = "SELECT request_hash, outcome FROM tokens
    WHERE account = $1 AND region = $2 AND operation = $3 AND token = $4";

const REMEMBER: &str = "UPDATE tokens SET outcome = $5
    WHERE account = $1 AND region = $2 AND operation = $3 AND token = $4";

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

    fn target(&self) -> Target {
        self.write.target()
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<W::Output> {
        // A collection that is gone has no tokens.
        let (Some(token), Some(locked)) = (&self.token, &transaction.collection) else {
            return self.write.apply(transaction).await;
        };
        let claimed = sqlx::query(CLAIM)
            .bind(&token.tenant.account)
            .bind(&token.tenant.region)
            .bind(W::NAME)
            .bind(&token.token)
            .bind(locked.id)
            .bind(&token.request_hash[..])
            .bind(self.now)
            .bind(self.now - LIFETIME)
            .execute(&mut *transaction.connection)
            .await?;
        if claimed.rows_affected() == 0 {
            return self.outcome_before(token, transaction).await;
        }
        let outcome = self.write.apply(transaction).await?;
        let json =
            serde_json::to_string(&outcome).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(REMEMBER)
            .bind(&token.tenant.account)
            .bind(&token.tenant.region)
            .bind(W::NAME)
            .bind(&token.token)
            .bind(json)
            .execute(&mut *transaction.connection)
            .await?;
        transaction.effect = Effect::Changed;
        Ok(outcome)
    }
}

impl<W> Once<W>
where
    W: Operation,
    W::Output: DeserializeOwned,
{
    async fn outcome_before(
        &self,
        token: &Idempotency,
        transaction: &mut Transaction<'_>,
    ) -> StoreResult<W::Output> {
        let (request_hash, outcome): (Vec<u8>, String) = sqlx::query_as(FIND)
            .bind(&token.tenant.account)
            .bind(&token.tenant.region)
            .bind(W::NAME)
            .bind(&token.token)
            .fetch_one(&mut *transaction.connection)
            .await?;
        if request_hash != token.request_hash {
            return Err(StoreError::TokenMismatch(token.token.clone()));
        }
        serde_json::from_str(&outcome).map_err(|error| sqlx::Error::Decode(error.into()).into())
    }
}
