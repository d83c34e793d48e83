//! DetectFaces: images in every form that people send.

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use image::{DynamicImage, ImageEncoder, ImageFormat, codecs::jpeg::JpegEncoder};
use serde_json::{Value, json};
use std::io::Cursor;

use crate::support::faces::Photo;
use crate::support::files::forms;
use crate::support::process::Process;
use crate::support::{Client, TestServer, bytes};

async fn count(server: &TestServer, image: &[u8]) -> usize {
    let answer = server.ok("DetectFaces", json!({ "Image": bytes(image) })).await;
    answer["FaceDetails"].as_array().unwrap().len()
}

fn png(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_png_and_jpeg_is_read() {
    let server = TestServer::start().await;
    let photo = DynamicImage::ImageRgb8(Photo::of(2, 0).0);
    for (kind, image) in [
        ("8-bit color", png(&photo)),
        ("16-bit color", png(&photo.to_rgb16().into())),
        ("alpha", png(&photo.to_rgba8().into())),
        ("16-bit alpha", png(&photo.to_rgba16().into())),
        ("gray", png(&photo.to_luma8().into())),
        ("16-bit gray with alpha", png(&photo.to_luma_alpha16().into())),
        ("JPEG", Photo::of(2, 0).jpeg()),
        ("gray JPEG", {
            let mut bytes = Vec::new();
            let gray = photo.to_luma8();
            JpegEncoder::new(&mut bytes)
                .write_image(&gray, gray.width(), gray.height(), image::ExtendedColorType::L8)
                .unwrap();
            bytes
        }),
    ] {
        assert_eq!(count(&server, &image).await, 1, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_jpeg_and_png_show_the_same_face() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let photo = Photo::empty(600, 400).with(2, 0, 20, 50, 300);
    let left = |face: &Value| face["BoundingBox"]["Left"].as_f64().expect("a face");
    let plain = server.ok("DetectFaces", json!({ "Image": bytes(&photo.jpeg()) })).await;
    for (form, image) in forms(&photo.0) {
        let detected = server.ok("DetectFaces", json!({ "Image": bytes(&image) })).await;
        let [face] = &detected["FaceDetails"].as_array().unwrap()[..] else {
            panic!("{form}: {detected}")
        };
        assert!((left(face) - left(&plain["FaceDetails"][0])).abs() < 0.03, "{form}: {face}");
        server.index_one("staff", &image).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exif_orientation_is_applied_to_jpeg() {
    let server = TestServer::start().await;
    let upright = Photo::empty(600, 400).with(2, 0, 20, 50, 300);
    let reference = server.ok("DetectFaces", json!({ "Image": bytes(&upright.jpeg()) })).await;
    let left =
        |answer: &Value| answer["FaceDetails"][0]["BoundingBox"]["Left"].as_f64().expect("a face");
    // Orientation 6: the camera was turned, the picture has to be rotated by 90 degrees clockwise.
    let stored = image::imageops::rotate270(&upright.0);
    let mut turned = Vec::new();
    let mut encoder = JpegEncoder::new(&mut turned);
    let orientation_6 = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(orientation_6).unwrap();
    encoder.encode_image(&stored).unwrap();
    let answer = server.ok("DetectFaces", json!({ "Image": bytes(&turned) })).await;
    assert!(
        (left(&answer) - left(&reference)).abs() < 0.02,
        "{} {}",
        left(&answer),
        left(&reference)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_jpeg_or_png_is_refused() {
    let server = TestServer::start().await;
    let jpeg = Photo::of(2, 0).jpeg();
    let base64_twice = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &jpeg);
    for (kind, image) in [
        ("text", b"hello".to_vec()),
        ("base64 of a JPEG", base64_twice.clone().into_bytes()),
        ("a data URL", format!("data:image/jpeg;base64,{base64_twice}").into_bytes()),
        (
            "GIF",
            b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
                .to_vec(),
        ),
        ("the start of a JPEG", jpeg[..20].to_vec()),
        ("a JPEG's magic alone", b"\xff\xd8\xff\xe0".to_vec()),
    ] {
        let refusal = server.refusal("DetectFaces", json!({ "Image": bytes(&image) })).await;
        assert_eq!(
            refusal,
            (
                "InvalidImageFormatException".to_owned(),
                "Request has invalid image format".to_owned()
            ),
            "{kind}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_jpeg_shows_what_arrived() {
    let server = TestServer::start().await;
    let jpeg = Photo::of(2, 0).jpeg();
    assert_eq!(count(&server, &jpeg[..jpeg.len() - jpeg.len() / 20]).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_small_and_too_large_images_are_refused() {
    let server = TestServer::start().await;
    let refusal = server
        .refusal("DetectFaces", json!({ "Image": bytes(&Photo::empty(300, 79).png()) }))
        .await;
    assert_eq!(
        refusal,
        ("InvalidParameterException".to_owned(), "Request has invalid parameters".to_owned())
    );
    assert_eq!(count(&server, &Photo::empty(80, 80).png()).await, 0);

    let wide = png(&DynamicImage::new_luma8(10_001, 80));
    let refusal = server.refusal("DetectFaces", json!({ "Image": bytes(&wide) })).await;
    let text = "Input image dimensions 10001 x 80 exceed maximum dimension size of 10000 pixels"
        .to_owned();
    assert_eq!(refusal, ("ImageTooLargeException".to_owned(), text));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_comes_from_exactly_one_place() {
    let server = TestServer::start().await;
    let object = json!({ "Bucket": "photos", "Name": "one.jpg" });
    let both = json!({ "Bytes": "AAAA", "S3Object": object });
    for image in [json!({}), both] {
        let refusal = server.refusal("DetectFaces", json!({ "Image": image })).await;
        assert_eq!(
            refusal,
            ("InvalidParameterException".to_owned(), "Request has invalid parameters".to_owned())
        );
    }
    let refusal = server.refusal("DetectFaces", json!({ "Image": { "S3Object": object } })).await;
    let text = "Unable to get object metadata from S3. Check object key, region and/or access permissions.";
    assert_eq!(refusal, ("InvalidS3ObjectException".to_owned(), text.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_from_a_folder_of_buckets() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    std::fs::write(folder.path().join("photos/a b+ü.jpg"), Photo::of(2, 0).jpeg()).unwrap();
    std::fs::write(folder.path().join("photos/huge.jpg"), vec![0; 15 * 1024 * 1024 + 1]).unwrap();
    let server = TestServer::with(&["--s3", folder.path().to_str().unwrap()]).await;
    let object =
        |name: &str| json!({ "Image": { "S3Object": { "Bucket": "photos", "Name": name } } });
    let answer = server.ok("DetectFaces", object("a b+ü.jpg")).await;
    assert_eq!(answer["FaceDetails"].as_array().unwrap().len(), 1);
    assert_eq!(
        server.refusal("DetectFaces", object("none.jpg")).await.0,
        "InvalidS3ObjectException"
    );
    let refusal = server.refusal("DetectFaces", object("huge.jpg")).await;
    assert_eq!(
        refusal,
        ("ImageTooLargeException".to_owned(), "Image size is too large".to_owned())
    );
}

/// As much of S3 as a download needs: one object in two versions, its name and type at odds with
/// what it is.
async fn s3(uri: Uri) -> Response {
    match uri.to_string().as_str() {
        "/photos/one.png" => {
            ([("content-type", "text/plain")], Photo::empty(200, 200).jpeg()).into_response()
        }
        "/photos/one.png?versionId=first" => {
            ([("content-type", "image/png")], Photo::of(2, 0).jpeg()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_from_an_endpoint_in_the_version_asked_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(s3)).await });
    let keys = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let data = tempfile::tempdir().unwrap();
    let process = Process::with(data.path(), &["--s3", &endpoint], &keys);
    let client = Client::new(&process.url);
    let object = |version: Option<&str>| json!({ "Image": { "S3Object": { "Bucket": "photos", "Name": "one.png", "Version": version } } });
    for (version, faces) in [(None, 0), (Some("first"), 1)] {
        let answer = client.ok("DetectFaces", object(version)).await;
        assert_eq!(answer["FaceDetails"].as_array().unwrap().len(), faces, "{version:?}");
    }
    assert_eq!(
        client.refusal("DetectFaces", object(Some("second"))).await.0,
        "InvalidS3ObjectException"
    );
}
