//! Requests signed by AWS's own signer must pass, and no other.

mod properties;
mod refusals;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as SigningKey;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::error::ErrorCode::{ExpiredTokenException, UnrecognizedClientException};

const KEYS: &str = r#"
    [[key]]
    access_key_id = "AKIDALICE"
    secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    account = "123456789012"
    user = "alice"
    regions = ["us-east-1", "eu-west-1"]
    actions = ["rekognition:IndexFaces", "ListCollections"]
    collections = ["prod-*"]

    [[key]]
    access_key_id = "ASIABOB"
    secret_access_key = "bob-secret"
    session_token = "FwoGZXIvYXdzE/bob+session=="
    account = "210987654321"
    user = "bob"
    expires = 2026-12-24T12:00:00Z
"#;
const BODY: &[u8] = br#"{"CollectionId": "prod-1"}"#;
const TARGET: &str = "RekognitionService.DescribeCollection";
const SIGNED_AT: OffsetDateTime = datetime!(2026-11-24 03:00 UTC);

/// What a test may bend before signing.
struct Draft {
    access_key: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
    region: &'static str,
    service: &'static str,
    uri: String,
    location: SignatureLocation,
    content_sha256: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            access_key: "AKIDALICE",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token: None,
            region: "eu-west-1",
            service: "rekognition",
            uri: "/".to_owned(),
            location: SignatureLocation::Headers,
            content_sha256: false,
        }
    }
}

impl Draft {
    fn bob() -> Self {
        Self {
            access_key: "ASIABOB",
            secret: "bob-secret",
            token: Some("FwoGZXIvYXdzE/bob+session=="),
            ..Self::default()
        }
    }

    fn presigned() -> Self {
        Self { location: SignatureLocation::QueryParams, ..Self::default() }
    }

