//! Objects out of a folder, and out of a server that speaks as much of S3 as a download needs.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::room::HELD_BYTES;
use super::s3::MAX_RETRIES;
use super::*;
use aws_json::ErrorCode::{
    ImageTooLargeException, InternalServerError, InvalidS3ObjectException,
    ProvisionedThroughputExceededException, ThrottlingException,
};
use aws_json::{ApiError, ErrorCode};

const NO_METADATA: &str =
    "Unable to get object metadata from S3. Check object key, region and/or access permissions.";

/// What the server was asked: method and target, and headers.
type Log = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Answers by the name of the object.
async fn s3(State(log): State<Log>, request: Request) -> Response {
    let target = request.uri().to_string();
    log.lock()
        .expect("the log")
        .push((format!("{} {target}", request.method()), request.headers().clone()));
    let status = |code: u16| StatusCode::from_u16(code).expect("a status").into_response();
    match target.as_str() {
        "/photos/a/b%20c%2Bd%25e.jpg" => "plus and space".into_response(),
        "/photos/%C3%A9.jpg?versionId=v_1.x-" => "an old version".into_response(),
        "/photos/edge.jpg" => vec![7; MAX_S3_IMAGE].into_response(),
        "/photos/large.jpg" => {
            let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
            ([("content-length", (MAX_S3_IMAGE + 1).to_string())], body).into_response()
        }
        "/photos/denied.jpg" => status(403),
        "/photos/elsewhere.jpg" => status(301),
        "/photos/bad.jpg?versionId=%21" => {
            (StatusCode::BAD_REQUEST, "<Code>InvalidArgument</Code>").into_response()
        }
        "/photos/a//b.jpg" | "/photos//lead" | "/photos/trail/" | "/photos/a%09b%0A.jpg" => {
            "an odd key".into_response()
        }
        "/photos/short.jpg" => {
            let chunks = [Ok::<_, std::io::Error>("12345"), Err(std::io::Error::other("cut"))];
            ([("content-length", "10")], Body::from_stream(stream::iter(chunks))).into_response()
        }
        "/photos/stalled.jpg" => {
            let chunks = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"12345"))]);
            let body = Body::from_stream(futures_util::StreamExt::chain(chunks, stream::pending()));
            ([("content-length", MAX_S3_IMAGE.to_string())], body).into_response()
        }
        "/photos/redirected.jpg" => {
            let target = format!("http://localhost:1{}", "/photos/edge.jpg");
            (StatusCode::TEMPORARY_REDIRECT, [("location", target)]).into_response()
        }
        "/photos/moved.jpg" => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "/photos/edge.jpg")]).into_response()
        }
        "/photos/busy.jpg" => status(503),
        "/photos/broken.jpg" => status(500),
        _ => status(404),
    }
}

async fn s3_server() -> (ImageSource, Log) {
    let log = Log::default();
    let router = Router::new().fallback(s3).with_state(Arc::clone(&log));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let builder = AmazonS3Builder::new()
        .with_config(AmazonS3ConfigKey::S3Endpoint, url)
        .with_access_key_id("AKIDLOOKALIKE")
        .with_secret_access_key("hush")
        .with_token("session")
        .with_region("eu-west-1");
    (ImageSource::of(Backend::S3(Arc::new(S3::open(builder).expect("a client")))), log)
}

/// An object that is a text.
async fn text(source: &ImageSource, name: &str, version: Option<&str>) -> String {
    let bytes = source
        .fetch("photos", name, version)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    String::from_utf8(bytes.to_vec()).expect("text")
}

async fn refusal(source: &ImageSource, name: &str, version: Option<&str>) -> (ErrorCode, String) {
    let error = source.fetch("photos", name, version).await.err().expect(name);
    let error = ApiError::from(error);
    (error.code(), error.message().expect("a text").to_owned())
}

#[tokio::test]
async fn an_object_is_asked_for_by_its_exact_name_with_a_signature() {
    let (source, log) = s3_server().await;
    assert_eq!(text(&source, "a/b c+d%e.jpg", None).await, "plus and space");
    let (asked, headers) = log.lock().expect("the log").pop().expect("a request");
    assert_eq!(asked, "GET /photos/a/b%20c%2Bd%25e.jpg");
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let authorization = header("authorization");
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDLOOKALIKE/"),
        "{authorization}"
    );
    assert!(
        authorization.contains("/eu-west-1/s3/aws4_request, SignedHeaders="),
        "{authorization}"
    );
    assert_eq!(header("x-amz-security-token"), "session");
    assert!(header("x-amz-date").ends_with('Z'));
}

