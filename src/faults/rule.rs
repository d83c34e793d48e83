//! What is to go wrong, as a request states it.

use aws_json::ErrorCode;
use clap::ValueEnum;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Longer than any client waits.
const MOST_MILLISECONDS: u64 = 120_000;
const MOST_RULES: usize = 1000;

/// Faults that are known by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// AWS's default requests a second, for each account, region and operation.
    AwsQuotas,
    /// A fifth of all requests get ThrottlingException.
    Throttle,
    /// Half a second to two for a request with an image, 50 to 250 milliseconds for others.
    Slow,
    /// A fifth of all objects cannot be read from S3.
    S3Errors,
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Before the operation.
    #[default]
    Request,
    /// When an object is read from S3.
    S3,
}

/// One kind of fault: which requests it strikes, how often, and what it does.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Operations, such as `IndexFaces` or `Search*`; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// Twelve digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub target: Target,
    /// 0 to 1; 1 if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Strikes only what is beyond so many requests a second of an account, region and operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Strikes so often and no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// An error of AWS, such as `ThrottlingException`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error's text, where it is not to be AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A delay, before the error where there is one.
    pub latency_ms: u64,
    /// At most so much more delay.
    pub jitter_ms: u64,
    /// The preset that the rule comes from.
    #[serde(deserialize_with = "read_only", skip_serializing_if = "Option::is_none")]
    #[schema(read_only)]
    pub preset: Option<Preset>,
    /// How often it struck.
    #[serde(deserialize_with = "read_only")]
    #[schema(read_only)]
    pub struck: u64,
}

/// All faults together.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Chance begins here: the same seed and the same requests give the same faults. The server
    /// picks one if none is given.
    pub seed: Option<u64>,
    pub presets: Vec<Preset>,
    pub rules: Vec<Rule>,
}

impl Rule {
    /// The code of the error, if it is one.
    pub(super) fn code(&self) -> Result<Option<ErrorCode>, String> {
        error_code(self.error.as_deref())
    }

    fn check(&self) -> Result<(), String> {
        let has_error = self.code()?.is_some();
        let wrong = |what: &str| Err(what.to_owned());
        if !self.probability.is_none_or(|probability| (0.0..=1.0).contains(&probability)) {
            return wrong("probability is not within 0 and 1");
        }
        if !self.per_second.is_none_or(|rate| rate.is_finite() && rate > 0.0) {
            return wrong("per_second is no positive number");
        }
        if self.latency_ms > MOST_MILLISECONDS || self.jitter_ms > MOST_MILLISECONDS {
            return wrong("latency_ms and jitter_ms may be 120000 at most");
        }
        let is_idle =
            !has_error && self.per_second.is_none() && self.latency_ms + self.jitter_ms == 0;
        if is_idle {
            return wrong("it does nothing: give it an error, latency_ms or per_second");
        }
        Ok(())
    }
}

impl FaultPlan {
    /// Whether nothing goes wrong.
    pub fn is_empty(&self) -> bool {
        self.presets.is_empty() && self.rules.is_empty()
    }

    /// What is wrong with the plan itself.
    pub fn check(&self) -> Result<(), String> {
        if self.rules.len() > MOST_RULES {
            return Err(format!("there may be {MOST_RULES} rules at most"));
        }
        let mut rules = self.rules.iter().enumerate();
        rules.try_for_each(|(index, rule)| {
            rule.check().map_err(|wrong| format!("rules[{index}]: {wrong}"))
        })
    }
}

/// Refuses a member that only answers have.
pub(crate) fn read_only<'de, D: Deserializer<'de>, T>(_: D) -> Result<T, D::Error> {
    Err(D::Error::custom("the server states this member, and takes it from nobody"))
}

/// The error that a plan or a declared answer names.
pub(crate) fn error_code(name: Option<&str>) -> Result<Option<ErrorCode>, String> {
    let Some(name) = name else { return Ok(None) };
    let unknown = || {
        let names = ErrorCode::ALL.map(ErrorCode::name).join(", ");
        format!("there is no error {name:?}; there are {names}")
    };
    ErrorCode::from_name(name).map(Some).ok_or_else(unknown)
}
