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
use lookalike_store::PackId;
use lookalike_vision::{Pack, PackError, Vision, VisionError, VisionOptions, runtime};

/// A pack that nobody has needed for so long is unloaded.
const IDLE: Duration = Duration::from_mins(10);
const CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// Loaded packs.
pub struct Packs {
    served: Vision,
    folder: PathBuf,
    options: VisionOptions,
    others: Mutex<HashMap<String, Other>>,
}

struct Other {
    vision: Vision,
    used_at: Instant,
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
    /// Loads the served pack.
    pub fn load(config: &VisionConfig) -> Result<Self, VisionError> {
        runtime::init(config.runtime.as_deref())?;
        let pack = Pack::open(pack_folder(config))?;
        let defaults = VisionOptions::default();
        let options = VisionOptions {
            workers: config.workers.unwrap_or(defaults.workers),
            queue: config.queue,
        };
        Ok(Self {
            served: Vision::load(pack, options)?,
            folder: config.models.clone(),
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

    /// The networks whose vectors a collection of this pack holds; none if the folder of packs does
    /// not have them.
    pub async fn of(&self, id: &PackId) -> Result<Option<Vision>, PacksError> {
        let space = id.version.rsplit_once('+').map_or(id.version.as_str(), |(_, space)| space);
        if self.served.pack().shares(space) {
            return Ok(Some(self.served.clone()));
        }
        // Held during a load, so that the searches that wait for it do not load it again.
        let mut others = self.others.lock().await;
        if let Some(other) = others.get_mut(space) {
            other.used_at = Instant::now();
            return Ok(Some(other.vision.clone()));
        }
        let (folder, wanted, options) = (self.folder.clone(), space.to_owned(), self.options);
        let load = move || match find(&folder, &wanted) {
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

/// The pack of a vector space in a folder of packs.
fn find(folder: &Path, space: &str) -> Option<Pack> {
    let entries = fs::read_dir(folder).ok()?;
    let mut packs = entries.flatten().filter_map(|entry| open(&entry.path()));
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

/// A pack is named by its folder, or by its name among the packs.
pub(crate) fn pack_folder(config: &VisionConfig) -> PathBuf {
    let is_path = config.pack.is_absolute() || config.pack.join("pack.toml").is_file();
    if is_path { config.pack.clone() } else { Path::new(&config.models).join(&config.pack) }
}
