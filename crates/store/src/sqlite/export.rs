//! Collections read as a whole, in one read transaction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use futures_util::stream::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{FromRow as _, Row as _, SqlitePool};
use tokio::sync::mpsc;

use super::collections;
use super::open::pool;
use super::rows::FaceRow;
use super::tags;
use crate::checksums::decode;
use crate::error::{StoreError, StoreResult};
use crate::rows::{CollectionKey, Face};
use crate::tenant::Tenant;
use crate::transfer::{Export, StoredFace, TransferRows, WAITING, hand_over};

const USERS: &str =
    "SELECT user_id FROM users INDEXED BY users_in_order WHERE collection = ? ORDER BY id";

const FACES: &str = "SELECT f.id, f.face_id, f.image_id, f.image_sha256, f.external_image_id, f.ordinal, f.box_left, f.box_top, f.box_width, f.box_height,
        f.confidence, f.model_version, u.user_id, v.vector, v.checksum
    FROM vectors v CROSS JOIN faces f ON f.id = v.face LEFT JOIN users u ON u.id = f.user
    WHERE v.collection = ? ORDER BY v.face";

#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[USERS, FACES];

/// Reads a collection at this moment, for as long as the reader of the export takes.
pub(super) async fn export(
    database: &SqlitePool,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<Export> {
    let mut snapshot = database.begin().await?;
    let collection = collections::find(&mut *snapshot, tenant, name).await?;
    let tags = tags::of_collection(&mut snapshot, collection.key).await?;
    let (sender, rows) = mpsc::channel(WAITING);
    let key = collection.key;
    // A task of its own, which ends early when the export is dropped.
    tokio::spawn(async move {
        if let Err(error) = read(&mut snapshot, key, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    Ok(Export::new(collection, tags, rows))
}

/// A copy of a memory database, whose one connection writes need.
pub(super) async fn copy(database: &SqlitePool) -> StoreResult<SqlitePool> {
    static COPIES: AtomicU64 = AtomicU64::new(0);
    // A name that begins with a slash is one database for all connections of the process, until the
    // last of them is closed: <https://www.sqlite.org/src/file/src/memdb.c>.
    let name = format!("/lookalike-copy-{}", COPIES.fetch_add(1, Relaxed));
    let options = SqliteConnectOptions::new().filename(&name).vfs("memdb").create_if_missing(true);
    let copy = pool(1).connect_with(options).await?;
    sqlx::query("VACUUM INTO ?")
        .bind(format!("file:{name}?vfs=memdb&mode=rwc"))
        .execute(database)
        .await?;
    Ok(copy)
}

async fn read(
    snapshot: &mut SqliteConnection,
    collection: CollectionKey,
    sender: &mpsc::Sender<StoreResult<TransferRows>>,
) -> StoreResult<()> {
    let users = sqlx::query_scalar(USERS)
        .bind(collection.0)
        .fetch(&mut *snapshot)
        .map_err(StoreError::from);
    if !hand_over(users, TransferRows::Users, sender).await? {
        return Ok(());
    }
    let faces = sqlx::query(FACES)
        .bind(collection.0)
        .fetch(snapshot)
        .map_err(StoreError::from)
        .and_then(|row| std::future::ready(stored_face(&row)));
    hand_over(faces, TransferRows::Faces, sender).await.map(drop)
}

fn stored_face(row: &SqliteRow) -> StoreResult<StoredFace> {
    let face = FaceRow::from_row(row)?;
    let ordinal = face.ordinal;
    let face = Face::from(face);
    // The schema checks the length.
    let image_sha256 = row.try_get::<&[u8], _>("image_sha256")?.try_into().unwrap_or_default();
    Ok(StoredFace {
        face_id: face.face_id,
        image_id: face.image_id,
        image_sha256,
        external_image_id: face.external_image_id,
        ordinal,
        bounding_box: face.bounding_box,
        confidence: face.confidence,
        model_version: face.model_version,
        user_id: face.user_id,
        vector: decode(face.row, row.try_get("vector")?, row.try_get("checksum")?)?,
    })
}
