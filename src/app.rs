//! What the operations work with, put together from the configuration.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use thiserror::Error;

use crate::config::{ServeConfig, VisionConfig};
use crate::gallery::Gallery;
use crate::objects::{ImageSource, SourceError};
use lookalike_store::{ChangeSink, Location, OpenError, PackId, Sqlite, Store};
use lookalike_vision::{Pack, PackError, Vision, VisionError, VisionOptions, runtime};

/// Digits of the embedder's SHA-256 by which a collection knows it.
const DIGEST_DIGITS: usize = 12;

/// Everything that an operation may touch.
pub struct App {
    pub store: Arc<dyn Store>,
    pub gallery: Arc<Gallery>,
    pub vision: Vision,
    pub images: ImageSource,
    /// The AWS face model version that new collections get.
    pub face_model_version: String,
}

/// Why a server did not start, in words for the one who started it.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Images(#[from] SourceError),
    #[error(transparent)]
    Credentials(#[from] aws_json::auth::CredentialsError),
    #[error(
        "--auth open and the credentials file {} contradict each other: remove `--auth open` to \
         verify signatures with these keys, or the file to let everybody call",
        .0.display()
    )]
    OpenWithCredentials(PathBuf),
    #[error("--auth verify needs a credentials file: name it with --credentials")]
    VerifyWithoutCredentials,
    #[error("cannot listen on {0}: stop what uses it, or choose another address with --listen")]
    Bind(std::net::SocketAddr, #[source] std::io::Error),
    #[error("cannot start the search threads")]
    Threads(#[source] std::io::Error),
    #[error("the models could not be loaded")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl App {
    /// Opens the store and loads the networks, side by side.
    pub async fn open(config: &ServeConfig) -> Result<Self, StartError> {
        let images = ImageSource::open(&config.api.s3)?;
        let vision = tokio::task::spawn_blocking({
            let config = config.vision.clone();
            move || load_vision(&config)
        });
        let location = match config.data.as_str() {
            ":memory:" => Location::Memory,
            folder => Location::Directory(folder.into()),
        };
        let store = Arc::new(Sqlite::open(&location).await?);
        let threads = config
            .api
            .search_threads
            .unwrap_or_else(|| available_parallelism().map_or(1, NonZero::get));
        let gallery = Arc::new(Gallery::new(store.clone(), threads).map_err(StartError::Threads)?);
        let sink: Arc<dyn ChangeSink> = gallery.clone();
        store.subscribe(&sink);
        let vision = vision.await??;
        Ok(Self {
            gallery,
            store,
            vision,
            images,
            face_model_version: config.api.face_model_version.clone(),
        })
    }

    /// The pack that new faces are embedded with. The embedder's digest is part of the version:
    /// vectors of two embedders cannot be compared, even where a pack's author has put one in the
    /// place of the other under the same version.
    pub fn pack_id(&self) -> PackId {
        let pack = self.vision.pack();
        let digest = pack.embedder.model.sha256.to_ascii_lowercase();
        PackId {
            name: pack.name.clone(),
            version: format!("{}+{}", pack.version, &digest[..DIGEST_DIGITS]),
        }
    }

    /// Finishes the writes under way.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

fn load_vision(config: &VisionConfig) -> Result<Vision, StartError> {
    runtime::init(config.runtime.as_deref())?;
    let pack = Pack::open(pack_folder(config))?;
    let defaults = VisionOptions::default();
    let options =
        VisionOptions { workers: config.workers.unwrap_or(defaults.workers), queue: config.queue };
    Ok(Vision::load(pack, options)?)
}

/// A pack is named by its folder, or by its name among the packs.
fn pack_folder(config: &VisionConfig) -> PathBuf {
    let is_path = config.pack.is_absolute() || config.pack.join("pack.toml").is_file();
    if is_path { config.pack.clone() } else { Path::new(&config.models).join(&config.pack) }
}
