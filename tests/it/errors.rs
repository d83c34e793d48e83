//! Every error that the IndexFaces page of 2017 lists, and validation.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::{TestServer, bytes};

fn index(image: Value) -> Value {
    json!({ "CollectionId": "staff", "Image": image })
}

fn photo() -> Value {
    bytes(&Photo::of(1, 0).jpeg())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_images_errors() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let wide = Photo::empty(10_001, 80).png();
    let missing = json!({ "S3Object": { "Bucket": "photos", "Name": "x" } });
    for (image, code, text) in [
        (
            bytes(&wide),
            "ImageTooLargeException",
            "Input image dimensions 10001 x 80 exceed maximum dimension size of 10000 pixels",
        ),
        (bytes(b"GIF89a"), "InvalidImageFormatException", "Request has invalid image format"),
        (json!({}), "InvalidParameterException", "Request has invalid parameters"),
        (
            missing,
            "InvalidS3ObjectException",
            "Unable to get object metadata from S3. Check object key, region and/or access permissions.",
        ),
        (
            json!({ "S3Object": { "Bucket": "photos" } }),
            "InvalidS3ObjectException",
            "Request has invalid S3 object",
        ),
    ] {
        assert_eq!(
            server.refusal("IndexFaces", index(image)).await,
            (code.to_owned(), text.to_owned())
        );
    }
    let described = server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(described["FaceCount"], 0, "a refused image leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_not_there() {
    let server = TestServer::start().await;
    let refusal = server.refusal("IndexFaces", index(photo())).await;
    assert_eq!(
        refusal,
        (
            "ResourceNotFoundException".to_owned(),
            "The collection id: staff does not exist".to_owned()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_do_not_fit_are_told_before_the_collection() {
    let server = TestServer::start().await;
    let both = json!({ "Bytes": "AAAA", "S3Object": { "Bucket": "photos", "Name": "x" } });
    for operation in ["IndexFaces", "SearchFacesByImage", "SearchUsersByImage"] {
        for image in [json!({}), both.clone()] {
            let refusal = server.refusal(operation, index(image)).await;
            let expected = (
                "InvalidParameterException".to_owned(),
                "Request has invalid parameters".to_owned(),
            );
            assert_eq!(refusal, expected, "{operation}");
        }
        assert_eq!(
            server.refusal(operation, index(photo())).await.0,
            "ResourceNotFoundException",
            "{operation}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_rate_over_its_limit() {
    let server = TestServer::with(&["--limit", "IndexFaces=0.01"]).await;
    server.collection("staff").await;
    server.ok("IndexFaces", index(photo())).await;
    let reply = server.call("IndexFaces", index(photo())).await;
    assert_eq!(reply.status, 400);
    let text = "Provisioned rate exceeded".to_owned();
    assert_eq!(reply.refusal(), ("ProvisionedThroughputExceededException".to_owned(), text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_images_than_the_queue_holds() {
    let server = TestServer::with(&["--workers", "1", "--queue", "1"]).await;
    server.collection("staff").await;
    let large = index(bytes(&Photo::empty(3000, 3000).with(1, 0, 500, 500, 2000).jpeg()));
    let replies =
        futures_util::future::join_all((0..12).map(|_| server.call("IndexFaces", large.clone())))
            .await;
    let answered = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(answered >= 1, "the queue is worked off");
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status != 200).collect();
    assert!(!refused.is_empty(), "twelve at once are more than one running and one waiting");
    for reply in refused {
        assert_eq!(reply.status, 500);
        assert_eq!(
            reply.refusal(),
            ("ThrottlingException".to_owned(), "Service Unavailable".to_owned())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_ours() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    server.store().close().await;
    let reply = server.call("IndexFaces", index(photo())).await;
    assert_eq!(reply.status, 500);
    assert_eq!(
        reply.refusal(),
        ("InternalServerError".to_owned(), "Internal server error".to_owned())
    );
    let ready = reqwest::get(format!("{}/_lookalike/ready", server.url())).await.unwrap();
    assert_eq!(ready.status(), 503);
    let health = reqwest::get(format!("{}/_lookalike/health", server.url())).await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_valid_key_and_keys_without_a_right() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "[[key]]\naccess_key_id = \"AKIATEST\"\nsecret_access_key = \"secret\"\naccount = \"123456789012\"\nuser = \"alice\"\n\
         actions = [\"rekognition:List*\", \"CreateCollection\"]\ncollections = [\"staff\"]\n"
    )
    .unwrap();
    let server =
        TestServer::with(&["--auth", "verify", "--credentials", file.path().to_str().unwrap()])
            .await;
    let unsigned =
        server.post(&[("x-amz-target", "RekognitionService.ListCollections")], "{}").await;
    let text = "Missing Authentication Token".to_owned();
    assert_eq!(unsigned.refusal(), ("MissingAuthenticationTokenException".to_owned(), text));

    assert_eq!(
        server
            .signed("AKIATEST", "secret", "CreateCollection", json!({ "CollectionId": "staff" }))
            .await
            .status,
        200
    );
    let wrong = server.signed("AKIATEST", "guessed", "ListCollections", json!({})).await;
    assert_eq!(wrong.refusal().0, "InvalidSignatureException");
    let stranger = server.signed("AKIAOTHER", "secret", "ListCollections", json!({})).await;
    let text = "The security token included in the request is invalid.".to_owned();
    assert_eq!(stranger.refusal(), ("UnrecognizedClientException".to_owned(), text));

    let denied = server.signed("AKIATEST", "secret", "IndexFaces", index(photo())).await;
    assert_eq!(denied.status, 400);
    let (code, text) = denied.refusal();
    assert_eq!(code, "AccessDeniedException");
    assert_eq!(
        text,
        "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: rekognition:IndexFaces on resource: \
         arn:aws:rekognition:us-east-1:123456789012:collection/staff because no identity-based policy allows the \
         rekognition:IndexFaces action"
    );
    let tagged = json!({ "CollectionId": "staff", "Tags": { "team": "a" } });
    let (code, text) =
        server.signed("AKIATEST", "secret", "CreateCollection", tagged).await.refusal();
    assert_eq!(code, "AccessDeniedException", "tags need a right of their own");
    assert!(
        text.contains("is not authorized to perform: rekognition:TagResource on resource: "),
        "{text}"
    );
    let untagged = json!({ "CollectionId": "staff", "Tags": {} });
    let again = server.signed("AKIATEST", "secret", "CreateCollection", untagged).await;
    assert_eq!(again.refusal().0, "ResourceAlreadyExistsException");

    let other =
        server.signed("AKIATEST", "secret", "ListFaces", json!({ "CollectionId": "guests" })).await;
    assert_eq!(
        other.refusal().0,
        "AccessDeniedException",
        "whether a collection exists is told only to those who may look"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_violations_come_in_one_message() {
    let server = TestServer::start().await;
    let (code, text) = server
        .refusal(
            "IndexFaces",
            json!({
                "CollectionId": "a b", "ExternalImageId": "", "MaxFaces": 0, "QualityFilter": "BEST",
                "DetectionAttributes": ["ALL", "HAIR"], "Image": { "Bytes": "", "S3Object": { "Bucket": "a/b", "Name": "" } }
            }),
        )
        .await;
    assert_eq!(code, "ValidationException");
    let attributes = "DEFAULT, ALL, AGE_RANGE, BEARD, EMOTIONS, EYE_DIRECTION, EYEGLASSES, EYES_OPEN, GENDER, MOUTH_OPEN, MUSTACHE, \
                      FACE_OCCLUDED, SMILE, SUNGLASSES";
    let violations = [
        "Value 'a b' at 'collectionId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.\\-]+"
            .to_owned(),
        "Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'image.bytes' failed to satisfy constraint: Member must have length \
         greater than or equal to 1"
            .to_owned(),
        "Value 'a/b' at 'image.s3Object.bucket' failed to satisfy constraint: Member must satisfy regular expression pattern: \
         [0-9A-Za-z\\.\\-_]*"
            .to_owned(),
        "Value '' at 'image.s3Object.name' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned(),
        "Value '' at 'externalImageId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.\\-:]+"
            .to_owned(),
        "Value '' at 'externalImageId' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned(),
        format!(
            "Value '[ALL, HAIR]' at 'detectionAttributes' failed to satisfy constraint: Member must satisfy constraint: [Member must \
             satisfy enum value set: [{attributes}]]"
        ),
        "Value '0' at 'maxFaces' failed to satisfy constraint: Member must have value greater than or equal to 1".to_owned(),
        "Value 'BEST' at 'qualityFilter' failed to satisfy constraint: Member must satisfy enum value set: [NONE, AUTO, LOW, MEDIUM, \
         HIGH]"
            .to_owned(),
    ];
    assert_eq!(text, format!("9 validation errors detected: {}", violations.join("; ")));
}
