//! Optional limits on requests a second, one for each operation.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Instant;

use crate::error::{ApiError, ApiResult, ErrorCode};

/// `IndexFaces=50`: at most so many requests a second; `*` stands for every operation without a
/// limit of its own.
#[derive(Debug, Clone)]
pub struct RateLimit {
    operation: String,
    per_second: f64,
}

impl RateLimit {
    /// The operation that is limited, or `*`.
    pub fn operation(&self) -> &str {
        &self.operation
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.operation, self.per_second)
    }
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not OPERATION=REQUESTS_PER_SECOND, for example IndexFaces=50 or *=100"
            )
        };
        let (operation, rate) = text.split_once('=').ok_or_else(wrong)?;
        let per_second: f64 = rate.parse().map_err(|_| wrong())?;
        if !per_second.is_finite() || per_second <= 0.0 {
            return Err(wrong());
        }
        Ok(Self { operation: operation.to_owned(), per_second })
    }
}

/// Requests that may pass: one second's worth of them, earned again at a steady rate.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(per_second: f64, now: Instant) -> Self {
        Self { per_second, tokens: per_second.max(1.0), filled: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }

    /// Whether nothing was taken for so long that a new bucket would be no different.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.per_second.max(1.0)
    }

    fn fill(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + earned).min(self.per_second.max(1.0));
        self.filled = now;
    }
}

/// A token bucket for each limited operation.
pub struct RateLimiter {
    limits: HashMap<String, f64>,
    buckets: Mutex<HashMap<String, TokenBucket>>,
}

impl RateLimiter {
    pub fn new(limits: &[RateLimit]) -> Self {
        let limits =
            limits.iter().map(|limit| (limit.operation.clone(), limit.per_second)).collect();
        Self { limits, buckets: Mutex::default() }
    }

    /// Lets a request pass or answers `ProvisionedThroughputExceededException`.
    pub fn admit(&self, operation: &str, now: Instant) -> ApiResult<()> {
        let Some(per_second) = self.limits.get(operation).or_else(|| self.limits.get("*")) else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bucket = buckets
            .entry(operation.to_owned())
            .or_insert_with(|| TokenBucket::new(*per_second, now));
        if !bucket.take(now) {
            return Err(ApiError::new(
                ErrorCode::ProvisionedThroughputExceededException,
                "Provisioned rate exceeded",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_refills_at_its_rate() {
        let limiter = RateLimiter::new(&["IndexFaces=2".parse().unwrap()]);
        let start = Instant::now();
        let admitted = |milliseconds| {
            limiter.admit("IndexFaces", start + Duration::from_millis(milliseconds)).is_ok()
        };
        assert_eq!([0, 0, 0, 400, 600, 600].map(admitted), [true, true, false, false, true, false]);
        assert!(
            limiter.admit("ListFaces", start).is_ok(),
            "an operation without a limit always passes"
        );
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_refused() {
        for text in ["IndexFaces", "IndexFaces=", "IndexFaces=0", "IndexFaces=-1", "IndexFaces=inf"]
        {
            assert!(text.parse::<RateLimit>().is_err(), "{text}");
        }
        assert!("*=100".parse::<RateLimit>().is_ok());
    }
}
