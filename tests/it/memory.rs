//! Memory that images share: who waits for it keeps nobody else waiting.

use std::sync::Arc;

use serde_json::json;

use crate::support::faces::Photo;
use crate::support::{TestServer, bytes};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_waits_for_memory_does_not_stop_small_ones() {
    let server = Arc::new(TestServer::with(&["--memory", "256M", "--workers", "2"]).await);
    let total = server.pixels().total();
    assert!((64 * MIB..100 * MIB).contains(&total), "{total}");
    let all = server.pixels().take(total).await.expect("nobody else");
    let large = Photo::empty(1600, 1200).with(1, 0, 300, 300, 600);
    let large = json!({ "Image": bytes(&large.jpeg()) });
    // More of them than there are inference threads.
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let (server, large) = (Arc::clone(&server), large.clone());
            tokio::spawn(async move { server.call("DetectFaces", large).await })
        })
        .collect();
    let small = json!({ "Image": bytes(&Photo::of(2, 0).jpeg()) });
    for _ in 0..3 {
        let answer = server.ok("DetectFaces", small.clone()).await;
        assert_eq!(answer["FaceDetails"].as_array().map(Vec::len), Some(1));
    }
    assert!(waiting.iter().all(|large| !large.is_finished()), "there is no memory for them");
    drop(all);
    for large in waiting {
        let reply = large.await.expect("no panic");
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body["FaceDetails"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_large_images_are_compared_in_the_memory_of_one() {
    let server = TestServer::with(&["--memory", "256M"]).await;
    let image = bytes(&Photo::empty(4000, 3000).with(1, 0, 500, 500, 600).jpeg());
    let compare = json!({ "SourceImage": image, "TargetImage": image });
    let answer = server.ok("CompareFaces", compare).await;
    assert_eq!(answer["FaceMatches"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.pixels().held(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_never_fits_is_refused_by_its_header() {
    let server = TestServer::with(&["--memory", "256M"]).await;
    let photo = Photo::empty(4000, 3000);
    let mut file = std::io::Cursor::new(Vec::new());
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 20);
    encoder.set_progressive(true);
    encoder.encode(photo.0.as_raw(), 4000, 3000, jpeg_encoder::ColorType::Rgb).expect("encodes");
    let input = json!({ "Image": bytes(&file.into_inner()) });
    let (code, text) = server.refusal("DetectFaces", input).await;
    assert_eq!(code, "ImageTooLargeException");
    assert!(text.contains("need more memory than this server has"), "{text}");
}
