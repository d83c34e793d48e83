//! Rows of an import, inserted all or none.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::checksums::checksum;
use crate::error::{StoreError, StoreResult};
use crate::rows::CollectionKey;
use crate::transfer::StoredFace;

const INSERT_USERS: &str = "INSERT INTO users (collection, id, user_id)
    SELECT $1, $2 + place - 1, user_id FROM unnest($3::text[]) WITH ORDINALITY wanted (user_id, place)
    ON CONFLICT DO NOTHING";

const OWNERS: &str =
    "SELECT user_id, id FROM users WHERE collection = $1 AND user_id = ANY($2::text[])";

const INSERT_FACES: &str = "INSERT INTO faces (collection, id, face_id, owner, image_id, image_sha256, external_image_id, ordinal,
        box_left, box_top, box_width, box_height, confidence, model_version)
    SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::bytea[], $7::text[], $8::integer[],
        $9::real[], $10::real[], $11::real[], $12::real[], $13::real[], $14::text[])
    ON CONFLICT DO NOTHING RETURNING face_id";

const INSERT_VECTORS: &str = "INSERT INTO vectors (collection, face, vector, checksum)
    SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bigint[])";

fn invalid(text: impl Into<String>) -> StoreError {
    StoreError::InvalidImport(text.into())
}

/// Inserts users with rows from `first` on.
pub(super) async fn users(
    connection: &mut PgConnection,
    collection: CollectionKey,
    first: i64,
    users: &[String],
) -> StoreResult<()> {
    let inserted = sqlx::query(INSERT_USERS)
        .bind(collection.0)
        .bind(first)
        .bind(users)
        .execute(connection)
        .await?;
    if inserted.rows_affected() < users.len() as u64 {
        return Err(invalid("a user is there twice"));
    }
    Ok(())
}

/// Inserts faces with rows from `first` on; gives how many each user has gained.
pub(super) async fn faces(
    connection: &mut PgConnection,
    collection: CollectionKey,
    first: i64,
    faces: &[StoredFace],
) -> StoreResult<HashMap<i64, i64>> {
    let owners = owners(connection, collection, faces).await?;
    let owner = |face: &StoredFace| match &face.user_id {
        None => Ok(None),
        Some(user_id) => match owners.get(user_id) {
            Some(owner) => Ok(Some(*owner)),
            None => {
                Err(invalid(format!("the face {} is of a user that is not there", face.face_id)))
            }
        },
    };
    let owners: Vec<Option<i64>> = faces.iter().map(owner).collect::<StoreResult<_>>()?;
    let rows: Vec<i64> = (first..).take(faces.len()).collect();
    insert(connection, collection, &rows, &owners, faces).await?;
    let vectors: Vec<Vec<u8>> = faces
        .iter()
        .map(|face| face.vector.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let checksums: Vec<i64> =
        rows.iter().zip(&vectors).map(|(row, vector)| checksum(*row, vector)).collect();
    sqlx::query(INSERT_VECTORS)
        .bind(collection.0)
        .bind(rows)
        .bind(vectors)
        .bind(checksums)
        .execute(connection)
        .await?;
    let mut gained = HashMap::new();
    for owner in owners.into_iter().flatten() {
        *gained.entry(owner).or_default() += 1;
    }
    Ok(gained)
}

async fn owners(
    connection: &mut PgConnection,
    collection: CollectionKey,
    faces: &[StoredFace],
) -> StoreResult<HashMap<String, i64>> {
    let wanted: HashSet<&str> = faces.iter().filter_map(|face| face.user_id.as_deref()).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<&str> = wanted.into_iter().collect();
    let found: Vec<(String, i64)> =
        sqlx::query_as(OWNERS).bind(collection.0).bind(wanted).fetch_all(connection).await?;
    Ok(found.into_iter().collect())
}

async fn insert(
    connection: &mut PgConnection,
    collection: CollectionKey,
    rows: &[i64],
    owners: &[Option<i64>],
    faces: &[StoredFace],
) -> StoreResult<()> {
    fn column<'a, T>(faces: &'a [StoredFace], value: impl Fn(&'a StoredFace) -> T) -> Vec<T> {
        faces.iter().map(value).collect()
    }
    let inserted: Vec<Uuid> = sqlx::query_scalar(INSERT_FACES)
        .bind(collection.0)
        .bind(rows)
        .bind(column(faces, |face| face.face_id))
        .bind(owners)
        .bind(column(faces, |face| face.image_id))
        .bind(column(faces, |face| &face.image_sha256[..]))
        .bind(column(faces, |face| face.external_image_id.as_deref().unwrap_or_default()))
        .bind(column(faces, |face| face.ordinal as i32))
        .bind(column(faces, |face| face.bounding_box.left))
        .bind(column(faces, |face| face.bounding_box.top))
        .bind(column(faces, |face| face.bounding_box.width))
        .bind(column(faces, |face| face.bounding_box.height))
        .bind(column(faces, |face| face.confidence))
        .bind(column(faces, |face| &face.model_version[..]))
        .fetch_all(connection)
        .await?;
    let mut inserted: HashSet<Uuid> = inserted.into_iter().collect();
    match faces.iter().find(|face| !inserted.remove(&face.face_id)) {
        None => Ok(()),
        Some(twice) => Err(invalid(format!(
            "the face {} is there twice, or another one of the same image is",
            twice.face_id
        ))),
    }
}
