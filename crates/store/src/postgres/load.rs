//! Vectors, read in bulk to fill the search, all from one snapshot; and what changed since.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryFutureExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use uuid::Uuid;

use super::engine::{Lease, answer};
use crate::change::{FaceVector, Since};
use crate::checksums::{decode, decode_into};
use crate::error::{StoreError, StoreResult};
use crate::rows::{CollectionKey, Revision, RowRange};
use crate::{FaceVisitor, UserVisitor};

/// Faces, or users with up to a hundred faces each, that are read at a time: some milliseconds.
const PAGE_FACES: i64 = 4096;
const PAGE_USERS: i64 = 128;

/// More commits or rows than this are not caught up with: a load is as quick.
const MAX_COMMITS: i64 = 4096;
const MAX_ROWS: usize = 100_000;

pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const REVISION: &str = "SELECT version, nonce FROM collections WHERE id = $1 AND NOT dropped";

const REVISIONS: &str =
    "SELECT id, version, nonce FROM collections WHERE id = ANY($1) AND NOT dropped";

const FACES: &str = "SELECT face, vector, checksum FROM vectors
    WHERE collection = $1 AND face >= $2 AND face < $4 ORDER BY face LIMIT $3";

const USERS: &str = "SELECT f.owner, f.id, v.vector, v.checksum
    FROM (SELECT id FROM users WHERE collection = $1 AND id >= $2 AND id < $4 ORDER BY id LIMIT $3) u
    JOIN faces f ON f.collection = $1 AND f.owner = u.id
    JOIN vectors v ON v.collection = $1 AND v.face = f.id
    ORDER BY f.owner, f.id";

const LAST_OF_PAGE: &str = "SELECT max(id), count(*) FROM
    (SELECT id FROM users WHERE collection = $1 AND id >= $2 AND id < $4 ORDER BY id LIMIT $3) page";

const CHANGES: &str = "SELECT version, nonce, faces, users FROM changes
    WHERE collection = $1 AND version >= $2 ORDER BY version LIMIT $3";

const FACES_BY_ROW: &str = "SELECT face, vector, checksum FROM unnest((SELECT $2::bigint[])) wanted (id)
    CROSS JOIN LATERAL (SELECT * FROM vectors WHERE collection = $1 AND face = wanted.id OFFSET 0) v";

const USERS_BY_ROW: &str =
    "SELECT f.owner, f.id, v.vector, v.checksum FROM unnest((SELECT $2::bigint[])) wanted (id)
    CROSS JOIN LATERAL (SELECT * FROM faces WHERE collection = $1 AND owner = wanted.id OFFSET 0) f
    CROSS JOIN LATERAL (SELECT * FROM vectors WHERE collection = $1 AND face = f.id OFFSET 0) v
    ORDER BY f.owner, f.id";

const FACE_VECTOR: &str = "SELECT f.id, v.vector, v.checksum FROM faces f JOIN collections c ON c.id = f.collection AND NOT c.dropped
    JOIN vectors v ON v.collection = f.collection AND v.face = f.id WHERE f.collection = $1 AND f.face_id = $2";

pub(super) async fn face_vector(
    mut lease: Lease,
    collection: CollectionKey,
    face_id: Uuid,
) -> StoreResult<Option<FaceVector>> {
    let found: Option<(i64, Vec<u8>, i64)> = sqlx::query_as(FACE_VECTOR)
        .bind(collection.0)
        .bind(face_id)
        .fetch_optional(&mut lease.connection)
        .await?;
    found
        .map(|(row, vector, stored)| {
            Ok(FaceVector { row, vector: decode(row, &vector, Some(stored))? })
        })
        .transpose()
}

pub(super) async fn revisions(
    mut lease: Lease,
    collections: &[CollectionKey],
) -> StoreResult<HashMap<CollectionKey, Revision>> {
    let ids: Vec<i64> = collections.iter().map(|key| key.0).collect();
    let found: Vec<(i64, i64, i64)> =
        sqlx::query_as(REVISIONS).bind(ids).fetch_all(&mut lease.connection).await?;
    Ok(found
        .into_iter()
        .map(|(id, version, nonce)| (CollectionKey(id), Revision { version, nonce }))
        .collect())
}

/// The state of a collection; none when it is gone.
async fn revision(
    connection: &mut PgConnection,
    collection: CollectionKey,
) -> StoreResult<Option<Revision>> {
    let found: Option<(i64, i64)> =
        sqlx::query_as(REVISION).bind(collection.0).fetch_optional(connection).await?;
    Ok(found.map(|(version, nonce)| Revision { version, nonce }))
}

pub(super) async fn faces(
    mut lease: Lease,
    collection: CollectionKey,
    RowRange { mut first, end }: RowRange,
    visit: &mut FaceVisitor<'_>,
) -> StoreResult<Revision> {
    let mut snapshot = lease.connection.begin_with(SNAPSHOT).await?;
    let Some(shown) = revision(&mut snapshot, collection).await? else {
        return Ok(Revision::default());
    };
    let mut vector = Vec::new();
    loop {
        let page = sqlx::query(FACES).bind(collection.0).bind(first).bind(PAGE_FACES).bind(end);
        let page = answer(page.fetch_all(&mut *snapshot).map_err(StoreError::from)).await?;
        for row in &page {
            let face = row.try_get(0)?;
            decode_into(face, row.try_get(1)?, Some(row.try_get(2)?), &mut vector)?;
            first = face + 1;
            visit(face, &vector);
        }
        if (page.len() as i64) < PAGE_FACES {
            snapshot.commit().await?;
            return Ok(shown);
        }
    }
}

