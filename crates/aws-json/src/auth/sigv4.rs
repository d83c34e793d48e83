//! Verification of Signature Version 4, in the order and with the texts of AWS's front end.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::request::Parts;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::authorization::{ALGORITHM, Presented, SignatureLocation, basic_format};
use super::canonical::{Reader, canonical_request, sha256_hex};
use super::credentials::{Credentials, Key};
use super::is_region;
use crate::error::{ApiError, ApiResult, ErrorCode};

/// How far the clocks of client and server may differ, and how long a header signature lives.
const CLOCK_SKEW: Duration = Duration::from_mins(15);
const TERMINATOR: &str = "aws4_request";
/// Headers under `x-amz-` that AWS's own signers leave out of a signature.
const NEVER_SIGNED: [&str; 2] = ["x-amz-user-agent", "x-amz-checksum-mode"];

/// `keyid/date/region/service/aws4_request`.
struct Scope<'c> {
    access_key: &'c str,
    date: &'c str,
    region: &'c str,
    service: &'c str,
    terminator: &'c str,
}

/// Who made a valid signature, and for which region.
pub(super) struct Verified<'k> {
    pub key: &'k Key,
    pub region: String,
}

/// Checks the signature of a request.
pub(super) fn verify<'k>(
    keys: &'k Credentials,
    service: &str,
    parts: &Parts,
    body: &[u8],
    now: SystemTime,
) -> ApiResult<Verified<'k>> {
    let now = OffsetDateTime::from(now);
    let presented = Presented::from_request(parts)?;
    let (key, scope) = find_key(keys, service, parts, &presented, now)?;
    check_signature(key, &scope, &presented, parts, body)?;
    check_session(key, &presented, now)?;
    Ok(Verified { key, region: scope.region.to_owned() })
}

/// Checks all of a request but the signature itself, for which the body is needed, and the session,
/// which is of no concern before.
pub(super) fn check_headers(
    keys: &Credentials,
    service: &str,
    parts: &Parts,
    now: SystemTime,
) -> ApiResult<()> {
    let presented = Presented::from_request(parts)?;
    find_key(keys, service, parts, &presented, now.into()).map(drop)
}

/// The key that a request names, if what it states of its signature is sound.
fn find_key<'k, 'p>(
    keys: &'k Credentials,
    service: &str,
    parts: &Parts,
    presented: &'p Presented,
    now: OffsetDateTime,
) -> ApiResult<(&'k Key, Scope<'p>)> {
    check_age(presented, now)?;
    check_signed_headers(presented, parts)?;
    if presented.algorithm != ALGORITHM {
        return Err(ApiError::new(
            ErrorCode::IncompleteSignatureException,
            format!(
                "Unsupported AWS 'algorithm': '{}' (only {ALGORITHM} for now). ",
                presented.algorithm
            ),
        ));
    }
    let scope = Scope::parse(&presented.credential)?;
    let key = keys.find(scope.access_key);
    check_scope(&scope, service, presented, key)?;
    Ok((key.ok_or_else(unrecognized)?, scope))
}

impl<'c> Scope<'c> {
    fn parse(credential: &'c str) -> ApiResult<Self> {
        let elements: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, terminator] = elements[..] else {
            return Err(ApiError::new(
                ErrorCode::IncompleteSignatureException,
                format!(
                    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
                ),
            ));
        };
        Ok(Self { access_key, date, region, service, terminator })
    }
}

fn check_age(presented: &Presented, now: OffsetDateTime) -> ApiResult<()> {
    let signed_at = presented.timestamp;
    let life = match presented.location {
        SignatureLocation::Query { expires: Some(expires) } => expires,
        SignatureLocation::Query { expires: None } | SignatureLocation::Header => CLOCK_SKEW,
    };
    let [signed_text, now_text] = [signed_at, now].map(basic_format);
    // Differences, since the client's date may lie at the end of time, where sums overflow.
    if now - signed_at > life {
        let earliest = basic_format(now - life);
        return Err(invalid(format!(
            "Signature expired: {signed_text} is now earlier than {earliest} ({now_text} - {}.)",
            describe(life)
        )));
    }
    if signed_at - now > CLOCK_SKEW {
        let latest = basic_format(now + CLOCK_SKEW);
        return Err(invalid(format!(
            "Signature not yet current: {signed_text} is still later than {latest} ({now_text} + {}.)",
            describe(CLOCK_SKEW)
        )));
    }
    Ok(())
}

fn describe(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} sec"),
    }
}

