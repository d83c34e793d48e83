//! What AWS's model says: errors, shapes with their constraints, and pagination tokens.

pub mod constraint;
pub mod error;
pub mod image;
pub mod members;
pub mod number;
pub mod page;
mod scalar;

pub use error::{ApiError, ApiResult, ErrorCode};
