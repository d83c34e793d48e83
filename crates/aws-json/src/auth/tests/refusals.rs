//! The texts of each refusal.

use super::*;
use crate::error::ErrorCode::{
    AccessDeniedException, IncompleteSignatureException, InvalidSignatureException,
    MissingAuthenticationTokenException, UnrecognizedClientException,
};

#[test]
fn unknown_keys_and_wrong_secrets_are_told_apart() {
    let unknown = Draft { access_key: "AKIDMALLORY", ..Draft::default() };
    assert_eq!(refusal(&unknown.sign()).0, UnrecognizedClientException);
    let wrong = Draft { secret: "guessed", ..Draft::default() };
    let (code, message) = refusal(&wrong.sign());
    assert_eq!(code, InvalidSignatureException);
    let expected = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
        Key and signing method. Consult the service documentation for details.\n\n\
        The Canonical String for this request should have been\n'POST\n/\n\n\
        content-type:application/x-amz-json-1.1\nhost:localhost:9340\nx-amz-date:20261124T030000Z\n\
        x-amz-note:two words,again\nx-amz-target:RekognitionService.DescribeCollection\n\n\
        content-type;host;x-amz-date;x-amz-note;x-amz-target\n\
        cd5a0f21e0b3fdd5e9be1b4e6b1b1a2ed0e1ad8b7eb0aa1d1b8bbd3d1c1a6a10'\n\n\
        The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20261124T030000Z\n\
        20261124/eu-west-1/rekognition/aws4_request\nHASH'\n";
    let body_hash = canonical::sha256_hex(BODY);
    let expected = expected
        .replace("cd5a0f21e0b3fdd5e9be1b4e6b1b1a2ed0e1ad8b7eb0aa1d1b8bbd3d1c1a6a10", &body_hash);
    let canonical_string = expected.split('\'').nth(1).expect("the canonical string");
    assert_eq!(
        message,
        expected.replace("HASH", &canonical::sha256_hex(canonical_string.as_bytes()))
    );
}

#[test]
fn a_request_without_exactly_one_signature_is_refused() {
    let mut unsigned = Draft::default().sign();
    unsigned.headers.remove("authorization");
    let expected = (MissingAuthenticationTokenException, "Missing Authentication Token".to_owned());
    assert_eq!(refusal(&unsigned), expected);

    let mut doubled = Draft::presigned().sign();
    set(&mut doubled, "authorization", "AWS4-HMAC-SHA256 Credential=a");
    let text =
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.";
    assert_eq!(refusal(&doubled), (InvalidSignatureException, text.to_owned()));
}