/// A signature that leaves out the host, or a header that changes the meaning of the request,
/// proves nothing about them.
fn check_signed_headers(presented: &Presented, parts: &Parts) -> ApiResult<()> {
    let is_signed = |name: &str| presented.signed_headers.iter().any(|signed| signed == name);
    if !is_signed("host") {
        return Err(invalid(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    let names = parts.headers.keys().map(http::HeaderName::as_str);
    match names
        .filter(|name| name.starts_with("x-amz-"))
        .find(|name| !is_signed(name) && !NEVER_SIGNED.contains(name))
    {
        Some(name) => Err(invalid(format!(
            "'{}' must be a 'SignedHeader' in the AWS Authorization.",
            title_case(name)
        ))),
        None => Ok(()),
    }
}

/// `x-amz-target` as `X-Amz-Target`.
fn title_case(name: &str) -> String {
    let mut starts_word = true;
    let letters = name.chars().map(|letter| {
        let cased = if starts_word { letter.to_ascii_uppercase() } else { letter };
        starts_word = letter == '-';
        cased
    });
    letters.collect()
}

/// All that is wrong with the scope, in one message.
fn check_scope(
    scope: &Scope<'_>,
    service: &str,
    presented: &Presented,
    key: Option<&Key>,
) -> ApiResult<()> {
    let mut wrong: Vec<String> = Vec::new();
    if !is_region(scope.region) || key.is_some_and(|key| !key.allows_region(scope.region)) {
        wrong.push("Credential should be scoped to a valid region. ".to_owned());
    }
    if scope.service != service {
        wrong.push(format!("Credential should be scoped to correct service: '{service}'. "));
    }
    if scope.terminator != TERMINATOR {
        let got = scope.terminator;
        wrong.push(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{got}'. "
        ));
    }
    let timestamp = basic_format(presented.timestamp);
    let expected_date = &timestamp[..8];
    if scope.date != expected_date {
        let got = scope.date;
        wrong.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{got}' != '{expected_date}', from '{timestamp}'."
        ));
    }
    if wrong.is_empty() { Ok(()) } else { Err(invalid(wrong.concat())) }
}

fn check_signature(
    key: &Key,
    scope: &Scope<'_>,
    presented: &Presented,
    parts: &Parts,
    body: &[u8],
) -> ApiResult<()> {
    let body_hash = sha256_hex(body);
    let canonical_for = |reader| canonical_request(parts, &body_hash, presented, reader);
    let canonical = canonical_for(Reader::Signer);
    let timestamp = basic_format(presented.timestamp);
    let Scope { date, region, service, .. } = scope;
    let string_to_sign = format!(
        "{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/{TERMINATOR}\n{}",
        sha256_hex(&canonical)
    );
    let signing_key =
        generate_signing_key(key.secret(), presented.timestamp.into(), region, service);
    let expected = calculate_signature(signing_key, string_to_sign.as_bytes());
    let declared_hash = parts.headers.get("x-amz-content-sha256");
    let hash_agrees =
        declared_hash.is_none_or(|declared| declared.as_bytes() == body_hash.as_bytes());
    if hash_agrees && bool::from(expected.as_bytes().ct_eq(presented.signature.as_bytes())) {
        return Ok(());
    }
    let message = |canonical: &[u8]| {
        let canonical = String::from_utf8_lossy(canonical);
        format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
             signing method. Consult the service documentation for details.\n\n\
             The Canonical String for this request should have been\n'{canonical}'\n\n\
             The String-to-Sign should have been\n'{string_to_sign}'\n"
        )
    };
    Err(invalid(message(&canonical)).logged_as(message(&canonical_for(Reader::Log))))
}

/// Whether the session of a temporary key is the one presented, and still runs.
fn check_session(key: &Key, presented: &Presented, now: OffsetDateTime) -> ApiResult<()> {
    let presented_token = presented.security_token.as_deref().unwrap_or_default();
    let is_session = bool::from(key.session_token().as_bytes().ct_eq(presented_token.as_bytes()));
    if !is_session {
        return Err(unrecognized());
    }
    if key.is_expired(now) {
        return Err(ApiError::new(
            ErrorCode::ExpiredTokenException,
            "The security token included in the request is expired",
        ));
    }
    Ok(())
}

fn invalid(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidSignatureException, message)
}

fn unrecognized() -> ApiError {
    ApiError::new(
        ErrorCode::UnrecognizedClientException,
        "The security token included in the request is invalid.",
    )
}
