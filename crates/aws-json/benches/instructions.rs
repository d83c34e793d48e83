//! Paths whose instructions `tools/instructions.py` counts.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Identity;
use aws_json::auth::{Auth, AuthMode, Credentials};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{Method, Request};

#[path = "../../../benches/support/turns.rs"]
mod turns;

/// 2026-11-24, 03:00 UTC.
const NOW: Duration = Duration::from_hours(498_747);
const KEYS: &str = r#"
    [[key]]
    access_key_id = "AKIDALICE"
    secret_access_key = "hush"
    account = "123456789012"
    user = "alice"
"#;
/// As long as a small photo in base64.
const BODY: usize = 64 << 10;

/// A call as SDKs sign it.
fn signed(body: &[u8], now: SystemTime) -> Parts {
    let uri = "http://127.0.0.1:9340/";
    let headers = [
        ("host", "127.0.0.1:9340"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "RekognitionService.IndexFaces"),
    ];
    let identity = Identity::new("AKIDALICE", "hush", None, None, "bench").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("rekognition")
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .expect("nothing is missing");
    let request = SignableRequest::new("POST", uri, headers.into_iter(), SignableBody::Bytes(body))
        .expect("a sound request");
    let (instructions, _) = sign(request, &parameters.into()).expect("can be signed").into_parts();
    let mut request = Request::builder().method(Method::POST).uri(uri);
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        request = request.header(name, value);
    }
    request.body(()).expect("sound headers").into_parts().0
}

fn main() {
    let (path, times) = turns::asked();
    let (now, body) = (SystemTime::UNIX_EPOCH + NOW, vec![b'A'; BODY]);
    let mode = match path.as_str() {
        "verify" => {
            AuthMode::Verify(Credentials::parse(KEYS, Path::new("keys.toml")).expect("sound keys"))
        }
        "open" => AuthMode::Open,
        _ => panic!("there is no path {path}"),
    };
    let (auth, parts) = (Auth::new(mode, "rekognition"), signed(&body, now));
    for _ in 0..times {
        let caller = auth.authenticate(black_box(&parts), black_box(&body), now);
        assert_eq!(black_box(caller).expect("a good signature").region, "us-east-1");
    }
}
