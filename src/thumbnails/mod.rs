//! Small pictures of stored faces: kept only where the operator asks for them, and gone with the
//! face.

mod folder;
mod shelf;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use clap::ValueEnum;
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use folder::Folder;
use lookalike_store::{
    Change, ChangeSink, Collection, CollectionKey, FaceFilter, Step, Store, StoreResult, Tenant,
};
use shelf::Shelf;

/// The tag that asks for thumbnails of a collection on disk.
pub const TAG: &str = "lookalike:thumbnails";
const JPEG_QUALITY: u8 = 85;

/// Where the server keeps thumbnails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Keeping {
    /// Nowhere.
    Off,
    /// In memory, until the server ends or newer ones take the room.
    Memory,
    /// In the data folder, those of collections with the tag `lookalike:thumbnails` = `on`.
    Disk,
}

/// Why thumbnails cannot be kept.
#[derive(Debug, Error)]
pub enum ThumbnailError {
    #[error(
        "--thumbnails does not work with a database that servers share: a deletion on one of them \
         would leave the pictures of the others"
    )]
    Shared,
    #[error(
        "--thumbnails disk needs a data folder, not `:memory:`: name one with --data, or keep them \
         with --thumbnails memory"
    )]
    NoFolder,
    #[error("cannot use the folder of thumbnails {path}")]
    Folder { path: String, source: std::io::Error },
}

/// The thumbnails of one server.
pub struct Thumbnails {
    backing: Backing,
    store: Arc<dyn Store>,
}

enum Backing {
    Nowhere,
    Memory(Shelf),
    Disk(Folder),
}

impl Thumbnails {
    /// Opens what is kept, and begins to clear away what a crash has left of deleted faces.
    pub fn open(
        keeping: Keeping,
        data: &str,
        store: Arc<dyn Store>,
    ) -> Result<Self, ThumbnailError> {
        let is_shared = lookalike_store::Address::is_one(data);
        let backing = match keeping {
            Keeping::Off => Backing::Nowhere,
            _ if is_shared => return Err(ThumbnailError::Shared),
            Keeping::Memory => Backing::Memory(Shelf::default()),
            Keeping::Disk if data == ":memory:" => return Err(ThumbnailError::NoFolder),
            Keeping::Disk => Backing::Disk(Folder::open(Path::new(data))?),
        };
        if let Backing::Disk(folder) = &backing {
            folder.sweep(Arc::clone(&store));
        }
        Ok(Self { backing, store })
    }

    /// Where thumbnails are kept.
    pub fn keeping(&self) -> Keeping {
        match self.backing {
            Backing::Nowhere => Keeping::Off,
            Backing::Memory(_) => Keeping::Memory,
            Backing::Disk(_) => Keeping::Disk,
        }
    }

    /// Whether those of a collection are kept.
    pub async fn are_kept(&self, tenant: &Tenant, collection: &str) -> StoreResult<bool> {
        match self.backing {
            Backing::Nowhere => Ok(false),
            Backing::Memory(_) => Ok(true),
            Backing::Disk(_) => Ok(is_on(&self.store.tags(tenant, collection).await?)),
        }
    }

    /// Keeps the thumbnails of faces, each by the face's row. What cannot be kept is missing and no
    /// more.
    pub async fn keep(&self, collection: &Collection, pictures: Vec<(i64, Vec<u8>)>) {
        let key = collection.key;
        let rows: Vec<i64> = pictures.iter().map(|(row, _)| *row).collect();
        match &self.backing {
            Backing::Nowhere => return,
            Backing::Memory(shelf) => {
                for (row, picture) in pictures {
                    shelf.put((key, row), picture.into());
                }
            }
            Backing::Disk(folder) => {
                if let Err(error) = folder.write(key, pictures).await {
                    tracing::warn!(%error, "thumbnails were not kept");
                }
            }
        }
        // A face may have been deleted between its commit and here.
        match self.store.faces_by_rows(key, &rows).await {
            Ok(there) => {
                let is_gone = |row: &i64| there.iter().all(|face| face.row != *row);
                self.remove(key, rows.into_iter().filter(is_gone).collect());
            }
            Err(_) => self.remove(key, rows),
        }
    }

    /// The thumbnail of a face, if one is kept. Fails where there is no such collection.
    pub async fn find(
        &self,
        tenant: &Tenant,
        collection: &str,
        face_id: Uuid,
    ) -> StoreResult<Option<Bytes>> {
        let collection = self.store.collection(tenant, collection).await?;
        if !self.are_kept(tenant, &collection.name).await? {
            return Ok(None);
        }
        let filter = FaceFilter { face_ids: Some(vec![face_id]), ..FaceFilter::default() };
        let found = self.store.list_faces(collection.key, None, 1, filter).await?;
        let Some(face) = found.first() else { return Ok(None) };
        Ok(match &self.backing {
            Backing::Nowhere => None,
            Backing::Memory(shelf) => shelf.get((collection.key, face.row)),
            Backing::Disk(folder) => folder.read(collection.key, face.row).await,
        })
    }

    /// Removes the thumbnails of a collection whose tags ask for none any more.
    pub async fn retagged(&self, tenant: &Tenant, collection: &str) -> StoreResult<()> {
        if let Backing::Disk(folder) = &self.backing
            && !self.are_kept(tenant, collection).await?
        {
            folder.remove_all(self.store.collection(tenant, collection).await?.key).await;
        }
        Ok(())
    }

    fn remove(&self, collection: CollectionKey, rows: Vec<i64>) {
        if rows.is_empty() {
            return;
        }
        match &self.backing {
            Backing::Nowhere => {}
            Backing::Memory(shelf) => shelf.remove(collection, &rows),
            Backing::Disk(folder) => folder.remove_soon(collection, rows),
        }
    }
}

impl ChangeSink for Thumbnails {
    fn committed(&self, changes: &[Change], _step: Option<Step>) {
        for change in changes {
            match (change, &self.backing) {
                (_, Backing::Nowhere) => return,
                (Change::FacesRemoved { collection, rows }, _) => {
                    self.remove(*collection, rows.clone());
                }
                (Change::CollectionDropped { collection }, Backing::Memory(shelf)) => {
                    shelf.remove_all(*collection);
                }
                (Change::CollectionDropped { collection }, Backing::Disk(folder)) => {
                    folder.remove_all_soon(*collection);
                }
                _ => {}
            }
        }
    }
}

/// A crop as a thumbnail; none if it is too odd to be one.
pub fn encode(crop: &RgbImage) -> Option<Vec<u8>> {
    let (width, height) = (u16::try_from(crop.width()).ok()?, u16::try_from(crop.height()).ok()?);
    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, JPEG_QUALITY);
    encoder.encode(crop.as_raw(), width, height, ColorType::Rgb).ok()?;
    Some(jpeg)
}

fn is_on(tags: &std::collections::BTreeMap<String, String>) -> bool {
    tags.get(TAG).is_some_and(|value| value == "on")
}
