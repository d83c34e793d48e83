//! What the operations work with, put together from the configuration.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use thiserror::Error;
use tokio::sync::Semaphore;

use crate::answers::Answers;
use crate::cluster::Cluster;
use crate::config::ServeConfig;
use crate::deterministic::{self, FaceIds};
use crate::door::Door;
use crate::faults::Faults;
use crate::gallery::{Gallery, Seen};
use crate::installation::Installation;
use crate::memory::{self, MemoryPlan};
use crate::objects::{ImageSource, SourceError};
use crate::packs::{LoadError, PackFiles, Packs};
use crate::seed::SeedError;
use crate::telemetry::Telemetry;
use crate::thumbnails::{ThumbnailError, Thumbnails};
use lookalike_store::{ChangeSink, OpenError, Store};
use lookalike_vision::image::PixelBudget;

/// Everything that an operation may touch.
pub struct App {
    pub store: Arc<dyn Store>,
    pub gallery: Arc<Gallery>,
    pub cluster: Cluster,
    /// Collections that searches may begin with.
    pub seen: Arc<Seen>,
    pub packs: Arc<Packs>,
    pub images: ImageSource,
    /// What large bodies and fetched objects may hold, in KiB.
    pub encoded: Arc<Semaphore>,
    memory: MemoryPlan,
    /// What the pixels of images may hold.
    pub pixels: PixelBudget,
    /// Where requests with images stand in line.
    pub door: Door,
    /// What [`Self::encoded`] had in the beginning.
    pub encoded_kib: usize,
    pub telemetry: Arc<Telemetry>,
    pub thumbnails: Arc<Thumbnails>,
    pub answers: Answers,
    pub faults: Faults,
    pub face_ids: FaceIds,
    /// The AWS face model version that new collections get.
    pub face_model_version: String,
}

/// Why a server did not start, in words for the one who started it.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    Packs(#[from] LoadError),
    #[error(transparent)]
    Images(#[from] SourceError),
    #[error(transparent)]
    Thumbnails(#[from] ThumbnailError),
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
    #[error("cannot prepare to pass requests on")]
    Forward(#[source] reqwest::Error),
    #[error("cannot prepare to ask other nodes")]
    Cluster(#[source] reqwest::Error),
    #[error(
        "--node-address is for servers that share a database: start them with \
         --data postgres://USER:PASSWORD@HOST:PORT/DATABASE, or leave it out"
    )]
    NodeAlone,
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
        images.probe();
        let files = PackFiles::find(&config.vision)?;
        let limit = memory::limit(config.memory);
        let packs = tokio::task::spawn_blocking({
            let config = config.vision.clone();
            move || Packs::load(files, &config, memory::most_workers(limit))
        });
        Installation::find().warn_of_former_data(&config.data);
        let store = match config.deterministic {
            Some(_) => {
                lookalike_store::open_with_clock(&config.data, deterministic::clock()).await?
            }
            None => lookalike_store::open(&config.data).await?,
        };
        if config.cluster.node_address.is_some() && store.membership().is_none() {
            return Err(StartError::NodeAlone);
        }
        let threads = config
            .api
            .search_threads
            .unwrap_or_else(|| available_parallelism().map_or(1, NonZero::get));
        let gallery = Gallery::new(store.clone(), threads).map_err(StartError::Threads)?;
        let packs = Arc::new(packs.await??);
        packs.unload_idle();
        let plan = MemoryPlan::measure(limit, config.api.search_memory, packs.served());
        let gallery = Arc::new(gallery.with_memory_limit(plan.search));
        let inference = Arc::clone(&packs);
        gallery.yield_to(move || inference.served().load_now().busy);
        let encoded = plan.encoded();
        let sink: Arc<dyn ChangeSink> = gallery.clone();
        store.subscribe(&sink);
        gallery.sweep();
        let seen = Arc::new(Seen::default());
        let sink: Arc<dyn ChangeSink> = seen.clone();
        store.subscribe(&sink);
        let telemetry = Arc::new(Telemetry::new(config.telemetry.clone(), packs.served().pack()));
        let sink: Arc<dyn ChangeSink> = telemetry.clone();
        store.subscribe(&sink);
        let cluster = Cluster::new(
            Arc::clone(&gallery),
            Arc::clone(&store),
            &config.cluster,
            telemetry.cluster(),
        )
        .map_err(StartError::Cluster)?;
        let keeping = config.admin.thumbnails;
        let thumbnails = Thumbnails::open(keeping, &config.data, Arc::clone(&store))?;
        let thumbnails = Arc::new(thumbnails);
        let sink: Arc<dyn ChangeSink> = thumbnails.clone();
        store.subscribe(&sink);
        let load = packs.served().load_now();
        let places = load.workers + load.queue;
        let encoded_kib = encoded.available_permits();
        Ok(Self {
            gallery,
            cluster,
            seen,
            store,
            packs,
            images: images.within(Arc::clone(&encoded)),
            encoded,
            memory: plan,
            pixels: PixelBudget::new(plan.pixels),
            door: Door::new(places),
            encoded_kib,
            telemetry,
            thumbnails,
            answers: Answers::default(),
            faults: Faults::new(config.faults()),
            face_ids: config.deterministic.map_or(FaceIds::Random, FaceIds::Seeded),
            face_model_version: config.api.face_model_version.clone(),
        })
    }

    /// Returns memory that large images have left behind, where there is little. Takes milliseconds.
    pub fn trim_memory(&self) {
        self.memory.trim(|| self.gallery.size().bytes);
    }

    /// Finishes the writes under way.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