pub(super) async fn users(
    mut lease: Lease,
    collection: CollectionKey,
    RowRange { mut first, end }: RowRange,
    visit: &mut UserVisitor<'_>,
) -> StoreResult<Revision> {
    let mut snapshot = lease.connection.begin_with(SNAPSHOT).await?;
    let Some(shown) = revision(&mut snapshot, collection).await? else {
        return Ok(Revision::default());
    };
    loop {
        let (last, count): (Option<i64>, i64) = sqlx::query_as(LAST_OF_PAGE)
            .bind(collection.0)
            .bind(first)
            .bind(PAGE_USERS)
            .bind(end)
            .fetch_one(&mut *snapshot)
            .await?;
        let page = sqlx::query_as(USERS).bind(collection.0).bind(first).bind(PAGE_USERS).bind(end);
        let page = answer(page.fetch_all(&mut *snapshot).map_err(StoreError::from)).await?;
        for (user, vectors) in by_user(page)? {
            visit(user, &vectors);
        }
        match last {
            Some(last) if count == PAGE_USERS => first = last + 1,
            _ => {
                snapshot.commit().await?;
                return Ok(shown);
            }
        }
    }
}

/// The vectors of a user's faces.
pub(super) async fn user_vectors(
    mut lease: Lease,
    collection: CollectionKey,
    user: i64,
) -> StoreResult<Vec<Vec<f32>>> {
    let query = sqlx::query_as(USERS_BY_ROW).bind(collection.0).bind([user]);
    Ok(by_user(query.fetch_all(&mut lease.connection).await?)?.remove(&user).unwrap_or_default())
}

/// The vectors of each user's faces.
fn by_user(rows: Vec<(i64, i64, Vec<u8>, i64)>) -> StoreResult<BTreeMap<i64, Vec<Vec<f32>>>> {
    let mut users: BTreeMap<i64, Vec<Vec<f32>>> = BTreeMap::new();
    for (user, face, vector, stored) in rows {
        users.entry(user).or_default().push(decode(face, &vector, Some(stored))?);
    }
    Ok(users)
}

/// What the commits since a state touched of some rows.
struct Touched {
    to: Revision,
    faces: Vec<i64>,
    users: Vec<i64>,
}

/// None when the state is not one that the collection had, or too long ago.
async fn touched(
    snapshot: &mut PgConnection,
    collection: CollectionKey,
    range: RowRange,
    since: Revision,
) -> StoreResult<Option<Touched>> {
    let commits: Vec<(i64, i64, Vec<i64>, Vec<i64>)> = sqlx::query_as(CHANGES)
        .bind(collection.0)
        .bind(since.version)
        .bind(MAX_COMMITS + 1)
        .fetch_all(snapshot)
        .await?;
    let follows = commits
        .first()
        .is_some_and(|(version, nonce, ..)| Revision { version: *version, nonce: *nonce } == since);
    if !follows || commits.len() as i64 > MAX_COMMITS {
        return Ok(None);
    }
    let mut touched = Touched { to: since, faces: Vec::new(), users: Vec::new() };
    for (version, nonce, faces, users) in commits.into_iter().skip(1) {
        touched.to = Revision { version, nonce };
        touched.faces.extend(faces);
        touched.users.extend(users);
    }
    for rows in [&mut touched.faces, &mut touched.users] {
        rows.retain(|row| range.contains(*row));
        rows.sort_unstable();
        rows.dedup();
    }
    let few = touched.faces.len() + touched.users.len() <= MAX_ROWS;
    Ok(few.then_some(touched))
}

pub(super) async fn faces_since(
    mut lease: Lease,
    collection: CollectionKey,
    range: RowRange,
    since: Revision,
) -> StoreResult<Option<Since<Vec<f32>>>> {
    let mut snapshot = lease.connection.begin_with(SNAPSHOT).await?;
    let Some(touched) = touched(&mut snapshot, collection, range, since).await? else {
        return Ok(None);
    };
    let mut now = HashMap::new();
    if !touched.faces.is_empty() {
        let found: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as(FACES_BY_ROW)
            .bind(collection.0)
            .bind(&touched.faces)
            .fetch_all(&mut *snapshot)
            .await?;
        for (face, vector, stored) in found {
            now.insert(face, decode(face, &vector, Some(stored))?);
        }
    }
    snapshot.commit().await?;
    let rows = touched.faces.into_iter().map(|row| (row, now.remove(&row))).collect();
    Ok(Some(Since { to: touched.to, rows }))
}

pub(super) async fn users_since(
    mut lease: Lease,
    collection: CollectionKey,
    range: RowRange,
    since: Revision,
) -> StoreResult<Option<Since<Vec<Vec<f32>>>>> {
    let mut snapshot = lease.connection.begin_with(SNAPSHOT).await?;
    let Some(touched) = touched(&mut snapshot, collection, range, since).await? else {
        return Ok(None);
    };
    let mut now = BTreeMap::new();
    if !touched.users.is_empty() {
        let query = sqlx::query_as(USERS_BY_ROW).bind(collection.0).bind(&touched.users);
        now = by_user(query.fetch_all(&mut *snapshot).await?)?;
    }
    snapshot.commit().await?;
    let rows = touched.users.into_iter().map(|user| (user, now.remove(&user))).collect();
    Ok(Some(Since { to: touched.to, rows }))
}
