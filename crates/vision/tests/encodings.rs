//! Hundreds of encodings of one scene against the pixels that Pillow sees;
//! `encodings/generate.py` writes them.

use std::fs;
use std::path::PathBuf;

use image::RgbImage;
use lookalike_vision::image::{DecodeError, decode};

/// Of a channel. Decoders may round differently; a wrong table, order or position is far off.
const TOLERANCE: u8 = 3;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/encodings"))
}

/// Names and what is right for them: a picture's name, `refuse`, or `upper` for files cut in half.
fn cases() -> Vec<(String, String)> {
    let list = fs::read_to_string(folder().join("cases.tsv")).expect("the list of cases");
    list.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, right)| (name.to_owned(), right.to_owned()))
        .collect()
}

fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join("files").join(name)).expect("a file of the list")
}

fn picture(name: &str) -> RgbImage {
    image::open(folder().join("expected").join(name)).expect("a picture of the list").into_rgb8()
}

/// The largest difference of a channel.
fn difference(left: &[u8], right: &[u8]) -> u8 {
    left.iter().zip(right).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn every_encoding_has_the_pixels_that_pillow_sees() {
    let scene =
        picture(&cases().iter().find(|(name, _)| name == "restart-6.jpg").expect("in the list").1);
    let wrong: Vec<String> = cases()
        .into_iter()
        .filter_map(|(name, right)| {
            let problem = match (decode(&file(&name)), right.as_str()) {
                (Err(DecodeError::Broken(_) | DecodeError::UnknownFormat), "refuse") => None,
                (Err(error), _) => Some(error.to_string()),
                (Ok(_), "refuse") => Some("not refused".to_owned()),
                (Ok(image), "upper") => {
                    // The first rows hold at least a quarter of the data, whatever the coding.
                    let rows = image.pixels.width() as usize * 3 * 16;
                    let far = difference(&image.pixels.as_raw()[..rows], &scene.as_raw()[..rows]);
                    (far > 60).then(|| format!("the upper part differs by {far}"))
                }
                (Ok(image), right) => {
                    let expected = picture(right);
                    let far = difference(image.pixels.as_raw(), expected.as_raw());
                    if image.pixels.dimensions() == expected.dimensions() {
                        (far > TOLERANCE).then(|| format!("differs by {far}"))
                    } else {
                        Some(format!(
                            "{:?} instead of {:?}",
                            image.pixels.dimensions(),
                            expected.dimensions()
                        ))
                    }
                }
            };
            problem.map(|problem| format!("{name}: {problem}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_exam_has_at_least_200_decodable_files() {
    assert!(cases().iter().filter(|(_, right)| right != "refuse").count() >= 200);
}

/// A generator of numbers that is the same everywhere (Steele, Lea and Flood, SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ (value >> 31)) % below as u64) as usize
    }
}

/// Changes, removes, repeats, swaps or cuts bytes; half of the time near the start, where the
/// headers are.
fn mutate(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.next(6) {
        let reach = if random.next(2) == 0 { bytes.len().min(700) } else { bytes.len() };
        let at = random.next(reach.max(1));
        let length = (1 + random.next(40)).min(bytes.len().saturating_sub(at));
        match random.next(8) {
            0..=3 if at < bytes.len() => bytes[at] = random.next(256) as u8,
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let copy = bytes[at..at + length].to_vec();
                let to = random.next(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            6 if at < bytes.len() => bytes[at] ^= 1 << random.next(8),
            7 if random.next(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

/// Decodes mutated files of the exam; the guard's own error counts as a panic here.
fn survive(rounds: usize, seed: u64) {
    let files: Vec<(String, Vec<u8>)> =
        cases().into_iter().map(|(name, _)| (name.clone(), file(&name))).collect();
    let mut random = Random(seed);
    let mut decoded = 0;
    for round in 0..rounds {
        let (name, whole) = &files[random.next(files.len())];
        let bytes = mutate(whole.clone(), &mut random);
        match decode(&bytes) {
            Ok(image) => {
                decoded += 1;
                let (width, height) = image.pixels.dimensions();
                assert!(width.max(height) <= 4096, "{name}, round {round}: {width} x {height}");
            }
            Err(DecodeError::Broken(text)) if text.contains("panicked") => {
                panic!("{name}, round {round}: {text}")
            }
            Err(_) => {}
        }
    }
    // A mutation that only ever broke headers would test nothing else.
    assert!(decoded * 5 > rounds, "only {decoded} of {rounds} were decoded");
    println!("{decoded} of {rounds} mutated images were decoded, the others refused");
}

#[test]
fn mutated_images_are_decoded_or_refused() {
    survive(1500, 1);
}

#[test]
#[ignore = "takes minutes"]
fn fifty_thousand_mutated_images_are_decoded_or_refused() {
    survive(50_000, 2);
}
