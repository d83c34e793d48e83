//! Who calls: the account, region and rights behind a request.
//!
//! `open` believes what a request says of itself, so that any client with any key works; `verify`
//! recomputes its signature and looks the key up in a credentials file.

mod authorization;
mod canonical;
mod credentials;
mod policy;
mod sigv4;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use http::request::Parts;

use self::policy::Policy;
use self::sigv4::Verified;
use crate::constraint::shorten;
use crate::error::{ApiError, ApiResult, ErrorCode};

pub(crate) use self::authorization::is_signed;
pub use self::credentials::{Credentials, CredentialsError, KeyError, KeyHolder};
pub use self::policy::PatternError;

/// The account of a caller whose access key does not spell one.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// The region of a caller without a credential scope.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The longest access key id that AWS gives out, in characters.
const LONGEST_KEY_ID: usize = 128;

/// How callers are told apart.
#[derive(Debug, Clone, Default)]
pub enum AuthMode {
    /// Any signature or none. A caller is the account that its access key id spells (12 digits), in
    /// the region of its credential scope.
    #[default]
    Open,
    /// Only signatures made with one of these keys.
    Verify(Credentials),
}

/// Authenticates requests.
#[derive(Debug)]
pub struct Auth {
    /// `None` in `open` mode.
    keys: Option<RwLock<Arc<Credentials>>>,
    /// The service name that requests are signed for.
    service: &'static str,
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// As in the credential scope, for example `eu-west-1`.
    pub region: String,
    service: &'static str,
    permissions: Permissions,
}

#[derive(Debug, Clone)]
enum Permissions {
    Everything,
    Listed { user: String, policy: Arc<Policy> },
}

impl Auth {
    pub fn new(mode: AuthMode, service: &'static str) -> Self {
        let keys = match mode {
            AuthMode::Open => None,
            AuthMode::Verify(keys) => Some(RwLock::new(Arc::new(keys))),
        };
        Self { keys, service }
    }

    /// Whether anyone may call.
    pub fn is_open(&self) -> bool {
        self.keys.is_none()
    }

    /// Puts other keys in force for the requests that are authenticated from now on; an open
    /// server stays open.
    pub fn replace_keys(&self, keys: Credentials) {
        if let Some(current) = &self.keys {
            *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        }
    }

    /// Who holds the keys in force; nobody in `open` mode.
    pub fn key_holders(&self) -> Vec<KeyHolder> {
        self.keys().map(|keys| keys.holders()).unwrap_or_default()
    }

    fn keys(&self) -> Option<Arc<Credentials>> {
        let current = self.keys.as_ref()?;
        Some(Arc::clone(&current.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Refuses, in `verify` mode, what the headers alone show to be signed with no known key.
    pub fn check_headers(&self, parts: &Parts, now: SystemTime) -> ApiResult<()> {
        self.keys().map_or(Ok(()), |keys| sigv4::check_headers(&keys, self.service, parts, now))
    }

    /// Tells who sent a request; in `verify` mode it refuses, with AWS's errors, whatever is not
    /// signed with a known key.
    pub fn authenticate(&self, parts: &Parts, body: &[u8], now: SystemTime) -> ApiResult<Caller> {
        let Some(keys) = self.keys() else { return Ok(trust_unverified(parts, self.service)) };
        let Verified { key, region } = sigv4::verify(&keys, self.service, parts, body, now)?;
        let permissions =
            Permissions::Listed { user: key.user.clone(), policy: Arc::clone(&key.policy) };
        Ok(Caller { account: key.account.clone(), region, service: self.service, permissions })
    }
}

/// The access key id that a request names, whatever else is wrong with it; cut to the length of
/// the longest one that AWS gives out.
pub(crate) fn named_key(parts: &Parts) -> Option<String> {
    let credential = authorization::credential_of(parts)?;
    let key = credential.split('/').next().filter(|key| !key.is_empty())?;
    Some(key.chars().take(LONGEST_KEY_ID).collect())
}

impl Caller {
    /// The name of the user whose key it is, where keys are verified.
    pub fn user(&self) -> Option<&str> {
        match &self.permissions {
            Permissions::Everything => None,
            Permissions::Listed { user, .. } => Some(user),
        }
    }

    /// Refuses an operation (for example `IndexFaces`) that the caller's key does not allow, on
    /// this collection where it names one.
    pub fn authorize(&self, operation: &str, collection_id: Option<&str>) -> ApiResult<()> {
        let Permissions::Listed { user, policy } = &self.permissions else { return Ok(()) };
        if policy.allows(operation, collection_id) {
            return Ok(());
        }
        let Self { account, region, service, .. } = self;
        let resource = collection_id
            .map(|id| {
                format!(
                    " on resource: arn:aws:{service}:{region}:{account}:collection/{}",
                    shorten(id)
                )
            })
            .unwrap_or_default();
        let message = format!(
            "User: arn:aws:iam::{account}:user/{user} is not authorized to perform: {service}:{operation}{resource} \
             because no identity-based policy allows the {service}:{operation} action"
        );
        Err(ApiError::new(ErrorCode::AccessDeniedException, message))
    }
}

/// Takes account and region from the credential scope as it stands. Some published samples leave
/// out its date.
fn trust_unverified(parts: &Parts, service: &'static str) -> Caller {
    let credential = authorization::credential_of(parts).unwrap_or_default();
    let elements: Vec<&str> = credential.split('/').collect();
    let (access_key, region) = match elements[..] {
        [access_key, _, region, _, "aws4_request"] | [access_key, region, _, "aws4_request"] => {
            (access_key, region)
        }
        [access_key, ..] => (access_key, ""),
        [] => ("", ""),
    };
    let account = if is_account(access_key) { access_key } else { DEFAULT_ACCOUNT };
    let region = if is_region(region) { region } else { DEFAULT_REGION };
    Caller {
        account: account.to_owned(),
        region: region.to_owned(),
        service,
        permissions: Permissions::Everything,
    }
}

/// Twelve digits.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has the form of a region, such as `eu-west-1` or `us-gov-east-1`; regions come
/// and go, so there is no list.
fn is_region(text: &str) -> bool {
    let mut words = text.split('-');
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let starts_with_letter = text.starts_with(|first: char| first.is_ascii_lowercase());
    starts_with_letter && text.len() <= 32 && words.all(is_word)
}
