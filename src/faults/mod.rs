//! Requests that fail or wait on purpose, so that clients can be tested against it.
//!
//! A rule decides about its nth request by a number that depends on the seed, the rule and n alone:
//! the same requests in the same order meet the same faults.

mod presets;
mod rule;

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_json::{ApiError, ApiResult, ErrorCode, TokenBucket, Wildcard};
use lookalike_store::Tenant;
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::rule::{FaultPlan, Preset, Rule, Target};
pub(crate) use self::rule::{error_code, read_only};

/// Buckets beyond which the full ones are forgotten.
const MANY_BUCKETS: usize = 4096;

/// The faults in force.
pub struct Faults {
    /// Those that the server was started with.
    initial: FaultPlan,
    active: RwLock<Option<Arc<Active>>>,
}

struct Active {
    seed: u64,
    plan: FaultPlan,
    rules: Vec<ActiveRule>,
}

struct ActiveRule {
    rule: Rule,
    operations: Vec<Wildcard>,
    code: Option<ErrorCode>,
    /// Requests that chance decided about.
    seen: AtomicU64,
    struck: AtomicU64,
    buckets: Mutex<HashMap<(Tenant, String), TokenBucket>>,
}

/// The faults in force, and how often they struck.
#[derive(Serialize, ToSchema)]
pub struct FaultReport {
    pub on: bool,
    /// Where chance began.
    pub seed: Option<u64>,
    pub presets: Vec<Preset>,
    pub rules: Vec<Rule>,
}

/// The cause of an error that nothing but a fault caused.
#[derive(Debug, Error)]
#[error("a fault of the control plane: see /_lookalike/faults")]
struct Injected;

impl Faults {
    /// Starts with the faults of a plan, which has been checked.
    pub fn new(initial: FaultPlan) -> Self {
        let faults = Self { initial: initial.clone(), active: RwLock::default() };
        faults.set(initial);
        faults
    }

    /// Puts a plan, which has been checked, in the place of the one in force.
    pub fn set(&self, plan: FaultPlan) {
        let plan = FaultPlan { seed: plan.seed.or(self.initial.seed), ..plan };
        let active = (!plan.is_empty()).then(|| Arc::new(Active::new(plan)));
        if let Some(active) = &active {
            tracing::warn!(
                seed = active.seed,
                rules = active.rules.len(),
                "faults are on: requests fail or wait on purpose"
            );
        }
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = active;
    }

    /// Returns to the faults that the server was started with.
    pub fn restore(&self) {
        self.set(self.initial.clone());
    }

    /// Whether any fault is in force.
    pub fn is_on(&self) -> bool {
        self.active().is_some()
    }

    /// The faults in force.
    pub fn report(&self) -> FaultReport {
        let active = self.active();
        let rules = active.iter().flat_map(|active| &active.rules);
        let rules =
            rules.map(|active| Rule { struck: active.struck.load(Relaxed), ..active.rule.clone() });
        FaultReport {
            on: active.is_some(),
            seed: active.as_ref().map(|active| active.seed),
            presets: active.as_ref().map(|active| active.plan.presets.clone()).unwrap_or_default(),
            rules: rules.collect(),
        }
    }

    /// Delays and fails what the rules strike.
    pub async fn meet(&self, target: Target, operation: &str, tenant: &Tenant) -> ApiResult<()> {
        let Some(active) = self.active() else { return Ok(()) };
        for (index, rule) in active.rules.iter().enumerate() {
            if rule.rule.target != target {
                continue;
            }
            let Some(delay) = rule.strikes(active.seed, index, operation, tenant) else { continue };
            tokio::time::sleep(delay).await;
            if let Some(code) = rule.code {
                return Err(injected(code, rule.rule.message.as_deref()));
            }
        }
        Ok(())
    }

