//! Users: made, listed, found and deleted.

use async_trait::async_trait;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use super::collections::{add_to_counts, counts};
use super::faces::json_of_rows;
use super::rows::UserRow;
use super::tokens::Operation;
use super::writer::{Transaction, Write};
use crate::change::Change;
use crate::error::{Entity, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey, User};

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
    let found: Option<UserRow> =
        sqlx::query_as(FIND).bind(collection.0).bind(user_id).fetch_optional(database).await?;
    Ok(found.map(User::from))
}

pub(super) async fn list(
    database: &SqlitePool,
    collection: CollectionKey,
    after: Option<i64>,
    limit: usize,
) -> StoreResult<Vec<User>> {
    let found: Vec<UserRow> = sqlx::query_as(LIST)
        .bind(collection.0)
        .bind(after.unwrap_or(0))
        .bind(limit as i64)
        .fetch_all(database)
        .await?;
    Ok(found.into_iter().map(User::from).collect())
}

pub(super) async fn by_rows(
    database: &SqlitePool,
    collection: CollectionKey,
    rows: &[i64],
) -> StoreResult<Vec<User>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<UserRow> = sqlx::query_as(BY_ROWS)
        .bind(json_of_rows(rows))
        .bind(collection.0)
        .fetch_all(database)
        .await?;
    Ok(found.into_iter().map(User::from).collect())
}

/// The user that a write needs; fails when it or its collection is gone.
pub(super) async fn expect(
    connection: &mut SqliteConnection,
    collection: &Collection,
    user_id: &str,
) -> StoreResult<User> {
    counts(connection, collection).await?;
    let found: Option<UserRow> = sqlx::query_as(FIND)
        .bind(collection.key.0)
        .bind(user_id)
        .fetch_optional(connection)
        .await?;
    found.map(User::from).ok_or_else(|| StoreError::NotFound(Entity::User(user_id.to_owned())))
}

pub(super) struct Create {
    pub(super) collection: Collection,
    pub(super) user_id: String,
}

impl Operation for Create {
    const NAME: &'static str = "CreateUser";

    fn collection(&self) -> CollectionKey {
        self.collection.key
    }
}

#[async_trait]
impl Write for Create {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        counts(transaction.connection, &self.collection).await?;
        let inserted = sqlx::query(
            "INSERT INTO users (collection, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(self.collection.key.0)
        .bind(&self.user_id)
        .execute(&mut *transaction.connection)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::AlreadyExists(Entity::User(self.user_id.clone())));
        }
        add_to_counts(transaction.connection, self.collection.key, 0, 1).await
    }
}

pub(super) struct Delete {
    pub(super) collection: Collection,
    pub(super) user_id: String,
}

impl Operation for Delete {
    const NAME: &'static str = "DeleteUser";

    fn collection(&self) -> CollectionKey {
        self.collection.key
    }
}

#[async_trait]
impl Write for Delete {
    type Output = ();

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let user = expect(transaction.connection, &self.collection, &self.user_id).await?;
        for statement in [FREE_FACES, "DELETE FROM users WHERE id = ?"] {
            sqlx::query(statement).bind(user.row).execute(&mut *transaction.connection).await?;
        }
        transaction
            .changes
            .push(Change::UserRemoved { collection: self.collection.key, user: user.row });
        add_to_counts(transaction.connection, self.collection.key, 0, -1).await
    }
}
