//! Worker threads with their own networks, behind a bounded queue. Inference never runs on the
//! async threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use thiserror::Error;
use tokio::sync::oneshot;
use tracing::Span;

use super::spare::{LoadNetworks, Spare};
use super::{Networks, Pack, VisionError, runtime, stage};

/// Sets of networks that are loaded at the start; the others, when as many jobs run at once.
const LOADED_AT_START: usize = 2;

/// How many threads infer, and how many jobs may wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisionOptions {
    /// Worker threads, each with one session per network while it runs a job; at least one.
    pub workers: usize,
    /// Jobs that wait beyond those being run; at least one.
    pub queue: usize,
}

impl Default for VisionOptions {
    /// A worker per core, and eight waiting jobs for each.
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        Self { workers, queue: 8 * workers }
    }
}

/// Why a job has no answer.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RunError {
    #[error("the inference queue is full")]
    Busy,
    #[error("the job failed: {0}")]
    Failed(String),
    #[error("the workers are stopped")]
    Stopped,
}

type Job = Box<dyn FnOnce(&mut Networks) + Send>;

/// A loaded pack with its workers; clones share them. The workers stop when the last clone is
/// dropped.
#[derive(Clone)]
pub struct Vision {
    pool: Arc<Pool>,
}

/// What the workers of a pack are at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub workers: usize,
    /// Workers that run a job.
    pub busy: usize,
    /// Jobs that wait for a worker.
    pub waiting: usize,
    /// Jobs that may wait.
    pub queue: usize,
}

/// Jobs that were taken in.
#[derive(Debug, Default)]
struct Jobs {
    waiting: AtomicUsize,
    running: AtomicUsize,
}

struct Pool {
    pack: Arc<Pack>,
    /// Memory of one worker's networks in bytes, about.
    set_bytes: usize,
    queue: usize,
    load: Arc<Jobs>,
    jobs: Option<SyncSender<Job>>,
    workers: Vec<JoinHandle<()>>,
}

impl Vision {
    /// Loads and warms the networks for the first workers, all at once, and returns when the last is
    /// ready.
    pub fn load(pack: Pack, options: VisionOptions) -> Result<Self, VisionError> {
        Self::load_with(pack, options, Networks::load)
    }

    fn load_with(
        pack: Pack,
        options: VisionOptions,
        load: LoadNetworks,
    ) -> Result<Self, VisionError> {
        let (pack, count) = (Arc::new(pack), options.workers.max(1));
        let spare = Arc::new(Spare::load(&pack, count.min(LOADED_AT_START), load)?);
        let (jobs, waiting) = mpsc::sync_channel(options.queue.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        let queue = options.queue.max(1);
        // Made first, so that an error stops and joins the threads that there are.
        let mut pool = Pool {
            pack,
            set_bytes: spare.set_bytes,
            queue,
            load: Arc::default(),
            jobs: Some(jobs),
            workers: Vec::new(),
        };
        for index in 0..count {
            let (spare, waiting) = (Arc::clone(&spare), Arc::clone(&waiting));
            let builder = thread::Builder::new().name(format!("vision-{index}"));
            pool.workers.push(builder.spawn(move || work(&spare, &waiting))?);
        }
        runtime::trim_memory();
        Ok(Self { pool: Arc::new(pool) })
    }

    pub fn pack(&self) -> &Pack {
        &self.pool.pack
    }

    /// How many worker threads there are.
    pub fn workers(&self) -> usize {
        self.pool.workers.len()
    }

    /// Memory that networks will take which are loaded when more workers are busy than at the start,
    /// in bytes; an estimate.
    pub fn bytes_to_load(&self) -> usize {
        self.workers().saturating_sub(LOADED_AT_START) * self.pool.set_bytes
    }

    /// What the workers are at.
    pub fn load_now(&self) -> Load {
        let Pool { load, workers, queue, .. } = &*self.pool;
        Load {
            workers: workers.len(),
            busy: load.running.load(Relaxed),
            waiting: load.waiting.load(Relaxed),
            queue: *queue,
        }
    }

    /// Runs a job on a worker thread with its networks; [`RunError::Busy`] at once when the queue
    /// is full.
    ///
    /// A job whose caller has gone away before its turn is not run. A job that panics answers
    /// [`RunError::Failed`].
    pub async fn run<T, F>(&self, job: F) -> Result<T, RunError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Networks) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let (request, waiting) = (Span::current(), stage::queue_wait());
        let load = Arc::clone(&self.pool.load);
        let task = Box::new(move |networks: &mut Networks| {
            drop(waiting);
            load.waiting.fetch_sub(1, Relaxed);
            if answer.is_closed() {
                return;
            }
            let _request = request.enter();
            load.running.fetch_add(1, Relaxed);
            let result = catch_unwind(AssertUnwindSafe(|| job(networks)))
                .map_err(|panic| RunError::Failed(describe(&*panic)));
            load.running.fetch_sub(1, Relaxed);
            let _ = answer.send(result);
        });
        let jobs = self.pool.jobs.as_ref().ok_or(RunError::Stopped)?;
        self.pool.load.waiting.fetch_add(1, Relaxed);
        jobs.try_send(task).map_err(|refused| {
            self.pool.load.waiting.fetch_sub(1, Relaxed);
            match refused {
                TrySendError::Full(_) => RunError::Busy,
                TrySendError::Disconnected(_) => RunError::Stopped,
            }
        })?;
        answered.await.map_err(|_| RunError::Stopped)?
    }
}

