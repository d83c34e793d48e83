//! Which faces belong to which user.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::tokens::Operation;
use super::transaction::Transaction;
use super::users;
use super::writer::{Target, Write};
use crate::change::Change;
use crate::checksums::decode;
use crate::error::StoreResult;
use crate::ownership::{self, Candidate, distinct};
use crate::rows::{
    AssociateFaces, Association, Collection, CollectionKey, DisassociateFaces, Disassociation,
};

const CANDIDATES: &str = "SELECT f.face_id, f.id, f.owner, u.user_id, v.vector, v.checksum
    FROM unnest($2::uuid[]) wanted (face_id) JOIN faces f ON f.collection = $1 AND f.face_id = wanted.face_id
    JOIN vectors v ON v.collection = f.collection AND v.face = f.id
    LEFT JOIN users u ON u.collection = f.collection AND u.id = f.owner";

const VECTORS_OF_USER: &str = "SELECT f.id, v.vector, v.checksum
    FROM faces f JOIN vectors v ON v.collection = f.collection AND v.face = f.id
    WHERE f.collection = $1 AND f.owner = $2 ORDER BY f.id";

const HAND_OVER: &str = "UPDATE faces SET owner = $3 WHERE collection = $1 AND id = ANY($2)";

const COUNT: &str = "UPDATE users SET face_count = $3 WHERE collection = $1 AND id = $2";

type CandidateColumns = (Uuid, i64, Option<i64>, Option<String>, Vec<u8>, i64);

async fn candidates(
    connection: &mut PgConnection,
    collection: CollectionKey,
    face_ids: &[Uuid],
) -> StoreResult<HashMap<Uuid, Candidate>> {
    let found: Vec<CandidateColumns> = sqlx::query_as(CANDIDATES)
        .bind(collection.0)
        .bind(distinct(face_ids))
        .fetch_all(connection)
        .await?;
    let candidate = |(face_id, row, owner, user_id, vector, stored): CandidateColumns| {
        let vector = decode(row, &vector, Some(stored))?;
        Ok((face_id, Candidate { row, owner: owner.zip(user_id), vector }))
    };
    found.into_iter().map(candidate).collect()
}

async fn vectors_of_user(
    connection: &mut PgConnection,
    collection: CollectionKey,
    user: i64,
) -> StoreResult<Vec<Vec<f32>>> {
    let found: Vec<(i64, Vec<u8>, i64)> =
        sqlx::query_as(VECTORS_OF_USER).bind(collection.0).bind(user).fetch_all(connection).await?;
    found.iter().map(|(row, vector, stored)| decode(*row, vector, Some(*stored))).collect()
}

/// Sets the owner of faces that `user` gains or loses, and tells the sinks.
async fn hand_over(
    transaction: &mut Transaction<'_>,
    collection: &Collection,
    user: i64,
    owner: Option<i64>,
    rows: &[i64],
) -> StoreResult<()> {
    let key = collection.key;
    sqlx::query(HAND_OVER)
        .bind(key.0)
        .bind(rows)
        .bind(owner)
        .execute(&mut *transaction.connection)
        .await?;
    let vectors = vectors_of_user(transaction.connection, key, user).await?;
    sqlx::query(COUNT)
        .bind(key.0)
        .bind(user)
        .bind(vectors.len() as i64)
        .execute(&mut *transaction.connection)
        .await?;
    transaction.change(collection)?;
    transaction.changes.push(Change::UserFaces { collection: key, user, vectors });
    Ok(())
}

impl Operation for AssociateFaces {
    const NAME: &'static str = "AssociateFaces";
}

#[async_trait]
impl Write for AssociateFaces {
    type Output = Association;

    fn target(&self) -> Target {
        Target::Key(self.collection.key)
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Association> {
        let (collection, key) = (&self.collection, self.collection.key);
        let user = users::expect(transaction, collection, &self.user_id).await?;
        let vectors = vectors_of_user(transaction.connection, key, user.row).await?;
        let candidates = candidates(transaction.connection, key, &self.face_ids).await?;
        let (outcome, gained) = ownership::associate(self, &user, vectors, candidates)?;
        if !gained.is_empty() {
            hand_over(transaction, collection, user.row, Some(user.row), &gained).await?;
        }
        Ok(outcome)
    }
}

impl Operation for DisassociateFaces {
    const NAME: &'static str = "DisassociateFaces";
}

#[async_trait]
impl Write for DisassociateFaces {
    type Output = Disassociation;

    fn target(&self) -> Target {
        Target::Key(self.collection.key)
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Disassociation> {
        let (collection, key) = (&self.collection, self.collection.key);
        let user = users::expect(transaction, collection, &self.user_id).await?;
        let candidates = candidates(transaction.connection, key, &self.face_ids).await?;
        let (outcome, lost) = ownership::disassociate(self, &user, candidates);
        if !lost.is_empty() {
            hand_over(transaction, collection, user.row, None, &lost).await?;
        }
        Ok(outcome)
    }
}
