//! The canonical request of Signature Version 4: the text that both sides must build alike.
//!
//! It is built here and not by the signer crate since a verifier takes the list of signed headers
//! from the client, and prints the whole text when the signatures differ. Rules: AWS General
//! Reference, "Create a signed AWS API request".

use http::header::HOST;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};

use super::authorization::{Presented, SignatureLocation, query_pairs};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// What a log may show of a header or of a query's pair; any other value may be a token.
const LOGGED: [&[u8]; 12] = [
    b"content-length",
    b"content-type",
    b"date",
    b"host",
    b"x-amz-content-sha256",
    b"x-amz-date",
    b"x-amz-target",
    b"X-Amz-Algorithm",
    b"X-Amz-Credential",
    b"X-Amz-Date",
    b"X-Amz-Expires",
    b"X-Amz-SignedHeaders",
];
const REDACTED: &[u8] = b"(redacted)";

/// For whom a canonical request is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// The one who signed it; this is the text that is signed.
    Signer,
    /// The log, which keeps no tokens.
    Log,
}

impl Reader {
    fn may_see(self, name: &[u8]) -> bool {
        self == Self::Signer || LOGGED.contains(&name)
    }
}

/// The canonical request; bytes, since a header value need not be UTF-8.
///
/// `body_hash` is that of the body as received: neither `x-amz-content-sha256` nor UNSIGNED-PAYLOAD
/// may speak for it.
pub(super) fn canonical_request(
    parts: &Parts,
    body_hash: &str,
    presented: &Presented,
    reader: Reader,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(parts.method.as_str().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(canonical_path(parts.uri.path()).as_bytes());
    text.push(b'\n');
    text.extend_from_slice(canonical_query(parts, presented.location, reader).as_bytes());
    text.push(b'\n');
    for name in &presented.signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        if reader.may_see(name.as_bytes()) {
            text.extend_from_slice(&canonical_header_value(parts, name));
        } else {
            text.extend_from_slice(REDACTED);
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(presented.signed_headers.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(body_hash.as_bytes());
    text
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The path without dot segments and doubled slashes (RFC 3986, 5.2.4), encoded once more as every
/// service but S3 wants it.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let mut normalized = format!("/{}", segments.join("/"));
    let names_a_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if names_a_folder && !normalized.ends_with('/') {
        normalized.push('/');
    }
    percent_encode(normalized.as_bytes(), RESERVED_IN_PATH).to_string()
}

/// The query's pairs, encoded alike and sorted; a presigned request's own signature is not part of
/// what it signs.
fn canonical_query(parts: &Parts, location: SignatureLocation, reader: Reader) -> String {
    let mut pairs: Vec<(String, String)> = query_pairs(parts)
        .filter(|(name, _)| location == SignatureLocation::Header || name != b"X-Amz-Signature")
        .map(|(name, value)| {
            let value = if reader.may_see(&name) { value } else { REDACTED.to_vec() };
            (
                percent_encode(&name, RESERVED).to_string(),
                percent_encode(&value, RESERVED).to_string(),
            )
        })
        .collect();
    pairs.sort_unstable();
    let joined: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

/// The header's values in order of arrival, comma-separated, each without outer spaces and with
/// inner runs of spaces made one.
fn canonical_header_value(parts: &Parts, name: &str) -> Vec<u8> {
    let values: Vec<Vec<u8>> =
        parts.headers.get_all(name).iter().map(|value| squeeze_spaces(value.as_bytes())).collect();
    // HTTP/2 has no Host header; its `:authority` stands in the URI.
    match parts.uri.authority() {
        Some(authority) if values.is_empty() && name == HOST.as_str() => {
            authority.as_str().as_bytes().to_vec()
        }
        _ => values.join(&b','),
    }
}

fn squeeze_spaces(value: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> =
        value.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}
