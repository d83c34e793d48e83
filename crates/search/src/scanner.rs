//! Threads that scan, and let concurrent searches of one arena share a pass over its memory.
//!
//! A search that finds the threads idle runs at once, on all of them. Searches that arrive
//! meanwhile wait for the next pass, which answers all that wait for the same arena together.
//! Passes over different arenas are taken in the order in which they were asked for.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::query::SharedFloor;
use super::{Arena, Hit, Query, Snapshot, TopK};

/// Most searches that share a pass. Beyond this the arithmetic, not the memory, decides, and a
/// longer pass only makes all wait.
const MAX_BATCH: usize = 16;

/// Chunks that a thread takes at a time.
const STRIDE: usize = 1;

/// Rows below which handing a search to another thread would take longer than the search.
const INLINE_ROWS: usize = 2048;

/// How long a thread pauses that leaves its core to others.
const PAUSE: Duration = Duration::from_micros(500);

/// A search that was abandoned because the scan failed or the scanner is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the search was abandoned")]
pub struct Abandoned;

/// A fixed set of scan threads.
pub struct Scanner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    threads: usize,
    /// How many threads of others compute now, on the same cores.
    others: OnceLock<Others>,
}

type Others = Box<dyn Fn() -> usize + Send + Sync>;

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    running: Vec<Arc<Pass>>,
    closed: bool,
}

struct Batch {
    arena: Arc<Arena>,
    requests: Vec<Request>,
}

struct Request {
    query: Arc<Query>,
    answer: oneshot::Sender<Vec<Hit>>,
}

/// One pass over an arena for a batch of queries.
struct Pass {
    arena: Arc<Arena>,
    queries: Vec<Arc<Query>>,
    snapshot: Snapshot,
    next_chunk: AtomicUsize,
    floors: Vec<SharedFloor>,
    outcome: Mutex<Outcome>,
    /// Threads at work; changed under the lock of [`Shared::state`].
    workers: AtomicUsize,
}

/// What the threads that are done have found, and who wants to know.
#[derive(Default)]
struct Outcome {
    answers: Vec<oneshot::Sender<Vec<Hit>>>,
    tops: Vec<TopK>,
    failed: bool,
}

