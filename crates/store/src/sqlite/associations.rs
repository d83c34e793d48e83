//! Which faces belong to which user.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::faces::{json_of_ids, json_of_rows};
use super::tokens::Operation;
use super::users;
use super::writer::{Transaction, Write};
use crate::change::Change;
use crate::checksums::decode;
use crate::error::StoreResult;
use crate::ownership::{self, Candidate, distinct};
use crate::rows::{AssociateFaces, Association, CollectionKey, DisassociateFaces, Disassociation};

const CANDIDATES: &str = "SELECT f.face_id, f.id, f.user, u.user_id, v.vector, v.checksum
    FROM json_each(?2) wanted CROSS JOIN faces f ON f.collection = ?1 AND f.face_id = unhex(wanted.value)
    JOIN vectors v ON v.collection = f.collection AND v.face = f.id LEFT JOIN users u ON u.id = f.user";

const VECTORS_OF_USER: &str =
    "SELECT f.id, v.vector, v.checksum FROM faces f JOIN vectors v ON v.collection = f.collection AND v.face = f.id
    WHERE f.user = ? ORDER BY f.id";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[CANDIDATES, VECTORS_OF_USER];

type CandidateColumns = (Uuid, i64, Option<i64>, Option<String>, Vec<u8>, Option<i64>);

async fn candidates(
    connection: &mut SqliteConnection,
    collection: CollectionKey,
    face_ids: &[Uuid],
) -> StoreResult<HashMap<Uuid, Candidate>> {
    let found: Vec<CandidateColumns> = sqlx::query_as(CANDIDATES)
        .bind(collection.0)
        .bind(json_of_ids(&distinct(face_ids)))
        .fetch_all(connection)
        .await?;
    let candidate = |(face_id, row, user, user_id, vector, stored): CandidateColumns| {
        let vector = decode(row, &vector, stored)?;
        Ok((face_id, Candidate { row, owner: user.zip(user_id), vector }))
    };
    found.into_iter().map(candidate).collect()
}

async fn vectors_of_user(
    connection: &mut SqliteConnection,
    user: i64,
) -> StoreResult<Vec<Vec<f32>>> {
    let found: Vec<(i64, Vec<u8>, Option<i64>)> =
        sqlx::query_as(VECTORS_OF_USER).bind(user).fetch_all(connection).await?;
    found.iter().map(|(row, vector, stored)| decode(*row, vector, *stored)).collect()
}

/// Sets the owner of faces that `user` gains or loses, and tells the sinks.
async fn hand_over(
    transaction: &mut Transaction<'_>,
    collection: CollectionKey,
    user: i64,
    owner: Option<i64>,
    rows: &[i64],
) -> StoreResult<()> {
    sqlx::query("UPDATE faces SET user = ? WHERE id IN (SELECT value FROM json_each(?))")
        .bind(owner)
        .bind(json_of_rows(rows))
        .execute(&mut *transaction.connection)
        .await?;
    let vectors = vectors_of_user(transaction.connection, user).await?;
    sqlx::query("UPDATE users SET face_count = ? WHERE id = ?")
        .bind(vectors.len() as i64)
        .bind(user)
        .execute(&mut *transaction.connection)
        .await?;
    transaction.changes.push(Change::UserFaces { collection, user, vectors });
    Ok(())
}

impl Operation for AssociateFaces {
    const NAME: &'static str = "AssociateFaces";

    fn collection(&self) -> CollectionKey {
        self.collection.key
    }
}

#[async_trait]
impl Write for AssociateFaces {
    type Output = Association;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Association> {
        let user = users::expect(transaction.connection, &self.collection, &self.user_id).await?;
        let vectors = vectors_of_user(transaction.connection, user.row).await?;
        let candidates =
            candidates(transaction.connection, self.collection.key, &self.face_ids).await?;
        let (outcome, gained) = ownership::associate(self, &user, vectors, candidates)?;
        if !gained.is_empty() {
            hand_over(transaction, self.collection.key, user.row, Some(user.row), &gained).await?;
        }
        Ok(outcome)
    }
}

impl Operation for DisassociateFaces {
    const NAME: &'static str = "DisassociateFaces";

    fn collection(&self) -> CollectionKey {
        self.collection.key
    }
}

#[async_trait]
impl Write for DisassociateFaces {
    type Output = Disassociation;

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Disassociation> {
        let user = users::expect(transaction.connection, &self.collection, &self.user_id).await?;
        let candidates =
            candidates(transaction.connection, self.collection.key, &self.face_ids).await?;
        let (outcome, lost) = ownership::disassociate(self, &user, candidates);
        if !lost.is_empty() {
            hand_over(transaction, self.collection.key, user.row, None, &lost).await?;
        }
        Ok(outcome)
    }
}