/// A worker's life: one job after another until every [`Vision`] is gone.
fn work(spare: &Spare, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let mut networks = spare.take();
        job(&mut networks);
        spare.put(networks);
    }
}

pub(crate) fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // The last clone may live in a job: a thread cannot wait for itself.
            if worker.thread().id() != thread::current().id() {
                let _ = worker.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::testing::{default_pack, examples, init_runtime};

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[tokio::test]
    async fn a_face_is_found_and_recognized() {
        let examples = examples();
        let embed = |image: crate::image::DecodedImage| {
            examples.vision.run(move |networks| {
                let faces = networks.detect(&image).expect("detects");
                assert_eq!(faces.len(), 1, "one face a picture");
                let [left_eye, right_eye, nose, left_mouth, right_mouth] = faces[0].landmarks;
                assert!(left_eye.x < right_eye.x && left_mouth.x < right_mouth.x);
                assert!(left_eye.y < nose.y && nose.y < left_mouth.y && nose.y < right_mouth.y);
                networks.embed(&image, &[&faces[0]]).expect("embeds").remove(0).vector
            })
        };
        let (first, second) = (
            embed(examples.ana.clone()).await.expect("runs"),
            embed(examples.ben.clone()).await.expect("runs"),
        );
        assert_eq!(first.len(), 128);
        let weight = dot(&first, &first).sqrt();
        assert!((0.5..=1.001).contains(&weight), "{weight}");
        // The same face, half as large: still the same person.
        let mut smaller = examples.ana.clone();
        smaller.pixels = image::imageops::resize(
            &smaller.pixels,
            200,
            200,
            image::imageops::FilterType::Triangle,
        );
        let again = embed(smaller).await.expect("runs");
        assert!(dot(&first, &again) > 0.8 * weight, "{}", dot(&first, &again));
        assert!(dot(&first, &second) < 0.408, "{}", dot(&first, &second));
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_the_worker_lives_on() {
        init_runtime();
        let vision =
            Vision::load(default_pack(), VisionOptions { workers: 1, queue: 2 }).expect("loads");
        let failed = vision.run(|_| -> u8 { panic!("boom") }).await;
        assert_eq!(failed, Err(RunError::Failed("boom".to_owned())));
        assert_eq!(vision.run(|_| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_at_once_and_abandoned_jobs_are_skipped() {
        init_runtime();
        let vision =
            Vision::load(default_pack(), VisionOptions { workers: 1, queue: 2 }).expect("loads");
        let (release, gate) = mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let blocker = tokio::spawn({
            let vision = vision.clone();
            async move {
                vision
                    .run(move |_| {
                        let _ = started.send(());
                        let _ = gate.recv();
                    })
                    .await
            }
        });
        running.await.expect("the worker took the job");
        let ran = Arc::new(AtomicUsize::new(0));
        let count = |ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            move |_: &mut Networks| ran.fetch_add(1, Ordering::SeqCst)
        };
        // Polled once, each takes one of the two places.
        let mut waiting = Box::pin(vision.run(count(&ran)));
        let mut abandoned = Box::pin(vision.run(count(&ran)));
        assert!(tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_err());
        assert!(tokio::time::timeout(Duration::ZERO, &mut abandoned).await.is_err());
        let asked = Instant::now();
        assert_eq!(vision.run(count(&ran)).await, Err(RunError::Busy));
        assert!(asked.elapsed() < Duration::from_millis(100));
        drop(abandoned);
        drop(release);
        blocker.await.expect("no panic").expect("runs");
        assert_eq!(waiting.await, Ok(0));
        // Behind the abandoned job in the queue.
        assert_eq!(vision.run(count(&ran)).await, Ok(1));
        assert_eq!(ran.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_panic_while_loading_is_an_error() {
        init_runtime();
        let options = VisionOptions { workers: 2, queue: 1 };
        let error = Vision::load_with(default_pack(), options, |_, _| panic!("boom"));
        assert!(matches!(error, Err(VisionError::Panicked(text)) if text == "boom"));
    }

    #[test]
    fn a_broken_network_is_an_error_and_not_a_hang() {
        init_runtime();
        let mut pack = default_pack();
        pack.embedder.dimensions = 64;
        let error =
            Vision::load(pack, VisionOptions { workers: 2, queue: 1 }).err().expect("refused");
        assert!(matches!(error, VisionError::Network { network: "embedder", .. }), "{error}");
    }
}
