//! Collections read as a whole, in one read transaction.

use futures_util::stream::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, FromRow as _, Row as _};
use tokio::sync::mpsc;

use super::collections;
use super::engine::Lease;
use super::load::SNAPSHOT;
use super::rows::FaceRow;
use super::tags;
use crate::checksums::decode;
use crate::error::{StoreError, StoreResult};
use crate::rows::{CollectionKey, Face};
use crate::tenant::Tenant;
use crate::transfer::{Export, StoredFace, TransferRows, WAITING, hand_over};

const USERS: &str = "SELECT user_id FROM users WHERE collection = $1 ORDER BY id";

const FACES: &str = "SELECT f.id, f.face_id, f.image_id, f.image_sha256, f.external_image_id, f.ordinal, f.box_left, f.box_top, f.box_width, f.box_height,
        f.confidence, f.model_version, u.user_id, v.vector, v.checksum
    FROM vectors v JOIN faces f ON f.collection = v.collection AND f.id = v.face
    LEFT JOIN users u ON u.collection = f.collection AND u.id = f.owner
    WHERE v.collection = $1 ORDER BY v.face";

/// Reads a collection at this moment, for as long as the reader of the export takes.
pub(super) async fn export(mut lease: Lease, tenant: &Tenant, name: &str) -> StoreResult<Export> {
    // Begun by hand, as the transaction moves into a task with its connection.
    sqlx::raw_sql(SNAPSHOT).execute(&mut lease.connection).await?;
    let described = describe(&mut lease.connection, tenant, name).await;
    let (collection, tags) = match described {
        Ok(described) => described,
        Err(error) => {
            end(lease).await;
            return Err(error);
        }
    };
    let (sender, rows) = mpsc::channel(WAITING);
    let key = collection.key;
    // A task of its own, which ends early when the export is dropped.
    tokio::spawn(async move {
        if let Err(error) = read(&mut lease.connection, key, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
        end(lease).await;
    });
    Ok(Export::new(collection, tags, rows))
}

type Described = (crate::rows::Collection, std::collections::BTreeMap<String, String>);

async fn describe(
    snapshot: &mut PgConnection,
    tenant: &Tenant,
    name: &str,
) -> StoreResult<Described> {
    let collection = collections::expect(snapshot, tenant, name).await?;
    let tags = tags::of_collection(snapshot, collection.key).await?;
    Ok((collection, tags))
}

/// Gives a connection back without its transaction, or closes it.
async fn end(mut lease: Lease) {
    if sqlx::raw_sql("ROLLBACK").execute(&mut lease.connection).await.is_err() {
        let _ = Lease::take(lease).connection.close_hard().await;
    }
}

async fn read(
    snapshot: &mut PgConnection,
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

fn stored_face(row: &PgRow) -> StoreResult<StoredFace> {
    let face = FaceRow::from_row(row)?;
    let ordinal = face.ordinal();
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
        vector: decode(face.row, row.try_get("vector")?, Some(row.try_get("checksum")?))?,
    })
}
