//! Reading request bodies without ever holding more of them than the server's budget.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::reply::Reply;
use crate::error::ApiError;

/// Up to this size a body is outside of the budget: others cannot keep it waiting, and connections
/// are dearer.
pub const LIGHT_BODY_BYTES: usize = 64 << 10;
const UNIT_BYTES: usize = 1 << 10;
/// A body takes its share in steps of so many bytes.
const STEP_BYTES: usize = 256 << 10;
/// How long a request waits for its turn before it is throttled.
const WAIT: Duration = Duration::from_secs(10);
/// How long a client may be silent in the middle of a body, and how long the whole body may take.
const SILENCE: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_mins(1);
/// How much of a refused body is read and dropped, and for how long: clients that are still sending
/// do not listen.
const DRAINED_BYTES: usize = 64 << 20;
const DRAIN: Duration = Duration::from_secs(10);

/// The share of memory that request bodies may take together.
///
/// A body is charged for the bytes that have arrived, not for those that it announces. When the
/// budget is spent, one body at a time may finish beyond it: otherwise many bodies that have each
/// arrived in part could wait for one another.
pub struct BodyBudget {
    units: Arc<Semaphore>,
    overdraft: Semaphore,
}

/// Why a body was not read.
#[derive(Debug)]
pub enum Refusal {
    TooLarge,
    Incomplete,
    Malformed,
    Busy,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => Self::TooLarge,
            Refusal::Incomplete => Self::Incomplete,
            Refusal::Malformed => Self::Malformed,
            Refusal::Busy => Self::Error(ApiError::throttled().because(BodyRefused)),
        }
    }
}

/// The cause of a throttled request whose body found no room.
#[derive(Debug, thiserror::Error)]
#[error("the bodies of other requests held all the memory for too long")]
pub struct BodyRefused;

/// A whole body, with its share of the budget unless it is a light one.
pub struct Held<'a> {
    pub bytes: Bytes,
    _share: Share<'a>,
}

impl BodyBudget {
    /// A budget of so many KiB, which others may draw on too.
    pub fn of(units: Arc<Semaphore>) -> Self {
        Self { units, overdraft: Semaphore::new(1) }
    }

    /// Reads a whole body of at most `limit` bytes.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        limit: usize,
    ) -> Result<Held<'_>, Refusal> {
        let announced = announced(headers);
        let read = async {
            if announced.is_some_and(|bytes| bytes > limit) {
                return Err(Refusal::TooLarge);
            }
            timeout(DEADLINE, self.collect(&mut body, announced.unwrap_or_default(), limit))
                .await
                .unwrap_or(Err(Refusal::Incomplete))
        };
        let held = read.await;
        if matches!(held, Err(Refusal::TooLarge | Refusal::Busy)) {
            refuse(headers, body);
        }
        held
    }

    async fn collect(
        &self,
        body: &mut Body,
        announced: usize,
        limit: usize,
    ) -> Result<Held<'_>, Refusal> {
        let mut share = Share { budget: self, units: None, overdraft: None };
        let mut bytes = BytesMut::with_capacity(announced.min(LIGHT_BODY_BYTES));
        loop {
            let frame = match timeout(SILENCE, body.frame()).await {
                Ok(None) => return Ok(Held { bytes: bytes.freeze(), _share: share }),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) if is_malformed(&error) => return Err(Refusal::Malformed),
                Ok(Some(Err(_))) | Err(_) => return Err(Refusal::Incomplete),
            };
            let data = frame.into_data().unwrap_or_default();
            let length = bytes.len() + data.len();
            if length > limit {
                return Err(Refusal::TooLarge);
            }
            if length > LIGHT_BODY_BYTES {
                share.cover(length).await?;
                // The kernel gives memory when it is written to; this only spares copies.
                bytes.reserve(announced.max(length) - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
    }
}

/// The part of the budget that a body has taken so far.
struct Share<'a> {
    budget: &'a BodyBudget,
    units: Option<SemaphorePermit<'a>>,
    overdraft: Option<SemaphorePermit<'a>>,
}

impl Share<'_> {
    /// Grows to cover so many bytes; waits for its turn when the budget is spent.
    async fn cover(&mut self, bytes: usize) -> Result<(), Refusal> {
        let held = self.units.as_ref().map_or(0, SemaphorePermit::num_permits);
        if self.overdraft.is_some() || bytes <= held * UNIT_BYTES {
            return Ok(());
        }
        let wanted = bytes.next_multiple_of(STEP_BYTES) / UNIT_BYTES - held;
        let wanted = u32::try_from(wanted).map_err(|_| Refusal::TooLarge)?;
        let BodyBudget { units, overdraft } = self.budget;
        let turn = async {
            tokio::select! {
                biased;
                more = units.acquire_many(wanted) => Ok(more),
                last = overdraft.acquire() => Err(last),
            }
        };
        match timeout(WAIT, turn).await {
            Ok(Ok(Ok(more))) => match &mut self.units {
                Some(units) => units.merge(more),
                none => *none = Some(more),
            },
            Ok(Err(Ok(last))) => self.overdraft = Some(last),
            _ => return Err(Refusal::Busy),
        }
        Ok(())
    }
}

