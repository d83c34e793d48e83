//! Faces: listed, found and deleted.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::engine::Lease;
use super::rows::{FaceRow, joined};
use super::transaction::Transaction;
use super::writer::{Target, Write};
use crate::change::Change;
use crate::error::StoreResult;
use crate::ownership::distinct;
use crate::rows::{Collection, CollectionKey, Face, FaceDeletion, FaceFilter, Revision};

/// Columns of a [`Face`] and its ordinal, of faces `f` that are joined to a collection `c`; faces of a
/// deleted collection that are not cleared away yet are not seen. The user is asked for face by
/// face, as a join of its own would be planned by how many users there were at the time.
macro_rules! select_face {
    ($join:literal, $rest:literal $(, $more:literal)?) => {
        concat!(
            "SELECT f.id, f.ordinal, f.face_id, f.image_id, f.external_image_id, f.box_left, f.box_top, f.box_width, f.box_height, f.confidence,
                    f.model_version, (SELECT u.user_id FROM users u WHERE u.collection = f.collection AND u.id = f.owner) AS user_id",
            $($more,)?
            " FROM collections c ",
            $join,
            " WHERE NOT c.dropped AND ",
            $rest
        )
    };
}
pub(super) use select_face;

const BY_ROWS: &str = select_face!(
    "LEFT JOIN (unnest((SELECT $2::bigint[])) WITH ORDINALITY wanted (id, place)
        CROSS JOIN LATERAL (SELECT * FROM faces WHERE collection = $1 AND id = wanted.id OFFSET 0) f) ON true",
    "c.id = $1 AND ($3::bigint IS NULL OR (c.version = $3 AND c.nonce = $4)) ORDER BY wanted.place"
);

const OWNERS: &str = "SELECT f.face_id, f.id, u.user_id
    FROM unnest($2::uuid[]) wanted (face_id) JOIN faces f ON f.collection = $1 AND f.face_id = wanted.face_id
    LEFT JOIN users u ON u.collection = f.collection AND u.id = f.owner";

const DELETE: &str = "WITH gone AS (DELETE FROM vectors WHERE collection = $1 AND face = ANY($2))
    DELETE FROM faces WHERE collection = $1 AND id = ANY($2)";

/// The faces of these rows; none where the collection is not there, or not in that state.
pub(super) async fn by_rows(
    mut lease: Lease,
    collection: CollectionKey,
    state: Option<Revision>,
    rows: &[i64],
) -> StoreResult<Option<Vec<Face>>> {
    let found = sqlx::query(BY_ROWS)
        .bind(collection.0)
        .bind(rows)
        .bind(state.map(|state| state.version))
        .bind(state.map(|state| state.nonce))
        .fetch_all(&mut lease.connection)
        .await?;
    let found: Option<Vec<FaceRow>> = joined(found)?;
    Ok(found.map(|found| found.into_iter().map(Face::from).collect()))
}

pub(super) async fn list(
    mut lease: Lease,
    collection: CollectionKey,
    after: Option<Uuid>,
    limit: usize,
    filter: &FaceFilter,
) -> StoreResult<Vec<Face>> {
    let mut query = QueryBuilder::<Postgres>::new(select_face!(
        "JOIN faces f ON f.collection = c.id",
        "c.id = "
    ));
    query.push_bind(collection.0);
    if let Some(after) = after {
        query.push(" AND f.face_id > ").push_bind(after);
    }
    if let Some(user_id) = &filter.user_id {
        query
            .push(" AND f.owner = (SELECT id FROM users WHERE collection = ")
            .push_bind(collection.0);
        query.push(" AND user_id = ").push_bind(user_id).push(")");
    }
    if let Some(face_ids) = &filter.face_ids {
        query.push(" AND f.face_id = ANY(").push_bind(face_ids).push(")");
    }
    query.push(" ORDER BY f.face_id LIMIT ").push_bind(limit as i64);
    let found: Vec<FaceRow> = query.build_query_as().fetch_all(&mut lease.connection).await?;
    Ok(found.into_iter().map(Face::from).collect())
}

pub(super) struct Delete {
    pub(super) collection: Collection,
    pub(super) face_ids: Vec<Uuid>,
}

#[async_trait]
impl Write for Delete {
    type Output = Vec<(Uuid, FaceDeletion)>;

    fn target(&self) -> Target {
        Target::Key(self.collection.key)
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Self::Output> {
        let key = self.collection.key;
        transaction.locked(&self.collection.name)?;
        let face_ids = distinct(&self.face_ids);
        let found: Vec<(Uuid, i64, Option<String>)> = sqlx::query_as(OWNERS)
            .bind(key.0)
            .bind(&face_ids)
            .fetch_all(&mut *transaction.connection)
            .await?;
        let rows: Vec<i64> =
            found.iter().filter(|(_, _, owner)| owner.is_none()).map(|(_, row, _)| *row).collect();
        if !rows.is_empty() {
            sqlx::query(DELETE)
                .bind(key.0)
                .bind(&rows)
                .execute(&mut *transaction.connection)
                .await?;
            transaction.change(&self.collection)?.face_count -= rows.len() as i64;
            transaction.changes.push(Change::FacesRemoved { collection: key, rows });
        }
        let mut outcomes: HashMap<Uuid, FaceDeletion> = found
            .into_iter()
            .map(|(face_id, _, owner)| {
                (face_id, owner.map_or(FaceDeletion::Deleted, FaceDeletion::AssociatedTo))
            })
            .collect();
        Ok(face_ids
            .into_iter()
            .map(|id| (id, outcomes.remove(&id).unwrap_or(FaceDeletion::NotFound)))
            .collect())
    }
}
