//! Who is there: each node notes in the database that it lives, and reads who else does.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};

use super::seal::Seal;
use lookalike_store::{Beat, Store, StoreResult};

/// How often a node notes that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long a note counts.
const LIFETIME: Duration = Duration::from_secs(5);
/// Beats after which a part that is another node's, and was not searched, is forgotten.
pub const IDLE_BEATS: u32 = 30;

/// The nodes as they were a moment ago.
pub struct View {
    pub own: String,
    /// This node's own among them.
    pub addresses: Vec<String>,
    pub seal: Seal,
    now: i64,
    read_at: Instant,
}

impl View {
    fn new(own: &str, beat: Beat) -> Self {
        let Beat { mut addresses, now, secret } = beat;
        if !addresses.iter().any(|address| address == own) {
            addresses.push(own.to_owned());
        }
        let (own, seal) = (own.to_owned(), Seal::new(&secret));
        Self { own, addresses, seal, now, read_at: Instant::now() }
    }

    /// Adds the nodes of an earlier view.
    fn keep(&mut self, before: &Self) {
        self.addresses.extend_from_slice(&before.addresses);
        self.addresses.sort_unstable();
        self.addresses.dedup();
    }

    /// Milliseconds since 1970-01-01 UTC, by the clock of the database.
    pub fn now(&self) -> i64 {
        self.now + i64::try_from(self.read_at.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// This node's place among the others.
pub struct Membership {
    store: Arc<dyn Store>,
    view: RwLock<Option<Arc<View>>>,
}

/// What a node remembers from one beat to the next.
struct Pulse {
    own: String,
    /// The last beat that the database took.
    last: Instant,
    /// When it took one again after it had taken none for long.
    resumed: Option<Instant>,
    is_failing: bool,
}

impl Membership {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, view: RwLock::default() }
    }

    /// The nodes that live; none before this one has joined them.
    pub fn view(&self) -> Option<Arc<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Joins at that address, and goes on noting that this node lives, as long as somebody holds
    /// this. A database that takes no notes changes nothing of the view.
    pub async fn keep(
        self: Arc<Self>,
        own: String,
        mut seen: impl FnMut(&View) + Send + 'static,
    ) -> JoinHandle<()> {
        let mut pulse = Pulse { own, last: Instant::now(), resumed: None, is_failing: false };
        pulse.beat(&self).await;
        let weak = Arc::downgrade(&self);
        tokio::spawn(async move {
            loop {
                sleep(BEAT_EVERY).await;
                let Some(membership) = weak.upgrade() else { return };
                if pulse.beat(&membership).await
                    && let Some(view) = membership.view()
                {
                    seen(&view);
                }
            }
        })
    }

    /// Takes this node from the list, if the database is there.
    pub async fn leave(&self) {
        let Some(view) = self.view() else { return };
        let Some(list) = self.store.membership() else { return };
        let left = tokio::time::timeout(BEAT_EVERY, list.leave(&view.own)).await;
        if !matches!(left, Ok(Ok(()))) {
            info!(after = ?LIFETIME, "other nodes notice by themselves that this one is gone");
        }
    }

    async fn note(&self, own: &str) -> StoreResult<Option<Beat>> {
        let Some(list) = self.store.membership() else { return Ok(None) };
        list.beat(own, LIFETIME).await.map(Some)
    }

    fn show(&self, view: View) {
        let before = self.view();
        if before.is_none_or(|before| before.addresses != view.addresses) {
            info!(nodes = ?view.addresses, "nodes that search for one another");
        }
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
    }
}

impl Pulse {
    /// Says whether the database took the note.
    async fn beat(&mut self, membership: &Membership) -> bool {
        let beat = match membership.note(&self.own).await {
            Ok(Some(beat)) => beat,
            Ok(None) => return false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    warn!(%error, "cannot note that this node lives: others may search without it");
                }
                return false;
            }
        };
        if std::mem::take(&mut self.is_failing) {
            info!("noted again that this node lives");
        }
        let mut view = View::new(&self.own, beat);
        if let Some(before) = membership.view() {
            // After a time without the database nobody's note counts: all get the time for a new one.
            if self.last.elapsed() > LIFETIME {
                self.resumed = Some(Instant::now());
            }
            if self.resumed.is_some_and(|resumed| resumed.elapsed() < LIFETIME) {
                view.keep(&before);
            }
        }
        self.last = Instant::now();
        membership.show(view);
        true
    }
}