    fn active(&self) -> Option<Arc<Active>> {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Active {
    fn new(plan: FaultPlan) -> Self {
        let seed = plan.seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0 >> 32);
        let of_preset = |preset: &Preset| {
            let preset = *preset;
            let rules = presets::rules(preset).into_iter();
            rules.map(move |rule| Rule { preset: Some(preset), ..rule })
        };
        let rules = plan.presets.iter().flat_map(of_preset).chain(plan.rules.iter().cloned());
        Self { seed, rules: rules.map(ActiveRule::new).collect(), plan }
    }
}

impl ActiveRule {
    fn new(rule: Rule) -> Self {
        let beyond_rate =
            rule.per_second.map(|_| ErrorCode::ProvisionedThroughputExceededException);
        let delays = rule.latency_ms + rule.jitter_ms > 0;
        let code = rule.code().ok().flatten();
        Self {
            operations: rule.operations.iter().map(|name| Wildcard::ignoring_case(name)).collect(),
            code: code.or(beyond_rate.filter(|_| !delays)),
            rule,
            seen: AtomicU64::new(0),
            struck: AtomicU64::new(0),
            buckets: Mutex::default(),
        }
    }

    /// The delay of a request that the rule strikes.
    fn strikes(
        &self,
        seed: u64,
        index: usize,
        operation: &str,
        tenant: &Tenant,
    ) -> Option<Duration> {
        let Self { rule, .. } = self;
        let is = |wanted: &Option<String>, own: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == own)
        };
        let is_meant = is(&rule.account, &tenant.account)
            && is(&rule.region, &tenant.region)
            && (self.operations.is_empty()
                || self.operations.iter().any(|name| name.is_match(operation)));
        if !is_meant || self.has_token(operation, tenant) {
            return None;
        }
        let request = self.seen.fetch_add(1, Relaxed);
        if chance(seed, 2 * index as u64, request) >= rule.probability.unwrap_or(1.0) {
            return None;
        }
        let most = rule.times.unwrap_or(u64::MAX);
        let count = |struck: u64| (struck < most).then_some(struck + 1);
        self.struck.fetch_update(Relaxed, Relaxed, count).ok()?;
        let jitter = rule.jitter_ms as f64 * chance(seed, 2 * index as u64 + 1, request);
        Some(Duration::from_millis(rule.latency_ms + jitter as u64))
    }

    /// Whether the rule has a rate, and the request is within it.
    fn has_token(&self, operation: &str, tenant: &Tenant) -> bool {
        let rate = match self.rule.preset {
            Some(Preset::AwsQuotas) => Some(presets::aws_quota(operation, &tenant.region)),
            _ => self.rule.per_second,
        };
        let Some(rate) = rate else { return false };
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MANY_BUCKETS {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets
            .entry((tenant.clone(), operation.to_owned()))
            .or_insert_with(|| TokenBucket::new(rate, now));
        bucket.take(now)
    }
}

/// An error that was asked for, with AWS's text unless another one is given.
pub(crate) fn injected(code: ErrorCode, message: Option<&str>) -> ApiError {
    let text = message.unwrap_or(match code {
        ErrorCode::InternalServerError => "Internal server error",
        ErrorCode::ThrottlingException => "Service Unavailable",
        ErrorCode::ProvisionedThroughputExceededException => "Provisioned rate exceeded",
        ErrorCode::InvalidImageFormatException => "Request has invalid image format",
        ErrorCode::ImageTooLargeException => "Image size is too large",
        ErrorCode::InvalidParameterException => "Request has invalid parameters",
        ErrorCode::InvalidS3ObjectException => {
            "Unable to get object metadata from S3. Check object key, region and/or access \
             permissions."
        }
        _ => "This error was asked for",
    });
    ApiError::new(code, text).because(Injected)
}

/// Whether an error was asked for: it is no failure of the server.
pub(crate) fn is_injected(error: &ApiError) -> bool {
    error.source().is_some_and(<dyn std::error::Error>::is::<Injected>)
}

/// A number from 0 to 1, 1 excluded, that is the same for the same three numbers: SplitMix64.
fn chance(seed: u64, stream: u64, count: u64) -> f64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let start = mix(seed.wrapping_add(stream.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let draw = mix(start.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
