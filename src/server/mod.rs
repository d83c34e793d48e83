//! Building, binding and running a server.

mod access;
pub mod browsers;
mod connections;
mod files;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::app::{App, StartError};
use crate::config::{BrowserConfig, ServeConfig};
use crate::control;
use crate::forward::Forward;
use crate::operations::Rekognition;
use access::Reload;
use aws_json::auth::Auth;
use aws_json::{FrontEnd, RateLimiter, Service as _};
use browsers::BrowserPolicy;
use connections::Limits;

/// How long requests under way may take once the server stops.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the whole process may take then: below the thirty seconds after which Kubernetes kills.
pub const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// A server that holds its address and is ready to answer.
pub struct Server {
    listener: TcpListener,
    front: Arc<FrontEnd<Rekognition>>,
    browsers: Arc<BrowserPolicy>,
    reload: Reload,
}

impl Server {
    /// Loads the networks, opens the store, and only then takes the address: who can connect is
    /// answered.
    pub async fn bind(config: &ServeConfig) -> Result<Self, StartError> {
        let reload = Reload::new(config.auth.credentials.clone());
        let auth = Auth::new(access::auth_mode(&config.auth)?, Rekognition::SIGNING_NAME);
        let BrowserConfig { cors_origin, host_name } = config.browsers.clone();
        if auth.is_open() {
            access::warn_if_exposed(config.listen, &cors_origin);
        }
        let browsers = BrowserPolicy::new(cors_origin, host_name, config.listen, auth.is_open());
        let forward = config.api.forward.clone().map(Forward::new);
        let forward = forward.transpose().map_err(StartError::Forward)?;
        let app = Arc::new(App::open(config).await?);
        let encoded = Arc::clone(&app.encoded);
        let front = Arc::new(FrontEnd::new(
            Rekognition { app, forward },
            auth,
            RateLimiter::new(&config.api.limits),
            encoded,
        ));
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| StartError::Bind(config.listen, source))?;
        Ok(Self { listener, front, browsers: Arc::new(browsers), reload })
    }

    /// The address that was taken.
    ///
    /// # Panics
    /// When the operating system does not tell the address of a socket that it has bound.
    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket has an address")
    }

    /// What the server works with.
    pub fn app(&self) -> &App {
        &self.front.service.app
    }

    /// Answers requests until `shutdown` resolves, then finishes those under way until `patience`,
    /// polled only then, resolves too.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
        patience: impl Future<Output = ()>,
    ) {
        let pack = self.app().packs.served().pack();
        let limits = Limits::of_files(files::raise_limit());
        info!(
            address = %self.addr(), pack = pack.name, version = pack.version, connections = limits.most, "ready"
        );
        let routes = Router::new()
            .nest("/_lookalike", control::routes())
            .fallback(aws_json::serve)
            .with_state(Arc::clone(&self.front))
            .layer(axum::middleware::from_fn_with_state(self.browsers, browsers::guard));
        let (stop, stopping) = oneshot::channel();
        let stop = async move {
            shutdown.await;
            let _ = stop.send(());
        };
        let out_of_patience = async {
            let _ = stopping.await;
            patience.await;
        };
        tokio::select! {
            () = connections::serve(self.listener, routes, limits, stop) => {}
            () = self.reload.run(&self.front.auth) => {}
            () = out_of_patience => warn!("requests were cut off that did not end in time"),
        }
        self.front.service.app.close().await;
        info!("stopped");
    }
}

/// How long requests under way may take after the first stop signal: fifteen seconds, or until a
/// second signal.
pub async fn patience() {
    let _ = timeout(PATIENCE, stop_signal()).await;
}

/// Resolves on Ctrl-C, or on SIGTERM as a container engine sends it.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let mut terminate =
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(terminate) => terminate,
                Err(error) => {
                    warn!(%error, "SIGTERM cannot be caught; stop the server with Ctrl-C");
                    return std::future::pending().await;
                }
            };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
