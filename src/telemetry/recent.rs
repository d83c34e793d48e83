//! The last requests, for the console and for tests: a bounded list, and a stream of what follows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, Receiver, Sender};

use super::summary::Summary;

/// Requests that a slow reader of the stream may be behind before it misses some.
const BACKLOG: usize = 256;
/// Readers of the stream at one time; each holds a connection.
const MOST_READERS: usize = 64;

/// The last requests of a server.
#[derive(Debug)]
pub struct RecentRequests {
    most: usize,
    list: Mutex<VecDeque<Arc<Summary>>>,
    /// None once the server stops.
    stream: Mutex<Option<Sender<Arc<Summary>>>>,
}

impl RecentRequests {
    /// Keeps the last `most`.
    pub fn new(most: usize) -> Self {
        let (stream, _) = broadcast::channel(BACKLOG);
        Self { most, list: Mutex::default(), stream: Mutex::new(Some(stream)) }
    }

    /// Adds one, and drops the oldest where there are too many.
    pub(super) fn add(&self, request: Arc<Summary>) {
        if self.most > 0 {
            let mut list = locked(&self.list);
            if list.len() >= self.most {
                list.pop_front();
            }
            list.push_back(Arc::clone(&request));
        }
        if let Some(stream) = &*locked(&self.stream) {
            // Nobody may be reading.
            let _ = stream.send(request);
        }
    }

    /// The last ones, the newest first.
    pub fn last(&self, limit: usize) -> Vec<Arc<Summary>> {
        locked(&self.list).iter().rev().take(limit).cloned().collect()
    }

    /// Those that follow; none where the server stops or too many are reading already.
    pub fn follow(&self) -> Option<Receiver<Arc<Summary>>> {
        let stream = locked(&self.stream);
        stream
            .as_ref()
            .filter(|stream| stream.receiver_count() < MOST_READERS)
            .map(Sender::subscribe)
    }

    /// Ends all streams.
    pub fn close(&self) {
        drop(locked(&self.stream).take());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