    /// The request as AWS's signer sends it.
    fn sign(&self) -> Parts {
        let mut request = Request::post(format!("http://localhost:9340{}", self.uri))
            .header("host", "localhost:9340")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", TARGET)
            .header("x-amz-note", "  two   words ")
            .header("x-amz-note", "again")
            .body(())
            .expect("a request");
        let mut settings = SigningSettings::default();
        settings.signature_location = self.location;
        settings.expires_in =
            (self.location == SignatureLocation::QueryParams).then_some(Duration::from_hours(1));
        if self.content_sha256 {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = SigningKey::new(
            self.access_key,
            self.secret,
            self.token.map(ToOwned::to_owned),
            None,
            "test",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(at(0))
            .settings(settings)
            .build()
            .expect("all parameters")
            .into();
        let uri = request.uri().to_string();
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")));
        let signable = SignableRequest::new("POST", &uri, headers, SignableBody::Bytes(BODY))
            .expect("a signable request");
        let (instructions, _) = sign(signable, &params).expect("a signature").into_parts();
        instructions.apply_to_request_http1x(&mut request);
        // As a server sees it: path and query only.
        let path_and_query =
            request.uri().path_and_query().expect("a path").as_str().parse().expect("a URI");
        *request.uri_mut() = path_and_query;
        request.into_parts().0
    }
}

/// So many seconds after the signature was made.
fn at(seconds: i64) -> SystemTime {
    (SIGNED_AT + time::Duration::seconds(seconds)).into()
}

fn verifier() -> Auth {
    let keys = Credentials::parse(KEYS, std::path::Path::new("keys.toml")).expect("good keys");
    Auth::new(AuthMode::Verify(keys), "rekognition")
}

fn verify(parts: &Parts) -> ApiResult<Caller> {
    verifier().authenticate(parts, BODY, at(60))
}

fn refusal(parts: &Parts) -> (ErrorCode, String) {
    refusal_at(parts, at(60))
}

fn refusal_at(parts: &Parts, now: SystemTime) -> (ErrorCode, String) {
    let error = verifier().authenticate(parts, BODY, now).expect_err("to be refused");
    (error.code(), error.message().expect("a text").to_owned())
}

fn set(parts: &mut Parts, name: &'static str, value: &str) {
    parts.headers.insert(
        HeaderName::from_static(name),
        HeaderValue::from_str(value).expect("a header value"),
    );
}

/// The `Authorization` header with one text replaced.
fn edit_authorization(parts: &mut Parts, from: &str, to: &str) {
    let header = parts.headers["authorization"].to_str().expect("text").to_owned();
    assert!(header.contains(from), "{header} has {from}");
    set(parts, "authorization", &header.replacen(from, to, 1));
}

fn edit_uri(parts: &mut Parts, from: &str, to: &str) {
    let uri = parts.uri.to_string();
    assert!(uri.contains(from), "{uri} has {from}");
    parts.uri = uri.replacen(from, to, 1).parse().expect("a URI");
}

#[test]
fn what_the_aws_signer_signs_is_accepted() {
    let uris =
        ["/", "/a/../b//c/./", "/caf%C3%A9/x%20y", "/?b=2&a=1&a=0&empty&k%20=v%2Bw", "/x?=&~-_.=*"];
    for uri in uris {
        for location in [SignatureLocation::Headers, SignatureLocation::QueryParams] {
            for content_sha256 in [false, true] {
                let draft =
                    Draft { uri: uri.to_owned(), location, content_sha256, ..Draft::default() };
                let caller = verify(&draft.sign())
                    .unwrap_or_else(|error| panic!("{uri} {location:?}: {error}"));
                assert_eq!(
                    (caller.account.as_str(), caller.region.as_str()),
                    ("123456789012", "eu-west-1")
                );
            }
        }
    }
}

/// AWS's published test suite for Signature Version 4, as its signer sends it.
#[test]
fn the_published_vectors_are_accepted() {
    const SCOPE: &str = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
    let keys = KEYS.replace("AKIDALICE", "AKIDEXAMPLE");
    let keys = Credentials::parse(&keys, std::path::Path::new("keys.toml")).expect("good keys");
    let now = datetime!(2015-08-30 12:36 UTC).into();
    let trim: &[(&str, &str)] = &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")];
    let duplicate: &[(&str, &str)] =
        &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")];
    for (uri, headers, signed_headers, signature) in [
        (
            "/",
            &[][..],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "/example1/example2/../..",
            &[],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "/ሴ",
            &[],
            "host;x-amz-date",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            &[],
            "host;x-amz-date",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "/",
            trim,
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "/",
            duplicate,
            "host;my-header1;x-amz-date",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
    ] {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={signed_headers}, Signature={signature}"
        );
        let mut request = Request::get(uri)
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).expect("a request").into_parts().0;
        if let Err(error) = sigv4::verify(&keys, "service", &parts, b"", now) {
            panic!("{uri}: {error}");
        }
    }
}

#[test]
fn a_session_needs_its_own_token() {
    for location in [SignatureLocation::Headers, SignatureLocation::QueryParams] {
        assert!(verify(&Draft { location, ..Draft::bob() }.sign()).is_ok());
        for wrong in [
            Draft { token: None, location, ..Draft::bob() },
            Draft { token: Some("another"), location, ..Draft::bob() },
            Draft { token: Some("unasked"), location, ..Draft::default() },
        ] {
            let expected = "The security token included in the request is invalid.".to_owned();
            assert_eq!(refusal(&wrong.sign()), (UnrecognizedClientException, expected));
        }
    }
}

#[test]
fn an_expired_session_is_refused() {
    let draft = Draft { location: SignatureLocation::QueryParams, ..Draft::bob() };
    let mut keys = KEYS.replace("2026-12-24T12:00:00Z", "2026-11-24T03:30:00Z");
    keys.push('\n');
    let keys = Credentials::parse(&keys, std::path::Path::new("k")).expect("good keys");
    let auth = Auth::new(AuthMode::Verify(keys), "rekognition");
    assert!(auth.authenticate(&draft.sign(), BODY, at(1799)).is_ok());
    let error = auth.authenticate(&draft.sign(), BODY, at(1800)).expect_err("an expired session");
    assert_eq!(error.code(), ExpiredTokenException);
    assert_eq!(error.message(), Some("The security token included in the request is expired"));
}

#[test]
fn a_date_header_stands_in_for_the_amz_date() {
    let mut parts = Draft::default().sign();
    parts.headers.remove("x-amz-date");
    set(&mut parts, "date", "Tue, 24 Nov 2026 03:00:00 GMT");
    edit_authorization(&mut parts, "x-amz-date", "date");
    let (_, message) = refusal(&parts);
    let string_to_sign = message.split('\'').nth(3).expect("the string to sign");
    let key = v4::generate_signing_key(Draft::default().secret, at(0), "eu-west-1", "rekognition");
    let signature = v4::calculate_signature(key, string_to_sign.as_bytes());
    let header = parts.headers["authorization"].to_str().expect("text").to_owned();
    let (_, unsound) = header.split_once("Signature=").expect("a signature");
    edit_authorization(&mut parts, unsound, &signature);
    assert!(verify(&parts).is_ok());
}

#[test]
fn open_mode_believes_what_it_reads() {
    let auth = Auth::new(AuthMode::default(), "rekognition");
    let request = |authorization: &str| {
        Request::post("/")
            .header("authorization", authorization)
            .body(())
            .expect("a request")
            .into_parts()
            .0
    };
    let scope = "Signature=x, SignedHeaders=host, Credential=";
    for (parts, account, region) in [
        (
            request(&format!(
                "AWS4-HMAC-SHA256 {scope}123456789012/20261124/eu-west-1/rekognition/aws4_request"
            )),
            "123456789012",
            "eu-west-1",
        ),
        (
            request(&format!(
                "AWS4-HMAC-SHA256 {scope}AKID/20261124/eu-west-1/rekognition/aws4_request"
            )),
            "000000000000",
            "eu-west-1",
        ),
        (
            request(&format!(
                "AWS4-HMAC-SHA256 {scope}123456789012/us-west-2/rekognition/aws4_request"
            )),
            "123456789012",
            "us-west-2",
        ),
        (
            request(&format!(
                "AWS4-ECDSA-P256-SHA256 {scope}AKID/20261124/rekognition/aws4_request"
            )),
            "000000000000",
            "us-east-1",
        ),
        (
            request(&format!("AWS4-HMAC-SHA256 {scope}AKID/20261124/../rekognition/aws4_request")),
            "000000000000",
            "us-east-1",
        ),
        (request("AWS4-HMAC-SHA256 Credential=123456789012"), "123456789012", "us-east-1"),
        (request("Bearer abc"), "000000000000", "us-east-1"),
        (
            Request::post("/").body(()).expect("a request").into_parts().0,
            "000000000000",
            "us-east-1",
        ),
        (
            Draft { access_key: "123456789012", ..Draft::presigned() }.sign(),
            "123456789012",
            "eu-west-1",
        ),
    ] {
        let caller = auth.authenticate(&parts, b"", at(1_000_000)).expect("anyone may in");
        assert_eq!(
            (caller.account.as_str(), caller.region.as_str()),
            (account, region),
            "{:?}",
            parts.headers
        );
        assert!(caller.authorize("DeleteCollection", Some("any")).is_ok());
    }
}
