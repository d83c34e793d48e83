//! All collections of tenants together. These queries look at each collection's row, and at nothing
//! that it holds.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::engine::Lease;
use super::transaction::{Effect, Transaction, nonce};
use super::writer::{Target, Write};
use crate::change::Change;
use crate::error::StoreResult;
use crate::rows::{CollectionKey, StoreSize, TenantTotals};
use crate::tenant::{Scope, Tenant};

const TOTALS: &str = "SELECT account, region, count(*), sum(face_count)::bigint, sum(user_count)::bigint
    FROM collections WHERE NOT dropped GROUP BY account, region ORDER BY account COLLATE \"C\", region COLLATE \"C\"";

// Locked in ascending order, so that two nodes that do it at once wait for one another.
const DROP_ALL: &str = "WITH wanted AS (
        SELECT id FROM collections WHERE NOT dropped AND account = coalesce($1, account) AND region = coalesce($2, region)
        ORDER BY id FOR UPDATE
    ), gone AS (
        UPDATE collections c SET dropped = true, version = version + 1, nonce = $3 FROM wanted WHERE c.id = wanted.id
        RETURNING c.id, c.version, c.account, c.region, c.face_count, c.user_count
    ), noted AS (
        INSERT INTO changes (collection, version, nonce, faces, users) SELECT id, version, $3, '{}', '{}' FROM gone
    )
    SELECT id, account, region, face_count, user_count FROM gone";

const SIZE: &str = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";

/// The write-ahead log is shared with all that the server holds.
pub(super) async fn size(mut lease: Lease) -> StoreResult<StoreSize> {
    let bytes: i64 = sqlx::query_scalar(SIZE).fetch_one(&mut lease.connection).await?;
    Ok(StoreSize { database: bytes as u64, log: None })
}

pub(super) async fn list(mut lease: Lease) -> StoreResult<Vec<TenantTotals>> {
    let found: Vec<(String, String, i64, i64, i64)> =
        sqlx::query_as(TOTALS).fetch_all(&mut lease.connection).await?;
    let totals =
        found.into_iter().map(|(account, region, collections, faces, users)| TenantTotals {
            tenant: Tenant { account, region },
            collections: collections as u64,
            faces: faces as u64,
            users: users as u64,
        });
    Ok(totals.collect())
}

/// Where the answer to its commit is lost it is done again, and then counts what is left.
pub(super) struct Reset {
    pub(super) scope: Scope,
}

#[async_trait]
impl Write for Reset {
    type Output = Vec<TenantTotals>;

    fn target(&self) -> Target {
        Target::Many
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Vec<TenantTotals>> {
        let dropped: Vec<(i64, String, String, i64, i64)> = sqlx::query_as(DROP_ALL)
            .bind(&self.scope.account)
            .bind(&self.scope.region)
            .bind(nonce())
            .fetch_all(&mut *transaction.connection)
            .await?;
        let mut totals: BTreeMap<(String, String), (u64, u64, u64)> = BTreeMap::new();
        for (id, account, region, faces, users) in dropped {
            let collection = CollectionKey(id);
            transaction.changes.push(Change::CollectionDropped { collection });
            let total = totals.entry((account, region)).or_default();
            *total = (total.0 + 1, total.1 + faces as u64, total.2 + users as u64);
        }
        transaction.effect = Effect::Written;
        let totals = totals.into_iter().map(|((account, region), (collections, faces, users))| {
            TenantTotals { tenant: Tenant { account, region }, collections, faces, users }
        });
        Ok(totals.collect())
    }
}
