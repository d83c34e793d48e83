//! The connections that are open, what each is at, and which of them may be closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval, timeout};

use super::Limits;

/// All connections of the server.
pub(super) struct Connections {
    limits: Limits,
    peers: Mutex<Peers>,
    ended: Notify,
    pub(super) stopping: watch::Sender<bool>,
}

#[derive(Default)]
struct Peers {
    last: u64,
    open: HashMap<u64, Arc<Peer>>,
}

/// One connection, as those see it who may close it.
pub(super) struct Peer {
    pub(super) close: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) is_answering: bool,
    /// Since when it waits for a request.
    waiting: Instant,
    /// When the first byte of a request came whose headers are not complete.
    pub(super) head: Option<Instant>,
    /// The last byte in either direction.
    pub(super) active: Instant,
    /// Whether the client has to read before more can be written.
    pub(super) is_blocked: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        !self.is_answering && !self.is_blocked
    }

    pub(super) fn may_be_closed(&self) -> bool {
        self.is_blocked || !self.is_answering
    }

    fn is_overdue(&self, limits: &Limits, now: Instant) -> bool {
        let is_slow = self.head.is_some_and(|head| now - head > limits.head);
        let is_silent = now - self.active > limits.idle;
        (is_silent || is_slow) && self.may_be_closed()
    }
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        let (stopping, _) = watch::channel(false);
        Self { limits, peers: Mutex::default(), ended: Notify::new(), stopping }
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(self: &Arc<Self>) -> Guard {
        let now = Instant::now();
        let state =
            State { is_answering: false, waiting: now, head: None, active: now, is_blocked: false };
        let peer = Arc::new(Peer { close: Notify::new(), state: Mutex::new(state) });
        let mut peers = self.peers();
        peers.last += 1;
        let id = peers.last;
        peers.open.insert(id, Arc::clone(&peer));
        Guard { id, peer, connections: Arc::clone(self) }
    }

    /// Waits until there is room for one more, and makes it where a connection is idle.
    pub(super) async fn make_room(&self) {
        loop {
            let ended = self.ended.notified();
            if self.peers().open.len() < self.limits.most {
                return;
            }
            self.close_longest_waiting();
            let _ = timeout(Duration::from_millis(100), ended).await;
        }
    }

    pub(super) fn close_longest_waiting(&self) {
        let peers = self.peers();
        let idle = peers.open.values().filter(|peer| peer.state().is_idle());
        if let Some(longest) = idle.min_by_key(|peer| peer.state().waiting) {
            longest.close.notify_one();
        }
    }

    /// Closes, for ever, the connections that are silent for too long.
    pub(super) async fn close_silent(&self) {
        let mut ticks = interval((self.limits.head / 10).min(Duration::from_secs(1)));
        loop {
            let now = ticks.tick().await;
            let peers = self.peers();
            let overdue =
                peers.open.values().filter(|peer| peer.state().is_overdue(&self.limits, now));
            overdue.for_each(|peer| peer.close.notify_one());
        }
    }

    pub(super) async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.peers().open.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl Peer {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection until it ends.
pub(super) struct Guard {
    id: u64,
    pub(super) peer: Arc<Peer>,
    pub(super) connections: Arc<Connections>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.connections.peers().open.remove(&self.id);
        self.connections.ended.notify_one();
    }
}

/// A request under way: nobody closes its connection for being silent.
pub(super) struct Answering(Arc<Peer>);

impl Answering {
    pub(super) fn of(peer: &Arc<Peer>) -> Self {
        let mut state = peer.state();
        state.is_answering = true;
        state.head = None;
        drop(state);
        Self(Arc::clone(peer))
    }

    /// The same answer; the request ends with its body.
    pub(super) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _until_the_end = &self;
                frame
            }))
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.0.state();
        state.is_answering = false;
        (state.waiting, state.active) = (now, now);
    }
}
