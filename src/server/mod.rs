//! Building, binding and running a server.

mod access;

use std::future::{Future, IntoFuture as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::app::{App, StartError};
use crate::config::ServeConfig;
use crate::control;
use crate::operations::Rekognition;
use aws_json::auth::Auth;
use aws_json::{FrontEnd, RateLimiter, Service as _};

/// Below the thirty seconds after which Kubernetes kills, so that the database is closed before.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that holds its address and is ready to answer.
pub struct Server {
    listener: TcpListener,
    front: Arc<FrontEnd<Rekognition>>,
}

impl Server {
    /// Loads the networks, opens the store, and only then takes the address: who can connect is
    /// answered.
    pub async fn bind(config: &ServeConfig) -> Result<Self, StartError> {
        let auth = access::auth_mode(&config.auth)?;
        let app = Arc::new(App::open(config).await?);
        let auth = Auth::new(auth, Rekognition::SIGNING_NAME);
        let front = Arc::new(FrontEnd::new(
            Rekognition { app },
            auth,
            RateLimiter::new(&config.api.limits),
        ));
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| StartError::Bind(config.listen, source))?;
        Ok(Self { listener, front })
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
    ) -> std::io::Result<()> {
        let pack = self.app().vision.pack();
        info!(address = %self.addr(), pack = pack.name, version = pack.version, "ready");
        let routes = Router::new()
            .nest("/_lookalike", control::routes())
            .fallback(aws_json::serve)
            .with_state(Arc::clone(&self.front));
        let (stop, stopping) = oneshot::channel();
        let serving = axum::serve(self.listener, routes).with_graceful_shutdown(async move {
            shutdown.await;
            let _ = stop.send(());
        });
        let out_of_patience = async {
            let _ = stopping.await;
            patience.await;
        };
        tokio::select! {
            ended = serving.into_future() => ended?,
            () = out_of_patience => warn!("requests were cut off that did not end in time"),
        }
        self.front.service.app.close().await;
        info!("stopped");
        Ok(())
    }
}

/// How long requests under way may take after the first stop signal: twenty seconds, or until a
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
