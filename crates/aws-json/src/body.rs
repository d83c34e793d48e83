//! Reading request bodies without ever holding more of them than the server's budget.

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
/// All larger bodies that are held at one time; further requests wait for their turn.
const BUDGET_BYTES: usize = 160 << 20;
const UNIT_BYTES: usize = 1 << 10;
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
pub struct BodyBudget(Semaphore);

/// Why a body was not read.
pub enum Refusal {
    TooLarge,
    Incomplete,
    Busy,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => Self::TooLarge,
            Refusal::Incomplete => Self::Incomplete,
            Refusal::Busy => Self::Error(ApiError::throttled()),
        }
    }
}

/// A whole body, with its share of the budget unless it is a light one.
pub struct Held<'a> {
    pub bytes: Bytes,
    _share: Option<SemaphorePermit<'a>>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(BUDGET_BYTES)
    }
}

impl BodyBudget {
    fn new(bytes: usize) -> Self {
        Self(Semaphore::new(bytes / UNIT_BYTES))
    }

    /// Reads a whole body of at most `limit` bytes. Without a content length the largest body is
    /// reckoned with.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        limit: usize,
    ) -> Result<Held<'_>, Refusal> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let most = announced.unwrap_or(limit);
        let read = async {
            let share = if most > limit { Err(Refusal::TooLarge) } else { self.share(most).await }?;
            let bytes = BytesMut::with_capacity(announced.unwrap_or_default());
            let bytes = timeout(DEADLINE, collect(&mut body, bytes, most))
                .await
                .unwrap_or(Err(Refusal::Incomplete))?;
            Ok(Held { bytes, _share: share })
        };
        let held = read.await;
        // Who expects `100 Continue` has not sent anything yet.
        let is_sending = !headers.contains_key(header::EXPECT);
        if is_sending && matches!(held, Err(Refusal::TooLarge | Refusal::Busy)) {
            let _ = timeout(DRAIN, drain(body)).await;
        }
        held
    }

    /// A part of the budget; `None` is that of a light body.
    async fn share(&self, bytes: usize) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
        if bytes <= LIGHT_BODY_BYTES {
            return Ok(None);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).map_err(|_| Refusal::TooLarge)?;
        match timeout(WAIT, self.0.acquire_many(units)).await {
            Ok(Ok(share)) => Ok(Some(share)),
            _ => Err(Refusal::Busy),
        }
    }
}

async fn collect(body: &mut Body, mut bytes: BytesMut, most: usize) -> Result<Bytes, Refusal> {
    loop {
        match timeout(SILENCE, body.frame()).await {
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                if bytes.len() + data.len() > most {
                    return Err(Refusal::TooLarge);
                }
                bytes.extend_from_slice(&data);
            }
            Ok(Some(Err(_))) | Err(_) => return Err(Refusal::Incomplete),
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_ends_at_the_deadline() {
        let budget = BodyBudget::default();
        let started = Instant::now();
        let answer = read(&budget, MANY, dripping(Duration::from_secs(29))).await;
        assert!(matches!(answer, Err(Refusal::Incomplete)));
        assert_eq!(started.elapsed(), DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_throttles_large_bodies_and_lets_light_ones_pass() {
        let budget = BodyBudget::new(MANY);
        let hog = read(&budget, MANY, dripping(Duration::from_secs(1)));
        let others = async {
            assert_eq!(read(&budget, 2, Body::from("{}")).await.ok(), Some(2));
            let started = Instant::now();
            let large = read(&budget, LIGHT_BODY_BYTES + 1, Body::from("{}")).await;
            assert!(matches!(large, Err(Refusal::Busy)));
            assert_eq!(started.elapsed(), WAIT);
        };
        tokio::select! {
            biased;
            _ = hog => panic!("the hog takes longer"),
            () = others => {}
        }
        let large = read(&budget, MANY, Body::from("{}")).await;
        assert_eq!(large.ok(), Some(2), "the hog's share came back");
    }

    #[tokio::test]
    async fn a_refused_body_is_drained_so_that_the_answer_arrives() {
        let budget = BodyBudget::default();
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
            assert_eq!(sent.load(Ordering::SeqCst), drained, "{headers:?}");
        }
    }
}
