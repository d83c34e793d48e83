//! From a file into the store: all of it becomes visible at one moment, or none.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::checks::check_tenant;
use super::format::{CollectionLine, Imported};
use super::reader::{Item, ReadError, Reader};
use crate::packs::KnownPacks;
use crate::shapes::CollectionId;
use lookalike_store::{Entity, Import, NewImport, PackId, Store, StoreError, Tenant, TransferRows};

/// Where the collections of a file go; what is not stated is as in the file.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    pub account: Option<String>,
    pub region: Option<String>,
    /// The name of the one collection in the file.
    pub name: Option<String>,
    /// Whether collections that are there already are replaced.
    pub replace: bool,
}

/// Why nothing was imported.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    Option(String),
    #[error("a new name needs a file of one collection, and this one has more")]
    NameForSeveral,
    #[error("two collections of the file would become {0}")]
    Twice(String),
    #[error(
        "the collection {collection} was made with the pack {} {} and none of this server's packs \
         makes such vectors: serve that pack, or put it into the folder of packs",
        pack.name, pack.version
    )]
    OtherPack { collection: String, pack: PackId },
    #[error(
        "the collection {collection} has vectors of {found} components, and its pack makes \
         {expected}"
    )]
    Dimensions { collection: String, found: usize, expected: usize },
    #[error(
        "the collection {0} exists already: delete it, give the import another name, or replace it"
    )]
    Exists(String),
    #[error(transparent)]
    Store(StoreError),
}

impl ImportError {
    /// Whether the file or the options are at fault, and not this server.
    pub fn is_refusal(&self) -> bool {
        !matches!(
            self,
            Self::Store(error) if !matches!(error, StoreError::InvalidImport(_) | StoreError::Quota(_))
        )
    }

    /// Whether the file would be welcome to another server.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Exists(_) | Self::OtherPack { .. })
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AlreadyExists(Entity::Collection(name)) => Self::Exists(name),
            error => Self::Store(error),
        }
    }
}

/// Reads a file from pieces of any size; a piece that is none ends it. Computes much between awaits.
pub async fn import(
    store: Arc<dyn Store>,
    packs: &KnownPacks,
    options: &ImportOptions,
    source: impl AsyncFnMut() -> io::Result<Option<Bytes>>,
) -> Result<Vec<Imported>, ImportError> {
    check_options(options)?;
    let mut job = Job {
        packs,
        options,
        imports: Unfinished { store, imports: Vec::new() },
        dimensions: None,
    };
    let mut reader = Reader::new(source);
    loop {
        match reader.next().await? {
            Item::Collection(line) => job.begin(line).await?,
            Item::Rows(rows) => job.add(rows).await?,
            Item::End => return job.finish().await,
        }
    }
}

fn check_options(options: &ImportOptions) -> Result<(), ImportError> {
    let account = options.account.as_deref().unwrap_or("000000000000");
    let region = options.region.as_deref().unwrap_or("us-east-1");
    check_tenant(account, region).map_err(ImportError::Option)?;
    match &options.name {
        Some(name) if CollectionId::parse(name).is_none() => {
            Err(ImportError::Option(format!("{name:?} is no collection id")))
        }
        _ => Ok(()),
    }
}

struct Job<'j> {
    packs: &'j KnownPacks,
    options: &'j ImportOptions,
    imports: Unfinished,
    /// The length of the current collection's vectors; none before its first face.
    dimensions: Option<usize>,
}

impl Job<'_> {
    async fn begin(&mut self, line: CollectionLine) -> Result<(), ImportError> {
        let ImportOptions { account, region, name, replace } = self.options;
        let imports = &mut self.imports;
        if name.is_some() && !imports.imports.is_empty() {
            return Err(ImportError::NameForSeveral);
        }
        let pack = PackId::from(line.pack);
        let name = name.clone().unwrap_or(line.name);
        let Some(dimensions) = self.packs.dimensions(&pack) else {
            return Err(ImportError::OtherPack { collection: name, pack });
        };
        self.dimensions = Some(dimensions);
        let tenant = Tenant {
            account: account.clone().unwrap_or(line.account),
            region: region.clone().unwrap_or(line.region),
        };
        if imports.imports.iter().any(|other| other.tenant == tenant && other.name == name) {
            return Err(ImportError::Twice(name));
        }
        if !replace && imports.store.collection(&tenant, &name).await.is_ok() {
            return Err(ImportError::Exists(name));
        }
        let new = NewImport {
            name,
            model_version: line.face_model_version,
            pack,
            created_at: line.created_at,
            tags: line.tags,
        };
        let import = imports.store.begin_import(&tenant, new).await?;
        imports.imports.push(import);
        Ok(())
    }

    async fn add(&mut self, rows: TransferRows) -> Result<(), ImportError> {
        // The reader shows no row before its collection.
        let Some(import) = self.imports.imports.last() else { return Ok(()) };
        if let (TransferRows::Faces(faces), Some(expected)) = (&rows, self.dimensions)
            && let Some(face) = faces.iter().find(|face| face.vector.len() != expected)
        {
            let (collection, found) = (import.name.clone(), face.vector.len());
            return Err(ImportError::Dimensions { collection, found, expected });
        }
        Ok(self.imports.store.import_rows(import, rows).await?)
    }

    async fn finish(mut self) -> Result<Vec<Imported>, ImportError> {
        let imports = &mut self.imports;
        let shown = imports.store.finish_imports(&imports.imports, self.options.replace).await?;
        let finished = std::mem::take(&mut imports.imports);
        let imported = finished.into_iter().zip(shown).map(|(import, collection)| Imported {
            account: import.tenant.account,
            region: import.tenant.region,
            collection: collection.name,
            users: collection.user_count,
            faces: collection.face_count,
        });
        Ok(imported.collect())
    }
}

/// Imports that are given up unless they are finished, whatever ends their job.
struct Unfinished {
    store: Arc<dyn Store>,
    imports: Vec<Import>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let imports = std::mem::take(&mut self.imports);
        if imports.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.abandon_imports(&imports).await {
                tracing::warn!(%error, "an import that broke off is cleared away at the next start");
            }
        });
    }
}
