//! All collections of tenants together. These queries look at each collection's row, and at nothing
//! that it holds.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::writer::{Transaction, Write};
use crate::change::Change;
use crate::error::StoreResult;
use crate::rows::{CollectionKey, StoreSize, TenantTotals};
use crate::tenant::{Scope, Tenant};

const TOTALS: &str = "SELECT account, region, count(*), sum(face_count), sum(user_count)
    FROM collections WHERE dropped = 0 GROUP BY account, region ORDER BY account, region";

const DROP_ALL: &str = "UPDATE collections SET dropped = 1
    WHERE dropped = 0 AND account = ifnull(?, account) AND region = ifnull(?, region)
    RETURNING id, account, region, face_count, user_count";

const SIZE: &str = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";

/// The size of a database without files.
pub(super) async fn size(database: &SqlitePool) -> StoreResult<StoreSize> {
    let bytes: i64 = sqlx::query_scalar(SIZE).fetch_one(database).await?;
    Ok(StoreSize { database: bytes as u64, log: None })
}

pub(super) async fn list(database: &SqlitePool) -> StoreResult<Vec<TenantTotals>> {
    let found: Vec<(String, String, i64, i64, i64)> =
        sqlx::query_as(TOTALS).fetch_all(database).await?;
    let totals =
        found.into_iter().map(|(account, region, collections, faces, users)| TenantTotals {
            tenant: Tenant { account, region },
            collections: collections as u64,
            faces: faces as u64,
            users: users as u64,
        });
    Ok(totals.collect())
}

pub(super) struct Reset {
    pub(super) scope: Scope,
}

#[async_trait]
impl Write for Reset {
    type Output = Vec<TenantTotals>;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Vec<TenantTotals>> {
        let dropped: Vec<(i64, String, String, i64, i64)> = sqlx::query_as(DROP_ALL)
            .bind(&self.scope.account)
            .bind(&self.scope.region)
            .fetch_all(&mut *transaction.connection)
            .await?;
        let mut totals: BTreeMap<(String, String), (u64, u64, u64)> = BTreeMap::new();
        for (id, account, region, faces, users) in dropped {
            let collection = CollectionKey(id);
            transaction.changes.push(Change::CollectionDropped { collection });
            let total = totals.entry((account, region)).or_default();
            *total = (total.0 + 1, total.1 + faces as u64, total.2 + users as u64);
        }
        let totals = totals.into_iter().map(|((account, region), (collections, faces, users))| {
            TenantTotals { tenant: Tenant { account, region }, collections, faces, users }
        });
        Ok(totals.collect())
    }
}
