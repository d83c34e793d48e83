//! Client request tokens.

use sha2::{Digest, Sha256};

use super::Context;
use crate::shapes::ClientRequestToken;
use lookalike_store::Idempotency;

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
