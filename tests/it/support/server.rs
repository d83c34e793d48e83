//! A server in this process, on a port of its own.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use clap::Parser as _;
use lookalike::config::{Cli, ServeConfig};
use lookalike::server::Server;
use lookalike::telemetry::StageLayer;
use lookalike_store::Store;
use lookalike_vision::image::PixelBudget;
use tokio::sync::oneshot;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::client::Client;

/// The options of a server that keeps nothing, and whatever else the test wants.
pub fn options(extra: &[&str]) -> ServeConfig {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let models = root.join("models");
    let mut arguments = vec!["lookalike", "--listen", "127.0.0.1:0"];
    if !extra.contains(&"--models") {
        arguments.extend(["--models", models.to_str().expect("UTF-8")]);
    }
    if !extra.contains(&"--data") {
        arguments.extend(["--data", ":memory:"]);
    }
    arguments.extend(extra);
    Cli::parse_from(arguments).serve
}

/// A running server and a client for it; the server stops when this is dropped.
pub struct TestServer {
    client: Client,
    admin: Option<Client>,
    store: Arc<dyn Store>,
    pixels: PixelBudget,
    stop: Option<oneshot::Sender<()>>,
}

impl Deref for TestServer {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with these options.
    pub async fn with(extra: &[&str]) -> Self {
        static LOG: Once = Once::new();
        LOG.call_once(|| {
            let filter = tracing_subscriber::EnvFilter::from_env("LOOKALIKE_LOG");
            let log = tracing_subscriber::fmt::layer().with_test_writer();
            let layers = log.with_filter(filter);
            tracing_subscriber::registry().with(layers).with(StageLayer::filtered()).init();
        });
        let server = Server::bind(&options(extra)).await.expect("the server starts");
        let client = Client::new(&format!("http://{}", server.addr()));
        let admin = server.admin_addr().map(|address| Client::new(&format!("http://{address}")));
        let store = Arc::clone(&server.app().store);
        let pixels = server.app().pixels.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        tokio::spawn(server.run(stopped, std::future::ready(())));
        Self { client, admin, store, pixels, stop: Some(stop) }
    }

    /// A client of the listener that the control plane has for itself.
    pub fn admin_listener(&self) -> &Client {
        self.admin.as_ref().expect("the server was started with --admin-listen")
    }

    /// What images may hold.
    pub fn pixels(&self) -> &PixelBudget {
        &self.pixels
    }

    /// The database behind the server.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}
