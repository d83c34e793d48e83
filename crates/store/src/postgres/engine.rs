//! Connections to the primary, wherever it is.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult,
};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use crate::error::{Failure, StoreError, StoreResult};

/// How long a call waits for a primary, and tries again, before it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// How long an answer may take before the connection counts as lost.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a host may take to let the node in.
const CONNECT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Connections for each purpose: none may keep another waiting.
const READERS: usize = 8;
const WRITERS: usize = 6;
const LOADERS: usize = 4;
const BEATERS: usize = 1;

/// A session that its node has left must not hold a row for long. There is no limit for writes as a
/// whole: a `COMMIT` that is cut short while it waits for a replica counts as done. A plan that was
/// made when a table had a few rows must not read all of it once there are millions.
const SESSION: &str = "SET jit = off; SET enable_seqscan = off; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '15s';
    SELECT set_config(name, '5s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";

const IS_REPLICA: &str =
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";

/// A connection to the primary.
pub(super) struct Link {
    pub(super) connection: PgConnection,
    generation: u64,
}

/// A connection on loan.
pub(super) type Lease = Object<Primary>;

/// Makes connections to the primary.
pub(super) struct Primary(Arc<Hosts>);

struct Hosts {
    addresses: Vec<PgConnectOptions>,
    /// Where the primary was last.
    primary: AtomicUsize,
    /// Rises when a connection is lost: older ones are not used again.
    generation: AtomicU64,
}

impl Manager for Primary {
    type Type = Link;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Link, sqlx::Error> {
        let generation = self.0.generation.load(Relaxed);
        Ok(Link { connection: self.0.connect().await?, generation })
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if link.generation == self.0.generation.load(Relaxed) {
            Ok(())
        } else {
            Err(RecycleError::message("a connection was lost since"))
        }
    }
}

impl Hosts {
    /// Asks where the primary was last, then everywhere at once.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let last = self.primary.load(Relaxed);
        let error = match self.connect_to(last).await {
            Err(error) if self.addresses.len() > 1 => error,
            result => return result,
        };
        let others = (0..self.addresses.len()).filter(|index| *index != last);
        let attempt = |index| self.connect_to(index).map(move |result| (index, result));
        let mut attempts: FuturesUnordered<_> = others.map(attempt).collect();
        while let Some((index, result)) = attempts.next().await {
            if let Ok(connection) = result {
                self.primary.store(index, Relaxed);
                let host = &self.addresses[index];
                tracing::info!(
                    host = host.get_host(),
                    port = host.get_port(),
                    "the primary is here"
                );
                return Ok(connection);
            }
        }
        Err(error)
    }

    /// Fails unless that host is the primary.
    async fn connect_to(&self, index: usize) -> sqlx::Result<PgConnection> {
        let attempt = async {
            let mut connection = self.addresses[index].connect().await?;
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            if sqlx::query_scalar(IS_REPLICA).fetch_one(&mut connection).await? {
                return Err(unreachable("the host is a replica or takes no writes"));
            }
            Ok(connection)
        };
        timeout(CONNECT, attempt).await.unwrap_or_else(|_| Err(unreachable("no answer")))
    }
}

fn unreachable(why: &'static str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(why))
}

impl From<PoolError<sqlx::Error>> for StoreError {
    fn from(error: PoolError<sqlx::Error>) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Closed => Self::Closed,
            error => Self::Database { failure: Failure::Busy, source: Arc::new(error) },
        }
    }
}

/// All connections of a node.
pub(super) struct Engine {
    hosts: Arc<Hosts>,
    readers: Pool<Primary>,
    writers: Pool<Primary>,
    loaders: Pool<Primary>,
    beaters: Pool<Primary>,
}

impl Engine {
    /// Connects when it is first asked.
    pub(super) fn new(address: &Address) -> Self {
        let hosts = Arc::new(Hosts {
            addresses: address.hosts.clone(),
            primary: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
        });
        let pool = |size| {
            Pool::builder(Primary(Arc::clone(&hosts)))
                .max_size(size)
                .queue_mode(QueueMode::Lifo)
                .wait_timeout(Some(PATIENCE))
                .runtime(Runtime::Tokio1)
                .build()
                .expect("a runtime is given, which is all that timeouts need")
        };
        Self {
            readers: pool(READERS),
            writers: pool(WRITERS),
            loaders: pool(LOADERS),
            beaters: pool(BEATERS),
            hosts,
        }
    }

    /// Reads, and does so again elsewhere where the connection is lost.
    pub(super) async fn read<T, F>(&self, query: impl Fn(Lease) -> F) -> StoreResult<T>
    where
        F: Future<Output = StoreResult<T>>,
    {
        let mut patience = Patience::begin();
        loop {
            let lease = match self.readers.get().await {
                Ok(lease) => lease,
                Err(error) => {
                    patience.pause_after(error.into()).await?;
                    continue;
                }
            };
            let generation = lease.generation;
            match answer(query(lease)).await {
                Err(error) if error.is_transient() => {
                    self.lost(generation, &error);
                    patience.pause_after(error).await?;
                }
                result => return result,
            }
        }
    }

    /// A connection beside the pools, for the time before the store is open.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.hosts.connect().await {
                Err(error)
                    if Failure::of(&error) == Failure::Unreachable && Instant::now() < until =>
                {
                    sleep(LONGEST_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// A connection to write with; fails at once when there is none.
    pub(super) async fn writer(&self) -> StoreResult<Lease> {
        Ok(self.writers.get().await?)
    }

    /// A connection to note that the node lives, which waits for nothing else.
    pub(super) async fn beater(&self) -> StoreResult<Lease> {
        Ok(self.beaters.get().await?)
    }

    /// A connection for a read that takes long.
    pub(super) async fn loader(&self) -> StoreResult<Lease> {
        Ok(self.loaders.get().await?)
    }

    /// Notes that a connection of that generation met an error: where it was lost, so were its
    /// siblings.
    pub(super) fn lost(&self, generation: u64, error: &StoreError) {
        if matches!(error, StoreError::Database { failure: Failure::Unreachable, .. }) {
            let next = generation + 1;
            let _ = self.hosts.generation.compare_exchange(generation, next, Relaxed, Relaxed);
        }
    }

    pub(super) fn close(&self) {
        for pool in [&self.readers, &self.writers, &self.loaders, &self.beaters] {
            pool.close();
        }
    }
}

/// Waits for an answer as long as one may take.
pub(super) async fn answer<T>(question: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    timeout(ANSWER, question).await.unwrap_or_else(|_| Err(no_answer()))
}

/// The error of an answer that did not come in time.
pub(super) fn no_answer() -> StoreError {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into()).into()
}

impl Link {
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }
}

/// How often and how long to try again.
pub(super) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn begin() -> Self {
        Self { until: Instant::now() + PATIENCE, pause: FIRST_PAUSE }
    }

    /// Waits a little; gives the error back when it is lasting, or patience is at its end.
    pub(super) async fn pause_after(&mut self, error: StoreError) -> StoreResult<()> {
        if !error.is_transient() || Instant::now() + self.pause > self.until {
            return Err(error);
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