#[tokio::test]
async fn a_version_is_asked_for_by_its_id() {
    let (source, _) = s3_server().await;
    assert_eq!(text(&source, "é.jpg", Some("v_1.x-")).await, "an old version");
    let expected = (InvalidS3ObjectException, NO_METADATA.to_owned());
    assert_eq!(refusal(&source, "é.jpg", Some("v2")).await, expected);
    assert_eq!(refusal(&source, "bad.jpg", Some("!")).await, expected);
}

#[tokio::test]
async fn an_object_over_15_megabytes_is_refused_before_it_is_read() {
    let (source, _) = s3_server().await;
    assert_eq!(source.fetch("photos", "edge.jpg", None).await.expect("15 MB").len(), MAX_S3_IMAGE);
    let refused =
        tokio::time::timeout(Duration::from_secs(5), refusal(&source, "large.jpg", None)).await;
    assert_eq!(
        refused.expect("at once"),
        (ImageTooLargeException, "Image size is too large".to_owned())
    );
}

#[tokio::test]
async fn each_failure_of_s3_has_its_error() {
    let (source, log) = s3_server().await;
    for name in ["missing.jpg", "denied.jpg", "elsewhere.jpg"] {
        assert_eq!(
            refusal(&source, name, None).await,
            (InvalidS3ObjectException, NO_METADATA.to_owned()),
            "{name}"
        );
    }
    assert_eq!(log.lock().expect("the log").len(), 3, "refusals are not retried");
    let busy = (ProvisionedThroughputExceededException, "S3 download limit exceeded".to_owned());
    assert_eq!(refusal(&source, "busy.jpg", None).await, busy);
    assert_eq!(refusal(&source, "broken.jpg", None).await.0, InternalServerError);
    assert_eq!(log.lock().expect("the log").len(), 3 + 2 * (1 + MAX_RETRIES as usize));
}

#[tokio::test]
async fn an_unreachable_endpoint_is_our_failure() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let builder = AmazonS3Builder::new()
        .with_config(AmazonS3ConfigKey::S3Endpoint, format!("http://{free}"))
        .with_access_key_id("a")
        .with_secret_access_key("b");
    let s3 = Arc::new(S3::open(builder).expect("a client"));
    assert!(s3.probe().await.expect_err("nobody listens").is_connect());
    let source = ImageSource::of(Backend::S3(s3));
    assert_eq!(refusal(&source, "a.jpg", None).await.0, InternalServerError);
}

