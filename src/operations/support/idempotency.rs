//! Client request tokens.

use sha2::{Digest, Sha256};

use super::Context;
use super::context::store_error;
use crate::shapes::ClientRequestToken;
use aws_json::{ApiError, ErrorCode};
use lookalike_store::{Idempotency, StoreError};

/// The token of a request, bound to all its other members, `parts`.
pub fn idempotency(
    context: &Context,
    token: Option<&ClientRequestToken>,
    parts: &[&str],
) -> Option<Idempotency> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    token.map(|token| Idempotency {
        tenant: context.tenant.clone(),
        token: token.as_str().to_owned(),
        request_hash: hash.finalize().into(),
    })
}

/// [`store_error`] for a request that may carry a token.
pub fn user_error(
    error: StoreError,
    collection: &str,
    user: &str,
    token: Option<&ClientRequestToken>,
) -> ApiError {
    match (error, token) {
        (StoreError::TokenMismatch, Some(token)) => ApiError::new(
            ErrorCode::IdempotentParameterMismatchException,
            format!("The ClientRequestToken: {token} you have supplied is already in use."),
        ),
        (error, _) => store_error(error, collection, user),
    }
}
