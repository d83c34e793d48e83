//! The pack that is served, and those that older collections were made with.
//!
//! A collection keeps its vectors for life, and so the pack that made them. A pack beside the served
//! one is loaded when a collection needs it and unloaded when none has for a while.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::info;

use crate::config::VisionConfig;
use crate::installation::{Installation, NoRuntime, listed};
use lookalike_store::PackId;
use lookalike_vision::{Pack, PackError, Vision, VisionError, VisionOptions, runtime};

/// A pack that nobody has needed for so long is unloaded.
const IDLE: Duration = Duration::from_mins(10);
const CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// Loaded packs.
pub struct Packs {
    served: Vision,
    folders: Vec<PathBuf>,
    options: VisionOptions,
    others: Mutex<HashMap<String, Other>>,
}

/// Where the networks and what runs them are.
pub struct PackFiles {
    served: PathBuf,
    folders: Vec<PathBuf>,
    runtime: PathBuf,
}

struct Other {
    vision: Vision,
    used_at: Instant,
}

/// Why the served pack cannot be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(
        "there is no pack {}{}: `lookalike models list` shows the packs that there are, \
         `lookalike models pull NAME` fetches one",
        pack.display(),
        if searched.is_empty() { String::new() } else { format!(" in {}", listed(searched)) }
    )]
    NoPack { pack: PathBuf, searched: Vec<PathBuf> },
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Vision(#[from] VisionError),
}

/// Why a pack beside the served one cannot be used.
#[derive(Debug, Error)]
pub enum PacksError {
    #[error("cannot load the pack that the collection was made with")]
    Load(#[from] VisionError),
    #[error("the load broke off")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl Packs {
    /// Loads the served pack, by default with a worker for each core but no more than `most_workers`.
    pub fn load(
        files: PackFiles,
        config: &VisionConfig,
        most_workers: usize,
    ) -> Result<Self, LoadError> {
        let defaults = VisionOptions::default();
        let options = VisionOptions {
            workers: config.workers.unwrap_or(defaults.workers.min(most_workers)),
            queue: config.queue,
        };
        runtime::init(&files.runtime, options.workers)?;
        let pack = Pack::open(files.served)?;
        Ok(Self {
            served: Vision::load(pack, options)?,
            folders: files.folders,
            options,
            others: Mutex::default(),
        })
    }

    /// The pack of new collections and of operations without a collection.
    pub fn served(&self) -> &Vision {
        &self.served
    }

    /// What a new collection notes about its pack: the version ends in the vector space.
    pub fn id(&self) -> PackId {
        let pack = self.served.pack();
        PackId {
            name: pack.name.clone(),
            version: format!("{}+{}", pack.version, pack.vector_space()),
        }
    }

    /// The networks whose vectors a collection of this pack holds; none if no folder of packs has
    /// them.
    pub async fn of(&self, id: &PackId) -> Result<Option<Vision>, PacksError> {
        let space = space_of(id);
        if self.served.pack().shares(space) {
            return Ok(Some(self.served.clone()));
        }
        // Held during a load, so that the searches that wait for it do not load it again.
        let mut others = self.others.lock().await;
        if let Some(other) = others.get_mut(space) {
            other.used_at = Instant::now();
            return Ok(Some(other.vision.clone()));
        }
        let (folders, wanted, options) = (self.folders.clone(), space.to_owned(), self.options);
        let load = move || match find(&folders, &wanted) {
            Some(pack) => Vision::load(pack, options).map(Some),
            None => Ok(None),
        };
        let Some(vision) = tokio::task::spawn_blocking(load).await?? else { return Ok(None) };
        info!(pack = vision.pack().name, version = vision.pack().version, "older pack loaded");
        let other = Other { vision: vision.clone(), used_at: Instant::now() };
        others.insert(space.to_owned(), other);
        Ok(Some(vision))
    }

    /// Unloads idle packs for as long as the packs are in use.
    pub fn unload_idle(self: &Arc<Self>) {
        let packs = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(CHECK_INTERVAL);
            loop {
                interval.tick().await;
                let Some(packs) = packs.upgrade() else { return };
                packs.others.lock().await.retain(|_, other| other.used_at.elapsed() < IDLE);
            }
        });
    }
}

/// The packs that a server could use, none of them loaded.
#[derive(Debug, Clone)]
pub struct KnownPacks {
    pack: PathBuf,
    folders: Vec<PathBuf>,
}

impl KnownPacks {
    /// The pack of that name or path, and those in the folder and in the installation.
    pub fn find(models: &Path, pack: &Path) -> Self {
        Self { pack: pack.to_owned(), folders: Installation::find().pack_folders(models) }
    }

    /// How many components the vectors of a collection of this pack have; none if no pack here
    /// makes such vectors.
    pub fn dimensions(&self, id: &PackId) -> Option<usize> {
        let space = space_of(id);
        let named = open(&self.pack).filter(|pack| pack.shares(space));
        let pack = named.or_else(|| find(&self.folders, space))?;
        Some(pack.embedder.dimensions)
    }
}

fn space_of(id: &PackId) -> &str {
    id.version.rsplit_once('+').map_or(id.version.as_str(), |(_, space)| space)
}

/// The pack of a vector space in folders of packs.
fn find(folders: &[PathBuf], space: &str) -> Option<Pack> {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut packs = entries.filter_map(|entry| open(&entry.path()));
    packs.find(|pack| pack.shares(space))
}

/// A folder without a valid pack is passed over: it is the business of `models verify`.
fn open(folder: &Path) -> Option<Pack> {
    match Pack::open(folder) {
        Ok(pack) => Some(pack),
        Err(PackError::Read { .. }) => None,
        Err(error) => {
            tracing::warn!(%error, "a folder of packs holds one that cannot be used");
            None
        }
    }
}

impl PackFiles {
    /// Looks for them; reads none.
    pub fn find(config: &VisionConfig) -> Result<Self, LoadError> {
        let installation = Installation::find();
        let folders = installation.pack_folders(&config.models);
        let served = pack_folder(config, &folders)?;
        let runtime = installation.runtime(config.runtime.as_deref())?;
        Ok(Self { served, folders, runtime })
    }
}

/// A pack is named by its folder, or by its name among the packs.
fn pack_folder(config: &VisionConfig, folders: &[PathBuf]) -> Result<PathBuf, LoadError> {
    let pack = &config.pack;
    let named = [pack.clone()].into_iter().chain(folders.iter().map(|folder| folder.join(pack)));
    named.into_iter().find(|folder| folder.join("pack.toml").is_file()).ok_or_else(|| {
        let searched = if pack.is_absolute() { Vec::new() } else { folders.to_vec() };
        LoadError::NoPack { pack: pack.clone(), searched }
    })
}
