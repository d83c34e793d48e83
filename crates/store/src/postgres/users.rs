//! Users of a collection.

use async_trait::async_trait;
use sqlx::postgres::PgConnection;

use super::engine::Lease;
use super::rows::{UserRow, joined};
use super::tokens::Operation;
use super::transaction::Transaction;
use super::writer::{Target, Write};
use crate::change::Change;
use crate::error::{Entity, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey, Revision, User};

const FIND: &str = "SELECT u.id, u.user_id, u.face_count FROM users u JOIN collections c ON c.id = u.collection AND NOT c.dropped
    WHERE u.collection = $1 AND u.user_id = $2";

const LIST: &str = "SELECT u.id, u.user_id, u.face_count FROM users u JOIN collections c ON c.id = u.collection AND NOT c.dropped
    WHERE u.collection = $1 AND u.id > $2 ORDER BY u.id LIMIT $3";

const BY_ROWS: &str = "SELECT u.id, u.user_id, u.face_count
    FROM collections c LEFT JOIN (unnest((SELECT $2::bigint[])) WITH ORDINALITY wanted (id, place)
        CROSS JOIN LATERAL (SELECT * FROM users WHERE collection = $1 AND id = wanted.id OFFSET 0) u) ON true
    WHERE NOT c.dropped AND c.id = $1 AND ($3::bigint IS NULL OR (c.version = $3 AND c.nonce = $4)) ORDER BY wanted.place";

const DELETE: &str =
    "WITH freed AS (UPDATE faces SET owner = NULL WHERE collection = $1 AND owner = $2)
    DELETE FROM users WHERE collection = $1 AND id = $2";

pub(super) async fn look_up(
    mut lease: Lease,
    collection: CollectionKey,
    user_id: &str,
) -> StoreResult<Option<User>> {
    find(&mut lease.connection, collection, user_id).await
}

async fn find(
    connection: &mut PgConnection,
    collection: CollectionKey,
    user_id: &str,
) -> StoreResult<Option<User>> {
    let found: Option<UserRow> =
        sqlx::query_as(FIND).bind(collection.0).bind(user_id).fetch_optional(connection).await?;
    Ok(found.map(User::from))
}

pub(super) async fn list(
    mut lease: Lease,
    collection: CollectionKey,
    after: Option<i64>,
    limit: usize,
) -> StoreResult<Vec<User>> {
    let found: Vec<UserRow> = sqlx::query_as(LIST)
        .bind(collection.0)
        .bind(after.unwrap_or(0))
        .bind(limit as i64)
        .fetch_all(&mut lease.connection)
        .await?;
    Ok(found.into_iter().map(User::from).collect())
}

/// The users of these rows; none where the collection is not there, or not in that state.
pub(super) async fn by_rows(
    mut lease: Lease,
    collection: CollectionKey,
    state: Option<Revision>,
    rows: &[i64],
) -> StoreResult<Option<Vec<User>>> {
    let found = sqlx::query(BY_ROWS)
        .bind(collection.0)
        .bind(rows)
        .bind(state.map(|state| state.version))
        .bind(state.map(|state| state.nonce))
        .fetch_all(&mut lease.connection)
        .await?;
    let found: Option<Vec<UserRow>> = joined(found)?;
    Ok(found.map(|found| found.into_iter().map(User::from).collect()))
}

/// The user that a write needs; fails when it or its collection is gone.
pub(super) async fn expect(
    transaction: &mut Transaction<'_>,
    collection: &Collection,
    user_id: &str,
) -> StoreResult<User> {
    transaction.locked(&collection.name)?;
    let found = find(transaction.connection, collection.key, user_id).await?;
    found.ok_or_else(|| StoreError::NotFound(Entity::User(user_id.to_owned())))
}

pub(super) struct Create {
    pub(super) collection: Collection,
    pub(super) user_id: String,
}

impl Operation for Create {
    const NAME: &'static str = "CreateUser";
}

#[async_trait]
impl Write for Create {
    type Output = ();

    fn target(&self) -> Target {
        Target::Key(self.collection.key)
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let row = transaction.locked(&self.collection.name)?.next_row;
        let inserted = sqlx::query(
            "INSERT INTO users (collection, id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(self.collection.key.0)
        .bind(row)
        .bind(&self.user_id)
        .execute(&mut *transaction.connection)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::AlreadyExists(Entity::User(self.user_id.clone())));
        }
        let locked = transaction.change(&self.collection)?;
        locked.next_row += 1;
        locked.user_count += 1;
        Ok(())
    }
}

pub(super) struct Delete {
    pub(super) collection: Collection,
    pub(super) user_id: String,
}

impl Operation for Delete {
    const NAME: &'static str = "DeleteUser";
}

#[async_trait]
impl Write for Delete {
    type Output = ();

    fn target(&self) -> Target {
        Target::Key(self.collection.key)
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let user = expect(transaction, &self.collection, &self.user_id).await?;
        sqlx::query(DELETE)
            .bind(self.collection.key.0)
            .bind(user.row)
            .execute(&mut *transaction.connection)
            .await?;
        transaction.change(&self.collection)?.user_count -= 1;
        transaction
            .changes
            .push(Change::UserRemoved { collection: self.collection.key, user: user.row });
        Ok(())
    }
}
