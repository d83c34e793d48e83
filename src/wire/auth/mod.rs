//! Who calls: the account, region and rights behind a request.
//!
//! `open` believes what a request says of itself, so that any client with any key works; `verify` recomputes its signature and
//! looks the key up in a credentials file.

mod authorization;
mod canonical;
mod credentials;
mod policy;
mod sigv4;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

use self::policy::Policy;
use self::sigv4::Verified;
use crate::api::constraint::shorten;
use crate::api::error::{ApiError, ApiResult, ErrorCode};
use crate::tenant::{DEFAULT_ACCOUNT, DEFAULT_REGION, Tenant};

pub(super) use self::authorization::is_signed;
pub use self::credentials::{Credentials, CredentialsError, KeyError};
pub use self::policy::PatternError;

/// The service name that requests are signed for.
const SERVICE: &str = "rekognition";

/// How callers are told apart.
#[derive(Debug, Clone)]
pub enum AuthMode {
    /// Any signature or none. A caller is the account that its access key id spells (12 digits), in the region of its credential scope.
    Open { default_account: String, default_region: String },
    /// Only signatures made with one of these keys.
    Verify(Credentials),
}

/// Authenticates requests.
#[derive(Debug, Clone)]
pub struct Auth(AuthMode);

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: Tenant,
    /// Empty for a request without a signature.
    pub access_key: String,
    grants: Grants,
}

#[derive(Debug, Clone)]
enum Grants {
    Everything,
    Listed { user: String, policy: Arc<Policy> },
}

impl Default for AuthMode {
    fn default() -> Self {
        Self::Open { default_account: DEFAULT_ACCOUNT.to_owned(), default_region: DEFAULT_REGION.to_owned() }
    }
}

impl Auth {
    pub fn new(mode: AuthMode) -> Self {
        Self(mode)
    }

    /// Tells who sent a request; in `verify` mode it refuses, with AWS's errors, whatever is not signed with a known key.
    pub fn authenticate(&self, parts: &Parts, body: &[u8], now: SystemTime) -> ApiResult<Caller> {
        match &self.0 {
            AuthMode::Open { default_account, default_region } => Ok(believe(parts, default_account, default_region)),
            AuthMode::Verify(keys) => {
                let Verified { key, access_key, region } = sigv4::verify(keys, SERVICE, parts, body, now)?;
                let tenant = Tenant { account: key.account.clone(), region };
                let grants = Grants::Listed { user: key.user.clone(), policy: Arc::clone(&key.policy) };
                Ok(Caller { tenant, access_key, grants })
            }
        }
    }
}

impl Caller {
    /// Refuses an operation (for example `IndexFaces`) that the caller's key does not allow, on this collection where it names one.
    pub fn authorize(&self, operation: &str, collection_id: Option<&str>) -> ApiResult<()> {
        let Grants::Listed { user, policy } = &self.grants else { return Ok(()) };
        if policy.allows(operation, collection_id) {
            return Ok(());
        }
        let Tenant { account, region } = &self.tenant;
        let resource = collection_id
            .map(|id| format!(" on resource: arn:aws:{SERVICE}:{region}:{account}:collection/{}", shorten(id)))
            .unwrap_or_default();
        let message = format!(
            "User: arn:aws:iam::{account}:user/{user} is not authorized to perform: {SERVICE}:{operation}{resource} \
             because no identity-based policy allows the {SERVICE}:{operation} action"
        );
        Err(ApiError::new(ErrorCode::AccessDeniedException, message))
    }
}

/// Takes account and region from the credential scope as it stands. Some published samples leave out its date.
fn believe(parts: &Parts, default_account: &str, default_region: &str) -> Caller {
    let credential = authorization::credential_of(parts).unwrap_or_default();
    let elements: Vec<&str> = credential.split('/').collect();
    let (access_key, region) = match elements[..] {
        [access_key, _, region, _, "aws4_request"] | [access_key, region, _, "aws4_request"] => (access_key, region),
        [access_key, ..] => (access_key, ""),
        [] => ("", ""),
    };
    let account = if is_account(access_key) { access_key } else { default_account };
    let region = if is_region(region) { region } else { default_region };
    Caller {
        tenant: Tenant { account: account.to_owned(), region: region.to_owned() },
        access_key: access_key.to_owned(),
        grants: Grants::Everything,
    }
}

/// Twelve digits.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has the form of a region, such as `eu-west-1` or `us-gov-east-1`; regions come and go, so there is no list.
fn is_region(text: &str) -> bool {
    let mut words = text.split('-');
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let starts_with_letter = text.starts_with(|first: char| first.is_ascii_lowercase());
    starts_with_letter && text.len() <= 32 && words.all(is_word)
}