/// Whether a body is known to be a light one before it has arrived.
pub fn is_light(headers: &HeaderMap) -> bool {
    announced(headers).is_some_and(|bytes| bytes <= LIGHT_BODY_BYTES)
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Takes the rest of a body that is not wanted, while its answer is on the way. Who expects
/// `100 Continue` has not sent anything yet.
pub fn refuse(headers: &HeaderMap, body: Body) {
    if !headers.contains_key(header::EXPECT) {
        tokio::spawn(timeout(DRAIN, drain(body)));
    }
}

async fn drain(mut body: Body) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > DRAINED_BYTES {
            return;
        }
    }
}

/// Whether the client broke the rules of chunks, rather than off.
fn is_malformed(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput};
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| matches!(error.kind(), InvalidData | InvalidInput))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use tokio::time::{Instant, sleep};

    use super::*;

    const MANY: usize = 1 << 20;
    const HEAVY: usize = LIGHT_BODY_BYTES + 1;

    /// Reads a body of so many announced bytes.
    async fn read(budget: &BodyBudget, announced: usize, body: Body) -> Result<usize, Refusal> {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, announced.into())]);
        budget.read(&headers, body, MANY).await.map(|held| held.bytes.len())
    }

    /// A byte every so often, without end.
    fn dripping(pause: Duration) -> Body {
        let bytes = stream::repeat(()).then(move |()| async move {
            sleep(pause).await;
            Ok::<_, Infallible>("x")
        });
        Body::from_stream(bytes)
    }

    /// So many bytes at once, and then nothing more.
    fn stalling(bytes: usize) -> Body {
        let first = stream::iter([Ok::<_, Infallible>(vec![b' '; bytes])]);
        Body::from_stream(first.chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_ends_at_the_deadline() {
        let budget = BodyBudget::of(Arc::new(Semaphore::new(140 << 10)));
        let started = Instant::now();
        let answer = read(&budget, MANY, dripping(Duration::from_secs(29))).await;
        assert!(matches!(answer, Err(Refusal::Incomplete)));
        assert_eq!(started.elapsed(), DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_throttles_large_bodies_and_lets_light_ones_pass() {
        let budget = BodyBudget::of(Arc::new(Semaphore::new(MANY / UNIT_BYTES)));
        let hog = || read(&budget, MANY, stalling(MANY - 1));
        let others = async {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(read(&budget, 2, Body::from("{}")).await.ok(), Some(2));
            let started = Instant::now();
            let large = read(&budget, HEAVY, Body::from(vec![b' '; HEAVY])).await;
            assert!(matches!(large, Err(Refusal::Busy)));
            assert_eq!(started.elapsed(), WAIT);
        };
        tokio::select! {
            biased;
            _ = async { tokio::join!(hog(), hog()) } => panic!("the hogs take longer"),
            () = others => {}
        }
        let large = read(&budget, MANY, Body::from(vec![b' '; MANY])).await;
        assert_eq!(large.ok(), Some(MANY), "the hogs' shares came back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_charged_for_what_has_arrived() {
        let budget = BodyBudget::of(Arc::new(Semaphore::new(MANY / UNIT_BYTES)));
        let hogs = async {
            let hog = |_| read(&budget, MANY, dripping(Duration::from_secs(1)));
            futures_util::future::join_all((0..1000).map(hog)).await
        };
        let others = async {
            sleep(Duration::from_secs(5)).await;
            let large = read(&budget, MANY, Body::from(vec![b' '; MANY])).await;
            assert_eq!(large.ok(), Some(MANY));
        };
        tokio::select! {
            biased;
            _ = hogs => panic!("the hogs take longer"),
            () = others => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_have_each_arrived_in_part_do_not_block_one_another() {
        let budget = BodyBudget::of(Arc::new(Semaphore::new(MANY / UNIT_BYTES)));
        let slowly = |_| {
            let pieces = stream::repeat(vec![b' '; MANY / 16]).take(16).then(|piece| async {
                sleep(Duration::from_millis(100)).await;
                Ok::<_, Infallible>(piece)
            });
            read(&budget, MANY, Body::from_stream(pieces))
        };
        let all = futures_util::future::join_all((0..4).map(slowly)).await;
        assert!(all.iter().all(|read| matches!(read, Ok(MANY))), "{all:?}");
    }

    #[tokio::test]
    async fn a_refused_body_is_drained_so_that_the_answer_arrives() {
        let budget = BodyBudget::of(Arc::new(Semaphore::new(140 << 10)));
        let length = (header::CONTENT_LENGTH, HeaderValue::from(3 * MANY));
        let expect = (header::EXPECT, HeaderValue::from_static("100-continue"));
        for (headers, drained) in
            [(vec![], 24), (vec![length.clone()], 24), (vec![length, expect], 0)]
        {
            let sent = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&sent);
            let body = Body::from_stream(stream::iter(0..24).map(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(vec![0; MANY / 8])
            }));
            let headers = HeaderMap::from_iter(headers);
            assert!(matches!(budget.read(&headers, body, MANY).await, Err(Refusal::TooLarge)));
            while Arc::strong_count(&sent) > 1 {
                tokio::task::yield_now().await;
            }
            assert_eq!(sent.load(Ordering::SeqCst), drained, "{headers:?}");
        }
    }
}
