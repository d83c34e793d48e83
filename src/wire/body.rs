//! Reading request bodies without ever holding more of them than the server's budget.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::reply::Reply;

/// The largest body: CompareFaces carries two images of 5 MB in base64.
const MAX_BODY_BYTES: usize = 20 << 20;
/// All bodies that are held at one time; further requests wait for their turn.
const BUDGET_BYTES: usize = 160 << 20;
const UNIT_BYTES: usize = 1 << 10;
/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(30);

/// The share of memory that request bodies may take together.
pub struct BodyBudget(Semaphore);

/// Why a body was not read.
pub enum Refusal {
    TooLarge,
    Incomplete,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => Self::TooLarge,
            Refusal::Incomplete => Self::Incomplete,
        }
    }
}

/// A whole body, with its share of the budget.
pub struct Held<'a> {
    pub bytes: Bytes,
    _share: SemaphorePermit<'a>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Semaphore::new(BUDGET_BYTES / UNIT_BYTES))
    }
}

impl BodyBudget {
    /// Reads a whole body. Without a content length the largest body is reckoned with.
    pub async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Held<'_>, Refusal> {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let most = announced.unwrap_or(MAX_BODY_BYTES);
        if most > MAX_BODY_BYTES {
            return Err(Refusal::TooLarge);
        }
        let units = u32::try_from(most / UNIT_BYTES + 1).map_err(|_| Refusal::TooLarge)?;
        let share = self.0.acquire_many(units).await.map_err(|_| Refusal::Incomplete)?;
        let mut bytes = BytesMut::with_capacity(announced.unwrap_or_default());
        loop {
            match timeout(SILENCE, body.frame()).await {
                Ok(None) => return Ok(Held { bytes: bytes.freeze(), _share: share }),
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
}
