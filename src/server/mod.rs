//! Building, binding and running a server.

mod access;
pub mod browsers;
mod connections;
mod files;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::from_fn_with_state;
use futures_util::future::OptionFuture;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::admin::access::Access;
use crate::admin::transfer::MOST_TRANSFERS;
use crate::admin::{self, Admin};
use crate::app::{App, StartError};
use crate::config::{BrowserConfig, ServeConfig};
use crate::forward::Forward;
use crate::operations::Rekognition;
use crate::seed::{SeedError, SeedFile, seed_server};
use crate::telemetry;
use access::Reload;
use aws_json::auth::Auth;
use aws_json::{FrontEnd, RateLimiter, Service as _};
use browsers::BrowserPolicy;
use connections::Limits;

/// How long requests under way may take once the server stops.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the whole process may take then: below the thirty seconds after which Kubernetes kills.
pub const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Connections of a control plane with a listener of its own.
const MOST_ADMIN_CONNECTIONS: usize = 64;

/// A server that holds its address and is ready to answer.
pub struct Server {
    listener: Listener,
    /// Where the control plane has one of its own.
    admin_listener: Option<Listener>,
    admin: Arc<Admin>,
    reload: Reload,
}

/// An address that was taken, and what pages may do there.
struct Listener {
    socket: TcpListener,
    browsers: Arc<BrowserPolicy>,
}

impl Listener {
    async fn bind(
        address: SocketAddr,
        config: &BrowserConfig,
        is_open: bool,
    ) -> Result<Self, StartError> {
        let BrowserConfig { cors_origin, host_name } = config.clone();
        let browsers = Arc::new(BrowserPolicy::new(cors_origin, host_name, address, is_open));
        let bound = TcpListener::bind(address).await;
        let socket = bound.map_err(|source| StartError::Bind(address, source))?;
        Ok(Self { socket, browsers })
    }

    fn addr(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }
}

impl Server {
    /// Loads the networks, opens the store, and only then takes the address: who can connect is
    /// answered.
    pub async fn bind(config: &ServeConfig) -> Result<Self, StartError> {
        let reload = Reload::new(config.auth.credentials.clone());
        let auth = Auth::new(access::auth_mode(&config.auth)?, Rekognition::SIGNING_NAME);
        let is_open = auth.is_open();
        if is_open {
            let addresses = config.admin.admin_listen.into_iter().chain([config.listen]);
            access::warn_if_exposed(addresses, &config.browsers.cors_origin);
        }
        let forward = config.api.forward.clone().map(Forward::new);
        let forward = forward.transpose().map_err(StartError::Forward)?;
        let seed = config.seed.as_deref().map(SeedFile::read).transpose();
        let seed = seed.map_err(SeedError::from)?;
        let app = Arc::new(App::open(config).await?);
        if let Some(seed) = seed {
            seed_server(&app, &seed).await?;
        }
        let encoded = Arc::clone(&app.encoded);
        let front = Arc::new(FrontEnd::new(
            Rekognition { app, forward },
            auth,
            RateLimiter::new(&config.api.limits),
            encoded,
        ));
        let listener = Listener::bind(config.listen, &config.browsers, is_open).await?;
        let admin_listener = match config.admin.admin_listen {
            Some(address) => Some(Listener::bind(address, &config.browsers, is_open).await?),
            None => None,
        };
        if let Some(address) = config.cluster.node_address.clone() {
            front.service.app.cluster.join(address.at_port(listener.addr().port())).await;
        }
        let admin = Arc::new(Admin {
            front,
            config: config.clone(),
            started: Instant::now(),
            transfers: Arc::new(Semaphore::new(MOST_TRANSFERS)),
        });
        Ok(Self { listener, admin_listener, admin, reload })
    }

    /// The address that was taken.
    ///
    /// # Panics
    /// When the operating system does not tell the address of a socket that it has bound.
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// The address of the control plane, where it has one of its own.
    ///
    /// # Panics
    /// As [`Self::addr`].
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_listener.as_ref().map(Listener::addr)
    }

    /// What the server works with.
    pub fn app(&self) -> &App {
        self.admin.app()
    }

    /// Answers requests until `shutdown` resolves, then finishes those under way until `patience`,
    /// polled only then, resolves too.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
        patience: impl Future<Output = ()>,
    ) {
        let app = Arc::clone(&self.admin.front.service.app);
        let pack = app.packs.served().pack();
        let limits = Limits::of_files(files::raise_limit());
        info!(
            address = %self.addr(),
            admin_address = self.admin_addr().map(tracing::field::display),
            pack = pack.name,
            version = pack.version,
            connections = limits.most,
            "ready"
        );
        let (stop, stopping) = watch::channel(false);
        let serve = |listener: Listener, has_control: bool, limits| {
            let routes = routes(&self.admin, &listener.browsers, has_control);
            let mut stopping = stopping.clone();
            let stop = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
            connections::serve(listener.socket, routes, limits, stop)
        };
        let api = serve(self.listener, self.admin_listener.is_none(), limits);
        let most = limits.most.min(MOST_ADMIN_CONNECTIONS);
        let control = self.admin_listener.map(|own| serve(own, true, Limits { most, ..limits }));
        let control = async { OptionFuture::from(control).await };
        let out_of_patience = async {
            shutdown.await;
            stop.send_replace(true);
            app.telemetry.recent.close();
            app.cluster.leave().await;
            patience.await;
        };
        tokio::select! {
            _ = async { tokio::join!(api, control) } => {}
            () = self.reload.run(&self.admin.front.auth) => {}
            () = out_of_patience => warn!("requests were cut off that did not end in time"),
        }
        app.close().await;
        info!("stopped");
    }
}

/// What a listener answers: the API, and the whole control plane or only its public part.
fn routes(admin: &Arc<Admin>, browsers: &Arc<BrowserPolicy>, has_control: bool) -> Router {
    let own = if has_control {
        let access = Access {
            token: admin.config.admin.admin_token.clone(),
            is_open: admin.front.auth.is_open(),
            browsers: Arc::clone(browsers),
        };
        admin::routes(admin, Arc::new(access))
    } else {
        admin::public_routes(admin)
    };
    let api = Router::new().fallback(aws_json::serve).with_state(Arc::clone(&admin.front));
    own.merge(api)
        .layer(from_fn_with_state(Arc::clone(browsers), browsers::guard))
        .layer(from_fn_with_state(Arc::clone(&admin.front.service.app), telemetry::count))
}

/// How long requests under way may take after the first stop signal: fifteen seconds, or until a
/// second signal.
pub async fn patience() {
    let _ = timeout(PATIENCE, stop_signal()).await;
}

/// Resolves on Ctrl-C, or on SIGTERM as a container engine sends it. Both are caught from the call
/// on, not only once the future is polled.
pub fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
        async move {
            match signals {
                Ok((mut interrupt, mut terminate)) => tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                },
                Err(error) => {
                    warn!(%error, "signals cannot be caught: they end the server at once");
                    std::future::pending::<()>().await;
                }
            }
        }
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}