#[tokio::test]
async fn every_key_of_s3_is_read() {
    let (source, _) = s3_server().await;
    for name in ["a//b.jpg", "/lead", "trail/", "a\tb\n.jpg"] {
        assert_eq!(text(&source, name, None).await, "an odd key", "{name}");
    }
    for name in ["a/./b", "../photos/edge.jpg", ".", "a/.."] {
        assert_eq!(refusal(&source, name, None).await.0, InvalidS3ObjectException, "{name}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (source, log) = s3_server().await;
    for name in ["redirected.jpg", "moved.jpg"] {
        let expected = (InvalidS3ObjectException, NO_METADATA.to_owned());
        assert_eq!(refusal(&source, name, None).await, expected, "{name}");
    }
    assert_eq!(log.lock().expect("the log").len(), 2);
}

#[tokio::test]
async fn an_object_that_breaks_off_or_stalls_is_the_clients_problem() {
    let (source, _) = s3_server().await;
    let expected = (InvalidS3ObjectException, NO_METADATA.to_owned());
    assert_eq!(refusal(&source, "short.jpg", None).await, expected);
    assert_eq!(refusal(&source, "stalled.jpg", None).await, expected);
}

#[tokio::test]
async fn slow_objects_leave_room_for_others() {
    let (source, _) = s3_server().await;
    let source = Arc::new(source);
    let slow: Vec<_> = (0..64)
        .map(|_| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { source.fetch("photos", "stalled.jpg", None).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(slow.iter().all(|fetch| !fetch.is_finished()));
    assert_eq!(source.fetch("photos", "edge.jpg", None).await.expect("room").len(), MAX_S3_IMAGE);
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

fn folder() -> (tempfile::TempDir, ImageSource) {
    let root = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    write("s3/photos/a/b c+d%20e.jpg", b"plain");
    write("s3/photos/\u{e9}\u{1f600}#1x.jpg", b"unicode");
    write("s3/other/secret.jpg", b"another bucket");
    write("outside.jpg", b"outside");
    write("s3/loose.jpg", b"in no bucket");
    let source = ImageSource::open(&S3Location::Folder(root.path().join("s3"))).expect("a source");
    (root, source)
}

#[tokio::test]
async fn a_folder_of_buckets_serves_plain_names() {
    let (_root, source) = folder();
    assert_eq!(text(&source, "a/b c+d%20e.jpg", None).await, "plain");
    assert_eq!(text(&source, "\u{e9}\u{1f600}#1x.jpg", None).await, "unicode");
    let too_long = "x".repeat(300);
    for name in [
        "#1",
        &too_long,
        "a",
        "a/b c+d e.jpg",
        "a/b+c+d%20e.jpg",
        "A/B C+D%20E.jpg",
        "missing",
        "a/b c+d%20e.jpg/x",
    ] {
        assert_eq!(
            refusal(&source, name, None).await,
            (InvalidS3ObjectException, NO_METADATA.to_owned()),
            "{name}"
        );
    }
    assert_eq!(refusal(&source, "a/b c+d%20e.jpg", Some("1")).await.0, InvalidS3ObjectException);
}

#[tokio::test]
async fn no_name_leads_out_of_its_bucket() {
    let (root, source) = folder();
    let absolute = root.path().join("outside.jpg").display().to_string();
    for name in [
        "../../outside.jpg",
        "../other/secret.jpg",
        "a/../../other/secret.jpg",
        "%2e%2e/other/secret.jpg",
        "..%2fother/secret.jpg",
        "/a/b c+d%20e.jpg",
        "a//b c+d%20e.jpg",
        "a/./b c+d%20e.jpg",
        "a/b c+d%20e.jpg/",
        "a/b c+d%20e.jpg\0",
        "a\tb.jpg",
        ".",
        "..",
        "/",
        "",
        "..\\other\\secret.jpg",
        absolute.as_str(),
    ] {
        assert_eq!(refusal(&source, name, None).await.0, InvalidS3ObjectException, "{name}");
    }
    for bucket in
        ["", ".", "..", "...", "photos/a", "../s3/photos", "ph\0tos", "%2e%2e", "loose.jpg"]
    {
        let error = source.fetch(bucket, "secret.jpg", None).await.err().expect(bucket);
        assert_eq!(ApiError::from(error).code(), InvalidS3ObjectException, "{bucket}");
    }
}

#[tokio::test]
async fn a_large_file_is_refused_by_its_size() {
    let (root, source) = folder();
    let file = std::fs::File::create(root.path().join("s3/photos/large.jpg")).expect("a file");
    file.set_len(MAX_S3_IMAGE as u64).expect("a length");
    assert_eq!(source.fetch("photos", "large.jpg", None).await.expect("15 MB").len(), MAX_S3_IMAGE);
    file.set_len(MAX_S3_IMAGE as u64 + 1).expect("a length");
    assert_eq!(refusal(&source, "large.jpg", None).await.0, ImageTooLargeException);
}

#[tokio::test]
async fn fetched_images_have_room_until_they_are_dropped() {
    let (root, source) = folder();
    let file = std::fs::File::create(root.path().join("s3/photos/large.jpg")).expect("a file");
    file.set_len(MAX_S3_IMAGE as u64).expect("a length");
    let mut held = Vec::new();
    for _ in 0..HELD_BYTES / MAX_S3_IMAGE {
        held.push(source.fetch("photos", "large.jpg", None).await.expect("room"));
    }
    assert_eq!(
        refusal(&source, "large.jpg", None).await,
        (ThrottlingException, "Service Unavailable".to_owned())
    );
    assert_eq!(
        refusal(&source, "missing.jpg", None).await.0,
        InvalidS3ObjectException,
        "what takes no room is told as ever"
    );
    held.pop();
    assert!(source.fetch("photos", "large.jpg", None).await.is_ok());
}

#[test]
fn a_body_longer_than_it_said_is_cut_off() {
    let mut arriving = Room::default().arriving();
    arriving.expect(10).expect("small");
    arriving.push(b"12345").expect("room");
    arriving.push(b"12345").expect("room");
    assert!(matches!(arriving.push(b"1"), Err(ObjectError::TooLarge)));
    assert_eq!(&*arriving.finish(), b"1234512345");
}

#[tokio::test]
async fn without_s3_every_object_is_refused() {
    let source = ImageSource::open(&S3Location::None).expect("a source");
    assert_eq!(
        refusal(&source, "a.jpg", None).await,
        (InvalidS3ObjectException, NO_METADATA.to_owned())
    );
    let error =
        ImageSource::open(&S3Location::Folder("/nonexistent/s3".into())).err().expect("no folder");
    assert!(error.to_string().contains("/nonexistent/s3"), "{error}");
}

#[test]
fn a_location_is_read_from_one_word() {
    for (text, expected) in [
        ("none", S3Location::None),
        ("aws", S3Location::Aws),
        ("http://minio:9000", S3Location::Endpoint("http://minio:9000".to_owned())),
        ("/srv/buckets", S3Location::Folder("/srv/buckets".into())),
        ("./aws", S3Location::Folder("./aws".into())),
    ] {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
}
