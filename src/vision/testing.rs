//! What the tests of this module run on: the reference networks and faces of the shared folder, which are not part of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Pack, Vision, VisionOptions, runtime};
use crate::image::{Image, decode};

/// The folder with `models/` and `data/`: `LOOKALIKE_SHARED`, or `shared` beside the repository.
pub(crate) fn shared() -> PathBuf {
    let folder = std::env::var_os("LOOKALIKE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    assert!(
        folder.join("models/yunet_n_dynamic.onnx").is_file(),
        "this test needs the reference networks: put them into {} or set LOOKALIKE_SHARED",
        folder.display()
    );
    folder
}

/// Loads ONNX Runtime from where `make` puts it.
pub(crate) fn init_runtime() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/onnxruntime/libonnxruntime.so");
    let path = std::env::var_os("ORT_DYLIB_PATH").map_or(library, PathBuf::from);
    assert!(path.is_file(), "this test needs {}: run `make`, which fetches it, or set ORT_DYLIB_PATH", path.display());
    runtime::init(Some(&path)).expect("ONNX Runtime loads");
}

/// A pack of the reference detector and embedder, without an analyzer.
pub(crate) fn reference_pack() -> (TempDir, Pack) {
    let models = shared().join("models");
    let folder = tempfile::tempdir().expect("temporary folder");
    let place = |from: &str, to: &str| {
        let bytes = fs::read(models.join(from)).expect("reference network");
        fs::write(folder.path().join(to), &bytes).expect("write");
        format!("{:x}", Sha256::digest(&bytes))
    };
    let detector = place("yunet_n_dynamic.onnx", "detector.onnx");
    let embedder = place("mobilefacenet.onnx", "embedder.onnx");
    let manifest = format!(
        r#"
name = "reference"
version = "1"
licence = "Apache-2.0"
[detector]
file = "detector.onnx"
sha256 = "{detector}"
family = "yunet"
color = "bgr"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
score_threshold = 0.6
nms_iou = 0.45
[embedder]
file = "embedder.onnx"
sha256 = "{embedder}"
size = 112
color = "rgb"
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
alignment = "arcface-5"
dimensions = 128
[calibration]
cosine = [-1.0, 0.1, 0.35, 0.5, 1.0]
similarity = [0.0, 1.0, 80.0, 99.0, 100.0]
"#
    );
    fs::write(folder.path().join("pack.toml"), manifest).expect("write");
    let pack = Pack::open(folder.path()).expect("valid pack");
    (folder, pack)
}

/// One worker with the reference pack, loaded once for all tests.
pub(crate) fn reference_vision() -> &'static Vision {
    static VISION: LazyLock<Vision> = LazyLock::new(|| {
        init_runtime();
        let (_folder, pack) = reference_pack();
        Vision::load(pack, VisionOptions { workers: 1, queue: 64 }).expect("loads")
    });
    &VISION
}

/// The bytes of the `index`-th generated face: 512x512 JPEGs of people who do not exist, one face each, about half the frame.
fn face_bytes(index: usize) -> Vec<u8> {
    static ARCHIVE: LazyLock<Vec<u8>> =
        LazyLock::new(|| fs::read(shared().join("data/synthetic-faces.tar")).expect("synthetic-faces.tar"));
    tar_files(&ARCHIVE).nth(index).expect("enough faces").to_vec()
}

/// One of the first six generated faces, decoded once: without optimisation a JPEG takes long.
pub(crate) fn face(index: usize) -> Image {
    static FACES: LazyLock<Vec<Image>> =
        LazyLock::new(|| (0..6).map(|index| decode(&face_bytes(index)).expect("a sound JPEG")).collect());
    FACES[index].clone()
}

/// The contents of the plain files in an uncompressed tar archive, in its order.
fn tar_files(archive: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(header) = archive.get(at..at + 512).filter(|header| header[0] != 0) {
            let digits = header[124..136].iter().take_while(|byte| byte.is_ascii_digit());
            let size = digits.fold(0, |size, digit| size * 8 + usize::from(digit - b'0'));
            let content = archive.get(at + 512..at + 512 + size)?;
            at += 512 + size.next_multiple_of(512);
            if matches!(header[156], 0 | b'0') {
                return Some(content);
            }
        }
        None
    })
}
