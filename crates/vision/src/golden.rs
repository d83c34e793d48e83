//! The server and the training recipe see the same: the recipe's copy of the pipeline wrote what
//! the default pack answers for the example images (`recipe golden`).

use image::imageops;
use serde::Deserialize;

use crate::image::DecodedImage;
use crate::testing::{default_pack, init_runtime, picture};
use crate::{Detection, Networks, Point, Vision, VisionOptions};

#[derive(Deserialize)]
struct Entry {
    image: String,
    quarters: u32,
    faces: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    /// Left, top, right, bottom in pixels.
    #[serde(rename = "box")]
    bounding_box: [f32; 4],
    landmarks: [[f32; 2]; 5],
    confidence: f32,
    vector: Vec<f32>,
}

fn turned(name: &str, quarters: u32) -> DecodedImage {
    let mut image = picture(name);
    for _ in 0..quarters {
        image.pixels = imageops::rotate90(&image.pixels);
    }
    image
}

#[tokio::test]
async fn the_recipe_and_the_server_agree() {
    init_runtime();
    let vision =
        Vision::load(default_pack(), VisionOptions { workers: 1, queue: 1 }).expect("loads");
    let text = include_str!("golden.json");
    let entries: Vec<Entry> = serde_json::from_str(text).expect("what the recipe wrote");
    assert!(entries.iter().map(|entry| entry.faces.len()).sum::<usize>() >= 15);
    for entry in entries {
        vision.run(move |networks| compare(networks, &entry)).await.expect("runs");
    }
}

fn compare(networks: &mut Networks, entry: &Entry) {
    let image = turned(&entry.image, entry.quarters);
    let found = networks.detect(&image).expect("detects");
    // A pixel of what the network sees.
    let (width, height) = image.pixels.dimensions();
    let pixel = (width.max(height) as f32 / 768.0).max(1.0);
    let place = format!("{} turned {} times", entry.image, entry.quarters);
    assert_eq!(found.len(), entry.faces.len(), "{place}");
    // With the same landmarks, so that the crops and the embedder are compared alone.
    let placed: Vec<Detection> = found
        .iter()
        .zip(&entry.faces)
        .map(|(face, golden)| Detection {
            landmarks: golden.landmarks.map(|[x, y]| Point::new(x, y)),
            ..*face
        })
        .collect();
    let placed: Vec<&Detection> = placed.iter().collect();
    let embeddings = networks.embed(&image, &placed).expect("embeds");
    for ((face, embedding), golden) in found.iter().zip(embeddings).zip(&entry.faces) {
        let [left, top, right, bottom] = golden.bounding_box;
        let mine = &face.bounding_box;
        let sides = [mine.left, mine.top, mine.right(), mine.bottom()];
        for (mine, its) in sides.into_iter().zip([left, top, right, bottom]) {
            assert!((mine - its).abs() < pixel, "{place}: {sides:?} {:?}", golden.bounding_box);
        }
        // The verifier's landmarks shift with its crop, which shifts with the detector's.
        let slack = 0.04 * mine.width;
        for (Point { x, y }, its) in face.landmarks.into_iter().zip(golden.landmarks) {
            assert!((x - its[0]).hypot(y - its[1]) < slack, "{place}: {x} {y} {its:?}");
        }
        let off = (face.confidence - golden.confidence).abs();
        assert!(off < 0.5, "{place}: Confidence {} {}", face.confidence, golden.confidence);
        let (cosine, ratio) = alike(&embedding.vector, &golden.vector);
        // Where pixels of the crops differ by one, 8-bit layers round differently: 0.987 to 0.997.
        assert!(cosine > 0.98, "{place}: cosine {cosine}");
        assert!((ratio - 1.0).abs() < 0.05, "{place}: weights differ by {ratio}");
    }
}

/// The cosine of two vectors and the ratio of their lengths.
fn alike(a: &[f32], b: &[f32]) -> (f32, f32) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (a_length, b_length) = (dot(a, a).sqrt(), dot(b, b).sqrt());
    (dot(a, b) / (a_length * b_length), a_length / b_length)
}