impl Scanner {
    /// Starts `threads` scan threads, at least one.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let count = threads.max(1);
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            threads: count,
            others: OnceLock::new(),
        });
        let threads = (0..count)
            .map(|number| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("scan-{number}"))
                    .spawn(move || shared.run())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Leaves cores to others: a pass has one thread less for each thread that they keep busy, and
    /// always one. Only the first call counts.
    pub fn yield_to(&self, others: impl Fn() -> usize + Send + Sync + 'static) {
        let _ = self.shared.others.set(Box::new(others));
    }

    /// Answers a query; the query's dimension must be the arena's.
    pub async fn search(&self, arena: &Arc<Arena>, query: Query) -> Result<Vec<Hit>, Abandoned> {
        if arena.len() <= INLINE_ROWS {
            let mut answers = arena.search_batch(&[query]).map_err(|_| Abandoned)?;
            return answers.pop().ok_or(Abandoned);
        }
        let (answer, answered) = oneshot::channel();
        self.shared.submit(arena, vec![Request { query: Arc::new(query), answer }]);
        answered.await.map_err(|_| Abandoned)
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // A thread catches its panics; there is nothing to pass on.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, arena: &Arc<Arena>, requests: Vec<Request>) {
        let mut state = self.state();
        let joined = state
            .waiting
            .iter_mut()
            .find(|batch| Arc::ptr_eq(&batch.arena, arena) && batch.requests.len() < MAX_BATCH);
        match joined {
            Some(batch) => batch.requests.extend(requests),
            None => state.waiting.push_back(Batch { arena: Arc::clone(arena), requests }),
        }
        drop(state);
        self.work.notify_one();
    }

    fn run(&self) {
        while let Some((pass, rank)) = self.join_pass() {
            let is_wanted = || rank == 0 || rank < self.most_threads();
            let scanned = catch_unwind(AssertUnwindSafe(|| pass.scan(is_wanted)));
            pass.add(scanned.ok());
            if self.leave(&pass) {
                self.finish(&pass);
            }
        }
    }

    /// How many threads a pass may have now.
    fn most_threads(&self) -> usize {
        let others = self.others.get().map_or(0, |others| others());
        self.threads.saturating_sub(others)
    }

    /// Waits for a pass that needs help, or begins one, and states how many threads were there
    /// before; none when the scanner is gone.
    fn join_pass(&self) -> Option<(Arc<Pass>, usize)> {
        let mut state = self.state();
        loop {
            if let Some(pass) = state.running.iter().find(|pass| pass.has_work()) {
                let rank = pass.workers.fetch_add(1, Relaxed);
                return Some((Arc::clone(pass), rank));
            }
            if let Some(batch) = state.waiting.pop_front() {
                let pass = Arc::new(Pass::new(batch));
                state.running.push(Arc::clone(&pass));
                if pass.snapshot.chunks() > STRIDE {
                    self.work.notify_all();
                }
                return Some((pass, 0));
            }
            if state.closed {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says whether this was the last thread of a pass; by then every chunk is scanned, as no
    /// thread leaves earlier.
    fn leave(&self, pass: &Arc<Pass>) -> bool {
        let mut state = self.state();
        let last = pass.workers.fetch_sub(1, Relaxed) == 1;
        if last {
            state.running.retain(|running| !Arc::ptr_eq(running, pass));
        }
        last
    }

    fn finish(&self, pass: &Pass) {
        let outcome = std::mem::take(&mut *pass.outcome());
        if outcome.failed {
            // Dropping the senders tells the searches.
            return tracing::error!(searches = outcome.answers.len(), "a scan failed");
        }
        for ((query, answer), top) in pass.queries.iter().zip(outcome.answers).zip(outcome.tops) {
            match top.into_hits() {
                // A client that has gone away needs no answer.
                Some(hits) => drop(answer.send(hits)),
                None => {
                    self.submit(&pass.arena, vec![Request { query: Arc::clone(query), answer }]);
                }
            }
        }
    }
}

impl Pass {
    fn new(batch: Batch) -> Self {
        let wanted = batch.requests.into_iter().filter(|request| !request.answer.is_closed());
        let (queries, answers): (Vec<_>, Vec<_>) =
            wanted.map(|request| (request.query, request.answer)).unzip();
        let tops = queries.iter().map(|query| query.top()).collect();
        Self {
            snapshot: batch.arena.snapshot(),
            next_chunk: AtomicUsize::new(0),
            floors: queries.iter().map(|_| SharedFloor::default()).collect(),
            outcome: Mutex::new(Outcome { answers, tops, failed: false }),
            workers: AtomicUsize::new(1),
            arena: batch.arena,
            queries,
        }
    }

    fn has_work(&self) -> bool {
        self.next_chunk.load(Relaxed) < self.snapshot.chunks()
    }

    /// Scans until no chunk is left, and pauses while it is not wanted.
    fn scan(&self, is_wanted: impl Fn() -> bool) -> Vec<TopK> {
        let queries = self.queries.iter().map(AsRef::as_ref);
        let mut tops: Vec<TopK> = queries.clone().map(Query::top).collect();
        let mut scratch = Vec::new();
        loop {
            while self.has_work() && !is_wanted() {
                std::thread::sleep(PAUSE);
            }
            let first = self.next_chunk.fetch_add(STRIDE, Relaxed);
            let last = self.snapshot.chunks().min(first.saturating_add(STRIDE));
            if first >= last {
                return tops;
            }
            for chunk in first..last {
                self.snapshot.scan(chunk, queries.clone(), &mut tops, &mut scratch);
            }
            for (top, floor) in tops.iter_mut().zip(&self.floors) {
                top.share(floor);
            }
        }
    }

    /// Merges what one thread has found, or notes that it failed.
    fn add(&self, tops: Option<Vec<TopK>>) {
        let mut outcome = self.outcome();
        let Some(tops) = tops else {
            outcome.failed = true;
            // The other threads need not go on.
            return self.next_chunk.store(self.snapshot.chunks(), Relaxed);
        };
        for (all, top) in outcome.tops.iter_mut().zip(tops) {
            all.merge(top);
        }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
