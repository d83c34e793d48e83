//! What a request presents as its signature, in the `Authorization` header or in the query string,
//! before any of it is believed.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::error::{ApiError, ApiResult, ErrorCode};

/// The only algorithm of Signature Version 4.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The longest life of a presigned request: a week.
const LONGEST_EXPIRY: u64 = 604_800;
/// `20150830T123600Z`, the timestamp of Signature Version 4.
const BASIC_FORMAT: &[time::format_description::FormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Where the signature stands, which decides what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureLocation {
    Header,
    /// A presigned request; the life that its signer gave it, where stated.
    Query {
        expires: Option<Duration>,
    },
}

/// The parts of a signature as the client wrote them: all present, none verified.
#[derive(Debug)]
pub(super) struct Presented {
    pub location: SignatureLocation,
    pub algorithm: String,
    /// `keyid/date/region/service/aws4_request`, when well formed.
    pub credential: String,
    /// Lower-case names, sorted.
    pub signed_headers: Vec<String>,
    /// Hexadecimal.
    pub signature: String,
    /// In UTC.
    pub timestamp: OffsetDateTime,
    pub security_token: Option<String>,
}

impl Presented {
    /// Reads the signature of a request; refuses with AWS's texts a request with none, two, or an
    /// incomplete one.
    pub(super) fn from_request(parts: &Parts) -> ApiResult<Self> {
        let header =
            parts.headers.get(AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
        match (header, is_in_query(parts)) {
            (Some(_), true) => Err(ApiError::new(
                ErrorCode::InvalidSignatureException,
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
            )),
            (None, false) => Err(ApiError::new(
                ErrorCode::MissingAuthenticationTokenException,
                "Missing Authentication Token",
            )),
            (Some(header), false) => Self::from_header(parts, &header),
            (None, true) => Self::from_query(parts),
        }
    }

    fn from_header(parts: &Parts, header: &str) -> ApiResult<Self> {
        let fields = ["Credential", "Signature", "SignedHeaders"]
            .map(|name| (name, header_field(header, name)));
        let date = header_value(parts, "x-amz-date").or_else(|| header_value(parts, DATE.as_str()));

        let ([(_, Some(credential)), (_, Some(signature)), (_, Some(signed_headers))], Some(date)) =
            (fields, &date)
        else {
            let no_field = fields.iter().filter(|(_, value)| value.is_none());
            let mut missing: Vec<String> = no_field
                .map(|(name, _)| format!("Authorization header requires '{name}' parameter. "))
                .collect();
            if date.is_none() {
                let text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
                missing.push(text.to_owned());
            }
            let missing = missing.concat();
            return Err(incomplete(format!("{missing}Authorization={header}"))
                .logged_as(format!("{missing}Authorization=(redacted)")));
        };

        Ok(Self {
            location: SignatureLocation::Header,
            algorithm: header.split_whitespace().next().unwrap_or_default().to_owned(),
            credential: credential.to_owned(),
            signed_headers: header_names(signed_headers),
            signature: signature.to_owned(),
            timestamp: parse_timestamp(date)?,
            security_token: header_value(parts, "x-amz-security-token").map(Cow::into_owned),
        })
    }

    fn from_query(parts: &Parts) -> ApiResult<Self> {
        let names = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
        ];
        let values = names.map(|name| query_value(parts, name).filter(|value| !value.is_empty()));
        let [Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)] =
            values
        else {
            let absent = names.iter().zip(&values).filter(|(_, value)| value.is_none());
            let missing: Vec<String> = absent
                .map(|(name, _)| format!("AWS query-string parameters must include '{name}'. "))
                .collect();
            return Err(incomplete(format!(
                "{}Re-examine the query-string parameters.",
                missing.concat()
            )));
        };
        Ok(Self {
            location: SignatureLocation::Query {
                expires: query_value(parts, "X-Amz-Expires")
                    .map(|text| parse_expiry(&text))
                    .transpose()?,
            },
            algorithm,
            credential,
            signed_headers: header_names(&signed_headers),
            signature,
            timestamp: parse_timestamp(&date)?,
            security_token: query_value(parts, "X-Amz-Security-Token"),
        })
    }
}

/// Whether a request has a signature in either form, however incomplete.
pub(crate) fn is_signed(parts: &Parts) -> bool {
    parts.headers.contains_key(AUTHORIZATION) || is_in_query(parts)
}

fn is_in_query(parts: &Parts) -> bool {
    query_value(parts, "X-Amz-Algorithm").is_some()
}

/// The `Credential` of a request in either form, however incomplete the rest is.
pub(super) fn credential_of(parts: &Parts) -> Option<String> {
    let in_header = header_value(parts, AUTHORIZATION.as_str())
        .and_then(|header| header_field(&header, "Credential").map(ToOwned::to_owned));
    in_header.or_else(|| query_value(parts, "X-Amz-Credential"))
}

/// The timestamp as it stands in the string to sign.
pub(super) fn basic_format(instant: OffsetDateTime) -> String {
    instant
        .to_offset(UtcOffset::UTC)
        .format(&BASIC_FORMAT)
        .expect("a UTC instant has all components of the format")
}

/// The pairs of the query string, percent-decoded; `+` is a space, as every signer of AWS reads it.
pub(super) fn query_pairs(parts: &Parts) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>();
    parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(
        move |pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        },
    )
}

fn query_value(parts: &Parts, name: &str) -> Option<String> {
    let (_, value) = query_pairs(parts).find(|(key, _)| key == name.as_bytes())?;
    Some(String::from_utf8_lossy(&value).into_owned())
}

fn header_value<'p>(parts: &'p Parts, name: &str) -> Option<Cow<'p, str>> {
    parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// A non-empty field of an `Authorization` header; commas and spaces both separate fields.
fn header_field<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header
        .split([',', ' '])
        .filter_map(|field| field.split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

fn header_names(list: &str) -> Vec<String> {
    let mut names: Vec<String> = list.split(';').map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn parse_timestamp(text: &str) -> ApiResult<OffsetDateTime> {
    let basic = PrimitiveDateTime::parse(text, &BASIC_FORMAT).map(PrimitiveDateTime::assume_utc);
    let instant = basic.or_else(|_| OffsetDateTime::parse(text, &Rfc2822)).ok();
    // An offset may lead past the last year that there is.
    instant.and_then(|instant| instant.checked_to_offset(UtcOffset::UTC)).ok_or_else(|| {
        incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"))
    })
}

fn parse_expiry(text: &str) -> ApiResult<Duration> {
    match text.parse::<u64>() {
        Ok(seconds) if seconds <= LONGEST_EXPIRY => Ok(Duration::from_secs(seconds)),
        Ok(_) => {
            Err(incomplete(format!("X-Amz-Expires must be less than {LONGEST_EXPIRY} seconds")))
        }
        Err(_) => Err(incomplete("X-Amz-Expires should be a number".to_owned())),
    }
}

fn incomplete(message: String) -> ApiError {
    ApiError::new(ErrorCode::IncompleteSignatureException, message)
}
