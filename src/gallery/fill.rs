//! Putting what a load reads into an index, beside the reading.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use tokio::task::JoinSet;

use super::index::{Edit, Index};

/// Edits that change hands at a time.
const BATCH: usize = 1024;

/// Threads of one load at the most: a few quantize faster than one can read.
const MOST_THREADS: usize = 4;

/// Applies edits of different rows in any order. A collection of less than a batch needs no thread.
pub struct Fill {
    index: Arc<Index>,
    batch: Vec<Edit>,
    sender: Option<SyncSender<Vec<Edit>>>,
    threads: JoinSet<()>,
}

impl Fill {
    pub fn new(index: Arc<Index>) -> Self {
        Self { index, batch: Vec::new(), sender: None, threads: JoinSet::new() }
    }

    /// Takes an edit; waits when the threads are behind.
    pub fn push(&mut self, edit: Edit) {
        self.batch.push(edit);
        if self.batch.len() == BATCH {
            let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
            if self.sender.is_none() {
                self.sender = Some(self.start());
            }
            // It fails when all threads have panicked, which `finish` passes on.
            self.sender.as_ref().map(|sender| sender.send(batch));
        }
    }

    /// Waits until all edits are applied.
    ///
    /// # Panics
    /// If a thread has.
    pub async fn finish(mut self) {
        self.sender = None;
        self.index.apply(self.batch);
        while let Some(ended) = self.threads.join_next().await {
            if let Err(panicked) = ended {
                resume_unwind(panicked.into_panic());
            }
        }
    }

    fn start(&mut self) -> SyncSender<Vec<Edit>> {
        let count = available_parallelism().map_or(1, |count| count.get().min(MOST_THREADS));
        let (sender, receiver) = sync_channel(count);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..count {
            let (index, receiver) = (Arc::clone(&self.index), Arc::clone(&receiver));
            self.threads.spawn_blocking(move || {
                while let Some(batch) = next(&receiver) {
                    index.apply(batch);
                }
            });
        }
        sender
    }
}

fn next(receiver: &Mutex<Receiver<Vec<Edit>>>) -> Option<Vec<Edit>> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
