//! An AWS JSON 1.1 front end for anyone who emulates an AWS service.
//!
//! A [`Service`] lists its [`Operation`]s; [`serve`] does what AWS's front end does before and
//! after them: target and media type, SigV4, permissions, rates, AWS's coercions of JSON,
//! constraints with AWS's texts, error envelopes and request ids.

// The macros that declare shapes name this crate from wherever they are used.
extern crate self as aws_json;

pub mod auth;
mod body;
pub mod constraint;
mod error;
mod invocation;
mod number;
pub mod page;
mod rate;
mod record;
mod reply;
pub mod scalar;
mod serve;
mod service;
pub mod shapes;
mod wildcard;

#[doc(hidden)]
pub use serde;

pub use body::BodyRefused;
pub use error::{ApiError, ApiResult, ErrorCode, causes};
pub use number::Number;
pub use rate::{RateLimit, RateLimiter, TokenBucket};
pub use record::{Outcome, REQUEST_SPAN, Record};
pub use serve::{FrontEnd, serve};
pub use service::{Operation, OperationVisitor, Service};
pub use wildcard::Wildcard;
