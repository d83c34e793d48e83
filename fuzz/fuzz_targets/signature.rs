//! Signatures in headers and query strings: nothing that is not signed with a known key gets in,
//! and an open server always finds an account and a region.
//!
//! The first line is the path with its query, the lines up to an empty one are headers, and the
//! rest is the body.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use aws_json::auth::{Auth, AuthMode, Credentials};
use http::{HeaderName, HeaderValue, Method, Request};
use libfuzzer_sys::{Corpus, fuzz_target};

/// 2026-11-24, 03:00 UTC.
const NOW: Duration = Duration::from_secs(1_795_489_200);
const KEYS: &str = r#"
    [[key]]
    access_key_id = "AKIDALICE"
    secret_access_key = "a secret that no signature of the corpus was made with"
    account = "123456789012"
    user = "alice"
    regions = ["us-east-1"]
    actions = ["*"]
"#;

static VERIFYING: LazyLock<Auth> = LazyLock::new(|| {
    let keys = Credentials::parse(KEYS, Path::new("keys.toml")).expect("sound keys");
    Auth::new(AuthMode::Verify(keys), "rekognition")
});
static OPEN: LazyLock<Auth> = LazyLock::new(|| Auth::new(AuthMode::Open, "rekognition"));

fn parse(bytes: &[u8]) -> Option<Request<Vec<u8>>> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut request = Request::builder().method(Method::POST).uri(lines.next()?);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        request = request.header(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    request.body(lines.collect::<Vec<_>>().join(&b'\n')).ok()
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(request) = parse(bytes) else { return Corpus::Reject };
    let (parts, body) = request.into_parts();
    let now = SystemTime::UNIX_EPOCH + NOW;
    let _ = VERIFYING.check_headers(&parts, now);
    assert!(VERIFYING.authenticate(&parts, &body, now).is_err(), "a forged signature");
    let caller = OPEN.authenticate(&parts, &body, now).expect("anybody may call");
    assert!(caller.account.len() == 12 && caller.account.bytes().all(|digit| digit.is_ascii_digit()));
    assert!(!caller.region.is_empty() && caller.region.len() <= 32);
    Corpus::Keep
});
