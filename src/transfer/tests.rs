use std::io;

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::format::{FaceLine, Line};
use super::reader::{Item, ReadError, Reader};
use lookalike_store::{BoundingBox, StoredFace, TransferRows};

const HEADER: &str = r#"{"lookalike_export":{"version":1,"server":"0.1.0"}}"#;

/// What a reader finds in a text that comes in pieces of that size.
async fn read(text: &[u8], size: usize) -> Result<Vec<Item>, ReadError> {
    let mut pieces = text.chunks(size.max(1)).map(Bytes::copy_from_slice);
    let mut reader = Reader::new(async || Ok::<_, io::Error>(pieces.next()));
    let mut items = Vec::new();
    loop {
        items.push(reader.next().await?);
        if let Some(Item::End) = items.last() {
            return Ok(items);
        }
    }
}

fn now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn with_end(lines: &[String], end: &str) -> String {
    use sha2::Digest as _;
    let text = lines.join("\n") + "\n";
    let sha256 = hex::encode(sha2::Sha256::digest(&text));
    format!("{text}{{\"end\":{{{end},\"sha256\":\"{sha256}\"}}}}\n")
}

fn collection(users: usize, faces: usize) -> String {
    format!(
        r#"{{"collection":{{"account":"000000000000","region":"us-east-1","name":"staff","face_model_version":"7.0","pack":{{"name":"default","version":"1+x"}},"created_at":1,"tags":{{}},"users":{users},"faces":{faces}}}}}"#
    )
}

fn face(seed: u32, vector: Vec<f32>) -> StoredFace {
    let number = f32::from_bits(0x3e00_0000 | seed & 0x00ff_ffff);
    StoredFace {
        face_id: Uuid::from_u128(u128::from(seed)),
        image_id: Uuid::from_u128(u128::from(seed) << 64),
        image_sha256: [seed as u8; 32],
        external_image_id: seed.is_multiple_of(2).then(|| seed.to_string()),
        ordinal: seed,
        bounding_box: BoundingBox { left: number, top: -number, width: 0.1, height: 1.0 / 3.0 },
        confidence: 99.9 - number,
        model_version: "7.0".to_owned(),
        user_id: seed.is_multiple_of(3).then(|| "ann".to_owned()),
        vector,
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
    vector
}

fn line(face: StoredFace) -> String {
    serde_json::to_string(&Line::Face(Box::new(FaceLine::from(face)))).unwrap()
}

proptest! {
    #[test]
    fn faces_come_back_to_the_last_bit(
        seed in any::<u32>(),
        vector in prop::collection::vec(prop::num::f32::NORMAL, 1..40)
            .prop_filter("has a length", |v| v.iter().map(|x| x * x).sum::<f32>().is_normal()),
        size in 1_usize..500,
    ) {
        let faces = [face(seed, unit(vector.clone())), face(seed ^ 1, unit(vector))];
        let lines: Vec<String> = [HEADER.to_owned(), collection(1, 2), r#"{"user":"ann"}"#.to_owned()]
            .into_iter()
            .chain(faces.iter().cloned().map(line))
            .collect();
        let text = with_end(&lines, r#""collections":1,"users":1,"faces":2"#);
        let items = now(read(text.as_bytes(), size)).unwrap();
        prop_assert!(matches!(&items[0], Item::Collection(line) if line.name == "staff"));
        prop_assert!(matches!(&items[1], Item::Rows(TransferRows::Users(users)) if users == &["ann"]));
        prop_assert!(matches!(&items[2], Item::Rows(TransferRows::Faces(read)) if read == &faces));
        prop_assert_eq!(items.len(), 4);
    }

    #[test]
    fn a_changed_byte_is_always_noticed(at in any::<prop::sample::Index>(), by in 1_u8..=255) {
        let lines = [HEADER.to_owned(), collection(0, 1), line(face(1, vec![0.6, 0.8]))];
        let mut text = with_end(&lines, r#""collections":1,"users":0,"faces":1"#).into_bytes();
        let at = at.index(text.len());
        text[at] ^= by;
        prop_assert!(now(read(&text, 64)).is_err(), "{}", String::from_utf8_lossy(&text));
        text[at] ^= by;
        prop_assert!(now(read(&text, 64)).is_ok());
        prop_assert!(now(read(&text[..at], 64)).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(now(read(text.as_bytes(), 7)).is_err());
        prop_assert!(now(read(&bytes, 7)).is_err());
        let begun = [HEADER.as_bytes(), b"\n", &bytes].concat();
        prop_assert!(now(read(&begun, 7)).is_err());
    }
}

#[test]
fn lines_out_of_order_are_refused() {
    let user = r#"{"user":"ann"}"#;
    let face = line(face(1, vec![1.0]));
    let (none, one) = (collection(0, 0), collection(1, 1));
    for (lines, text) in [
        (vec![user], "not that of an export"),
        (vec![HEADER, HEADER], "second first line"),
        (vec![HEADER, user], "before the faces of its collection"),
        (vec![HEADER, &face], "after its collection"),
        (vec![HEADER, &one, &face, user], "before the faces"),
        (vec![HEADER, &one, user, &none], "instead of"),
        (vec![HEADER, &none, &none], "twice"),
        (vec![HEADER, r#"{"user":"a b"}"#], "before the faces"),
        (vec![HEADER, &one, r#"{"user":"a b"}"#], "no user id"),
        (vec![HEADER, r#"{"other":1}"#], "unknown variant"),
    ] {
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        let text_of = with_end(&lines, r#""collections":1,"users":1,"faces":1"#);
        let error = now(read(text_of.as_bytes(), 100)).expect_err(text).to_string();
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[test]
fn vectors_that_cannot_be_searched_are_refused() {
    for (vectors, text) in [
        ([vec![0.6, 0.8], vec![1.0]], "1 components instead of 2"),
        ([vec![0.6, 0.8], vec![0.6, 0.9]], "instead of at most 1"),
        ([vec![0.6, 0.8], vec![f32::NAN, 0.0]], "instead of at most 1"),
        ([vec![], vec![]], "has no vector"),
    ] {
        let faces = vectors.into_iter().zip(1..).map(|(vector, seed)| line(face(seed, vector)));
        let lines: Vec<String> =
            [HEADER.to_owned(), collection(0, 2)].into_iter().chain(faces).collect();
        let file = with_end(&lines, r#""collections":1,"users":0,"faces":2"#);
        let error = now(read(file.as_bytes(), 100)).expect_err(text).to_string();
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[test]
fn a_line_without_an_end_takes_no_more_than_its_limit() {
    let mut read = 0;
    let source = async || {
        read += 1;
        Ok::<_, io::Error>(Some(Bytes::from(vec![b' '; 64 << 10])))
    };
    let error = now(Reader::new(source).next()).expect_err("no end").to_string();
    assert!(error.contains("longer than 1 MiB"), "{error}");
    assert!(read <= 17, "{read} pieces");
}
