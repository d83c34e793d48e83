//! Whole collections, out of a store and into one.

use std::collections::BTreeMap;
use std::pin::pin;

use async_trait::async_trait;
use futures_util::stream::{Stream, TryChunksError, TryStreamExt as _};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::rows::{BoundingBox, Collection, CollectionKey, PackId};
use crate::tenant::Tenant;

/// A face with all that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFace {
    pub face_id: Uuid,
    pub image_id: Uuid,
    /// SHA-256 of the image's bytes, for the duplicate rule.
    pub image_sha256: [u8; 32],
    pub external_image_id: Option<String>,
    /// Position among all faces of the image.
    pub ordinal: u32,
    pub bounding_box: BoundingBox,
    /// 0..=100.
    pub confidence: f32,
    pub model_version: String,
    /// The user it is associated with.
    pub user_id: Option<String>,
    /// Length 0..=1, the weight of the view.
    pub vector: Vec<f32>,
}

/// Some of a collection's rows, in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferRows {
    /// The ids of users.
    Users(Vec<String>),
    Faces(Vec<StoredFace>),
}

/// A collection as it was at one moment: all its users, then all its faces.
#[derive(Debug)]
pub struct Export {
    pub collection: Collection,
    pub tags: BTreeMap<String, String>,
    rows: mpsc::Receiver<StoreResult<TransferRows>>,
    users: u64,
    faces: u64,
}

impl Export {
    pub(crate) fn new(
        collection: Collection,
        tags: BTreeMap<String, String>,
        rows: mpsc::Receiver<StoreResult<TransferRows>>,
    ) -> Self {
        Self { collection, tags, rows, users: 0, faces: 0 }
    }

    /// The next rows; none after the last. Fails with [`StoreError::Incomplete`] at the end when
    /// rows are missing that the collection counts.
    pub async fn next(&mut self) -> StoreResult<Option<TransferRows>> {
        match self.rows.recv().await.transpose()? {
            Some(rows) => {
                match &rows {
                    TransferRows::Users(users) => self.users += users.len() as u64,
                    TransferRows::Faces(faces) => self.faces += faces.len() as u64,
                }
                Ok(Some(rows))
            }
            None if (self.users, self.faces)
                == (self.collection.user_count, self.collection.face_count) =>
            {
                Ok(None)
            }
            None => Err(StoreError::Incomplete(self.collection.name.clone())),
        }
    }
}

/// A collection that is to be imported.
#[derive(Debug, Clone)]
pub struct NewImport {
    pub name: String,
    pub model_version: String,
    pub pack: PackId,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    pub tags: BTreeMap<String, String>,
}

/// A collection that is being imported; nobody finds it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub key: CollectionKey,
    pub tenant: Tenant,
    pub name: String,
}

/// Moves whole collections. An export does not hold up writes, and writes do not show in it; an
/// import takes turns with other writes.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// A collection as it is at this moment, users and faces in the order of their rows. Fails with
    /// [`StoreError::NotFound`].
    async fn export_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Export>;

    /// Begins a collection that nobody finds before [`Self::finish_imports`]. One that is not
    /// finished when the store closes, or when its process ends, is cleared away. Fails with
    /// [`crate::Quota::Tags`].
    async fn begin_import(&self, tenant: &Tenant, new: NewImport) -> StoreResult<Import>;

    /// Adds rows in the order given, all or none; users come before their faces. Fails with
    /// [`StoreError::InvalidImport`] for a user or face that is there already or whose user is not,
    /// with [`crate::Quota::FacesPerCollection`], [`crate::Quota::FacesPerUser`], or
    /// [`StoreError::NotFound`] once the import has ended.
    async fn import_rows(&self, import: &Import, rows: TransferRows) -> StoreResult<()>;

    /// Makes imported collections visible, all at one moment or none, and with `replace` drops
    /// those that had their names. Fails with [`StoreError::AlreadyExists`] without it.
    async fn finish_imports(
        &self,
        imports: &[Import],
        replace: bool,
    ) -> StoreResult<Vec<Collection>>;

    /// Gives imports up; those that have ended are passed over.
    async fn abandon_imports(&self, imports: &[Import]) -> StoreResult<()>;
}

/// Rows that are handed over at a time.
const AT_A_TIME: usize = 1024;
/// Times so many that wait for the reader: the memory of an export.
pub(crate) const WAITING: usize = 2;

/// Hands rows over as an engine reads them; false when nobody wants more.
///
/// What came before an error is dropped with it: the export fails as a whole.
pub(crate) async fn hand_over<T>(
    rows: impl Stream<Item = StoreResult<T>>,
    wrap: impl Fn(Vec<T>) -> TransferRows,
    sender: &mpsc::Sender<StoreResult<TransferRows>>,
) -> StoreResult<bool> {
    let mut chunks = pin!(rows.try_chunks(AT_A_TIME));
    while let Some(chunk) = chunks.try_next().await.map_err(|TryChunksError(_, error)| error)? {
        if sender.send(Ok(wrap(chunk))).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
