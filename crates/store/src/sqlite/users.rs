//! Users: made, listed, found and deleted.

use async_trait::async_trait;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::collections::{add_to_counts, counts};
use super::faces::json_of_rows;
use super::tokens::Operation;
use super::writer::{Transaction, Write};
use crate::change::Change;
use crate::error::{Existing, Missing, StoreError, StoreResult};
use crate::rows::{CollectionKey, User};

const FIND: &str = "SELECT u.id, u.user_id, u.face_count FROM users u JOIN collections c ON c.id = u.collection AND c.dropped = 0
    WHERE u.collection = ? AND u.user_id = ?";

const LIST: &str = "SELECT u.id, u.user_id, u.face_count FROM users u JOIN collections c ON c.id = u.collection AND c.dropped = 0
    WHERE u.collection = ? AND u.id > ? ORDER BY u.id LIMIT ?";

const BY_ROWS: &str = "SELECT u.id, u.user_id, u.face_count
    FROM json_each(?1) wanted CROSS JOIN users u ON u.id = wanted.value JOIN collections c ON c.id = u.collection AND c.dropped = 0
    WHERE u.collection = ?2 ORDER BY wanted.key";

const FREE_FACES: &str = "UPDATE faces SET user = NULL WHERE user = ?";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FIND, LIST, BY_ROWS, FREE_FACES];

pub(super) async fn find(
    database: &SqlitePool,
    collection: CollectionKey,
    user_id: &str,
) -> StoreResult<Option<User>> {
    Ok(sqlx::query_as(FIND).bind(collection).bind(user_id).fetch_optional(database).await?)
}

pub(super) async fn list(
    database: &SqlitePool,
    collection: CollectionKey,
    after: Option<i64>,
    limit: usize,
) -> StoreResult<Vec<User>> {
    let query = sqlx::query_as(LIST).bind(collection).bind(after.unwrap_or(0)).bind(limit as i64);
    Ok(query.fetch_all(database).await?)
}

pub(super) async fn by_rows(
    database: &SqlitePool,
    collection: CollectionKey,
    rows: &[i64],
) -> StoreResult<Vec<User>> {
    Ok(sqlx::query_as(BY_ROWS)
        .bind(json_of_rows(rows))
        .bind(collection)
        .fetch_all(database)
        .await?)
}

/// The user that a write speaks of; fails when it or its collection is gone.
pub(super) async fn expect(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    user_id: &str,
) -> StoreResult<User> {
    counts(connection, collection).await?;
    let user =
        sqlx::query_as(FIND).bind(collection).bind(user_id).fetch_optional(connection).await?;
    user.ok_or(StoreError::NotFound(Missing::User))
}

pub(super) struct Create {
    pub(super) collection: CollectionKey,
    pub(super) user_id: String,
}

impl Operation for Create {
    const NAME: &'static str = "CreateUser";

    fn collection(&self) -> CollectionKey {
        self.collection
    }
}

#[async_trait]
impl Write for Create {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        counts(transaction.connection, self.collection).await?;
        let inserted = sqlx::query(
            "INSERT INTO users (collection, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(self.collection)
        .bind(&self.user_id)
        .execute(&mut *transaction.connection)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::AlreadyExists(Existing::User));
        }
        add_to_counts(transaction.connection, self.collection, 0, 1).await
    }
}

pub(super) struct Delete {
    pub(super) collection: CollectionKey,
    pub(super) user_id: String,
}

impl Operation for Delete {
    const NAME: &'static str = "DeleteUser";

    fn collection(&self) -> CollectionKey {
        self.collection
    }
}

#[async_trait]
impl Write for Delete {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let user = expect(transaction.connection, self.collection, &self.user_id).await?;
        for statement in [FREE_FACES, "DELETE FROM users WHERE id = ?"] {
            sqlx::query(statement).bind(user.row).execute(&mut *transaction.connection).await?;
        }
        transaction
            .changes
            .push(Change::UserRemoved { collection: self.collection, user: user.row });
        add_to_counts(transaction.connection, self.collection, 0, -1).await
    }
}
