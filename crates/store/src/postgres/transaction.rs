//! A transaction that writes to one collection, under the lock of its row.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::writer::Target;
use crate::change::{Change, Step};
use crate::error::{Entity, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey, Revision};
use crate::tenant::Tenant;

/// Commits of a collection that nodes can catch up with: one that is further behind loads it again.
const KEPT_CHANGES: i64 = 16_384;

const LOCK_BY_KEY: &str = "SELECT id, version, nonce, face_count, user_count, next_row, dropped
    FROM collections WHERE id = $1 AND NOT dropped FOR UPDATE";

const LOCK_IMPORT: &str = "SELECT id, version, nonce, face_count, user_count, next_row, dropped
    FROM collections WHERE id = $1 AND importing_until IS NOT NULL FOR UPDATE";

const LOCK_BY_NAME: &str = "SELECT id, version, nonce, face_count, user_count, next_row, dropped
    FROM collections WHERE account = $1 AND region = $2 AND name = $3 AND NOT dropped FOR UPDATE";

const STAMP: &str = "WITH stamped AS (
        UPDATE collections SET version = $2, nonce = $3, face_count = $4, user_count = $5, next_row = $6, dropped = $7 WHERE id = $1
    ), pruned AS (
        DELETE FROM changes WHERE collection = $1 AND version = $8
    )
    INSERT INTO changes (collection, version, nonce, faces, users) VALUES ($1, $2, $3, $9, $10)";

/// What the lock holds still; written back when the transaction ends.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Locked {
    pub(super) id: i64,
    version: i64,
    nonce: i64,
    pub(super) face_count: i64,
    pub(super) user_count: i64,
    /// The row that the next face or user gets.
    pub(super) next_row: i64,
    pub(super) dropped: bool,
}

/// What a write works on.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c mut PgConnection,
    /// None when there is no such collection.
    pub(super) collection: Option<Locked>,
    /// What the sinks hear if the write succeeds.
    pub(super) changes: Vec<Change>,
    pub(super) effect: Effect,
}

/// What a transaction leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// All is as it was.
    Nothing,
    /// What it did is written as it is, with its rows of changes.
    Written,
    /// Another state of the collection.
    Changed,
}

/// A number that no other commit has.
pub(super) fn nonce() -> i64 {
    Uuid::new_v4().as_u64_pair().0.cast_signed()
}

impl<'c> Transaction<'c> {
    /// Begins, and waits for the lock.
    pub(super) async fn begin(
        connection: &'c mut PgConnection,
        target: &Target,
    ) -> sqlx::Result<Self> {
        sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
        let lock = match target {
            Target::Key(key) => Some(sqlx::query_as(LOCK_BY_KEY).bind(key.0)),
            Target::Name(Tenant { account, region }, name) => {
                Some(sqlx::query_as(LOCK_BY_NAME).bind(account).bind(region).bind(name))
            }
            Target::Import(key) => Some(sqlx::query_as(LOCK_IMPORT).bind(key.0)),
            Target::Many => None,
        };
        let collection = match lock {
            Some(lock) => lock.fetch_optional(&mut *connection).await?,
            None => None,
        };
        Ok(Self { connection, collection, changes: Vec::new(), effect: Effect::Nothing })
    }

    /// The collection that a write needs, which from now on counts as changed.
    pub(super) fn change(&mut self, collection: &Collection) -> StoreResult<&mut Locked> {
        self.effect = Effect::Changed;
        self.locked(&collection.name)
    }

    /// The collection of that name that the transaction holds.
    pub(super) fn locked(&mut self, name: &str) -> StoreResult<&mut Locked> {
        let missing = || StoreError::NotFound(Entity::Collection(name.to_owned()));
        self.collection.as_mut().ok_or_else(missing)
    }

    /// Writes the new state of the collection, if it has one.
    pub(super) async fn stamp(&mut self) -> sqlx::Result<Option<Step>> {
        let (Effect::Changed, Some(collection)) = (self.effect, &self.collection) else {
            return Ok(None);
        };
        let from = Revision { version: collection.version, nonce: collection.nonce };
        let to = Revision { version: from.version + 1, nonce: nonce() };
        let (faces, users) = touched(&self.changes);
        sqlx::query(STAMP)
            .bind(collection.id)
            .bind(to.version)
            .bind(to.nonce)
            .bind(collection.face_count)
            .bind(collection.user_count)
            .bind(collection.next_row)
            .bind(collection.dropped)
            .bind(to.version - KEPT_CHANGES)
            .bind(faces)
            .bind(users)
            .execute(&mut *self.connection)
            .await?;
        Ok(Some(Step { collection: CollectionKey(collection.id), from, to }))
    }
}

/// The rows of faces and of users in changes.
fn touched(changes: &[Change]) -> (Vec<i64>, Vec<i64>) {
    let (mut faces, mut users) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::FacesAdded { faces: added, .. } => {
                faces.extend(added.iter().map(|face| face.row));
            }
            Change::FacesRemoved { rows, .. } => faces.extend(rows),
            Change::UserFaces { user, .. } | Change::UserRemoved { user, .. } => users.push(*user),
            Change::CollectionDropped { .. } => {}
        }
    }
    (faces, users)
}