#[test]
fn each_missing_part_of_a_signature_is_named() {
    let mut bare = Draft::default().sign();
    set(&mut bare, "authorization", "Bearer abc");
    bare.headers.remove("x-amz-date");
    let all = "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
        Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a \
        'X-Amz-Date' or a 'Date' header. Authorization=Bearer abc";
    assert_eq!(refusal(&bare), (IncompleteSignatureException, all.to_owned()));

    let mut partial = Draft::default().sign();
    set(&mut partial, "authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host");
    let one = "Authorization header requires 'Signature' parameter. \
        Authorization=AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host";
    assert_eq!(refusal(&partial), (IncompleteSignatureException, one.to_owned()));

    let mut query = Draft::default().sign();
    query.headers.remove("authorization");
    query.uri = "/?X-Amz-Algorithm".parse().expect("a URI");
    let all = "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include \
        'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include \
        'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.";
    assert_eq!(refusal(&query), (IncompleteSignatureException, all.to_owned()));

    let mut dated = Draft::default().sign();
    set(&mut dated, "x-amz-date", "2026-11-24");
    let text = "Date must be in ISO-8601 'basic format'. Got '2026-11-24'. See http://en.wikipedia.org/wiki/ISO_8601";
    assert_eq!(refusal(&dated), (IncompleteSignatureException, text.to_owned()));
    // In UTC this is the year 10000, which the clock does not have.
    set(&mut dated, "x-amz-date", "Fri, 31 Dec 9999 23:59:59 -0100");
    assert_eq!(refusal(&dated).0, IncompleteSignatureException);

    let mut algorithm = Draft::default().sign();
    edit_authorization(&mut algorithm, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1");
    let text = "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1' (only AWS4-HMAC-SHA256 for now). ";
    assert_eq!(refusal(&algorithm), (IncompleteSignatureException, text.to_owned()));

    let mut short = Draft::default().sign();
    edit_authorization(&mut short, "/20261124", "");
    let text = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
        got 'AKIDALICE/eu-west-1/rekognition/aws4_request'";
    assert_eq!(refusal(&short), (IncompleteSignatureException, text.to_owned()));
}

#[test]
fn no_log_keeps_a_token() {
    let mut bearer = Draft::default().sign();
    set(&mut bearer, "authorization", "Bearer hush");
    let mut cookie = Draft { secret: "guessed", ..Draft::bob() }.sign();
    set(&mut cookie, "cookie", "hush");
    edit_authorization(&mut cookie, "SignedHeaders=", "SignedHeaders=cookie;");
    for (location, token) in [
        (SignatureLocation::Headers, "FwoGZXIvYXdzE/bob+session=="),
        (SignatureLocation::QueryParams, "FwoGZXIvYXdzE%2Fbob%2Bsession%3D%3D"),
    ] {
        let wrong = Draft { secret: "guessed", location, ..Draft::bob() }.sign();
        let error = verifier().authenticate(&wrong, BODY, at(0)).expect_err("a wrong secret");
        assert!(error.to_string().contains(token), "AWS repeats the client's own token: {error}");
        let logged = error.for_log();
        assert!(!logged.contains(token) && logged.contains("x-amz-target"), "{logged}");
    }
    for parts in [bearer, cookie] {
        let error = verifier().authenticate(&parts, BODY, at(0)).expect_err("no signature");
        assert!(error.to_string().contains("hush") && !error.for_log().contains("hush"), "{error}");
    }
}

#[test]
fn a_wrong_scope_is_described() {
    let region = Draft { region: "ap-south-1", ..Draft::default() }.sign();
    assert_eq!(
        refusal(&region),
        (InvalidSignatureException, "Credential should be scoped to a valid region. ".to_owned())
    );
    let service = Draft { service: "s3", ..Draft::default() }.sign();
    let text = "Credential should be scoped to correct service: 'rekognition'. ";
    assert_eq!(refusal(&service), (InvalidSignatureException, text.to_owned()));
    let mut all = Draft::default().sign();
    edit_authorization(
        &mut all,
        "20261124/eu-west-1/rekognition/aws4_request",
        "20261125/!/s3/aws5",
    );
    let text = "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'rekognition'. \
        Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. Date in Credential scope does not match \
        YYYYMMDD from ISO-8601 version of date from HTTP: '20261125' != '20261124', from '20261124T030000Z'.";
    assert_eq!(refusal(&all), (InvalidSignatureException, text.to_owned()));
}

#[test]
fn clocks_may_differ_by_fifteen_minutes_and_no_more() {
    let parts = Draft::default().sign();
    for seconds in [-900, 0, 900] {
        assert!(verifier().authenticate(&parts, BODY, at(seconds)).is_ok(), "{seconds} s");
    }
    let late = "Signature expired: 20261124T030000Z is now earlier than 20261124T030001Z (20261124T031501Z - 15 min.)";
    assert_eq!(refusal_at(&parts, at(901)), (InvalidSignatureException, late.to_owned()));
    let early = "Signature not yet current: 20261124T030000Z is still later than 20261124T025959Z (20261124T024459Z + 15 min.)";
    assert_eq!(refusal_at(&parts, at(-901)), (InvalidSignatureException, early.to_owned()));
    let mut end_of_time = Draft::presigned().sign();
    edit_uri(&mut end_of_time, "20261124T030000Z", "99991231T235959Z");
    assert_eq!(refusal(&end_of_time).0, InvalidSignatureException);
}

#[test]
fn a_presigned_request_lives_as_long_as_it_says() {
    let parts = Draft::presigned().sign();
    assert!(verifier().authenticate(&parts, BODY, at(3600)).is_ok());
    let late = "Signature expired: 20261124T030000Z is now earlier than 20261124T030001Z (20261124T040001Z - 60 min.)";
    assert_eq!(refusal_at(&parts, at(3601)), (InvalidSignatureException, late.to_owned()));
    for expiry in ["X-Amz-Expires=604801", "X-Amz-Expires=-1", "X-Amz-Expires=soon"] {
        let mut bent = Draft::presigned().sign();
        edit_uri(&mut bent, "X-Amz-Expires=3600", expiry);
        assert_eq!(refusal(&bent).0, IncompleteSignatureException, "{expiry}");
    }
}

#[test]
fn the_host_and_every_amz_header_must_be_signed() {
    let mut hostless = Draft::default().sign();
    edit_authorization(&mut hostless, "host;", "");
    let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    assert_eq!(refusal(&hostless), (InvalidSignatureException, text.to_owned()));
    for (mut parts, name) in
        [(Draft::default().sign(), "x-amz-extra"), (Draft::presigned().sign(), "x-amz--x")]
    {
        set(&mut parts, name, "smuggled");
        let (code, message) = refusal(&parts);
        assert_eq!(code, InvalidSignatureException);
        assert!(
            message.to_lowercase().starts_with(&format!("'{name}' must be a 'signedheader'")),
            "{message}"
        );
    }
    let mut harmless = Draft::default().sign();
    set(&mut harmless, "user-agent", "aws-cli/1.45");
    set(&mut harmless, "x-amzn-trace-id", "Root=1");
    assert!(verify(&harmless).is_ok());
}

#[test]
fn the_declared_body_hash_must_be_that_of_the_body() {
    for declared in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &"0".repeat(64), ""]
    {
        let mut parts = Draft { content_sha256: true, ..Draft::default() }.sign();
        set(&mut parts, "x-amz-content-sha256", declared);
        assert_eq!(refusal(&parts).0, InvalidSignatureException, "{declared}");
    }
}

#[test]
fn a_key_does_what_it_is_allowed() {
    let caller = verify(&Draft::default().sign()).expect("a caller");
    assert!(caller.authorize("IndexFaces", Some("prod-1")).is_ok());
    assert!(caller.authorize("ListCollections", None).is_ok());
    for (operation, collection_id, expected) in [
        (
            "IndexFaces",
            Some("test"),
            "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: rekognition:IndexFaces on resource: \
             arn:aws:rekognition:eu-west-1:123456789012:collection/test because no identity-based policy allows the \
             rekognition:IndexFaces action",
        ),
        (
            "DetectFaces",
            None,
            "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: rekognition:DetectFaces because no \
             identity-based policy allows the rekognition:DetectFaces action",
        ),
    ] {
        let error = caller.authorize(operation, collection_id).expect_err("to be refused");
        assert_eq!((error.code(), error.message()), (AccessDeniedException, Some(expected)));
    }
}
