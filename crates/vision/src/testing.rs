//! What the tests of this module run on: the reference networks and faces of the shared folder,
//! which are not part of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Pack, Vision, VisionOptions, runtime};
use crate::image::{Image, decode};

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The folder with `models/` and `data/`: `LOOKALIKE_SHARED`, or `shared` beside the repository.
/// Without one, a line on stderr names what is not tested.
fn shared() -> Option<PathBuf> {
    let beside = repository("../shared");
    let folder = std::env::var_os("LOOKALIKE_SHARED").map_or(beside, PathBuf::from);
    let found = folder.join("models/yunet_n_dynamic.onnx").is_file();
    if !found {
        eprintln!(
            "NOT TESTED: no reference networks in {}; set LOOKALIKE_SHARED",
            folder.display()
        );
    }
    found.then_some(folder)
}

/// Loads ONNX Runtime from where `make` puts it.
pub(crate) fn init_runtime() {
    let library = repository(".cache/onnxruntime/libonnxruntime.so");
    let path = std::env::var_os("ORT_DYLIB_PATH").map_or(library, PathBuf::from);
    assert!(
        path.is_file(),
        "this test needs {}: run `make`, which fetches it, or set ORT_DYLIB_PATH",
        path.display()
    );
    runtime::init(Some(&path)).expect("ONNX Runtime loads");
}

/// The pack of the repository.
pub(crate) fn default_pack() -> Pack {
    Pack::open(repository("models/default")).expect("valid pack")
}

/// A pack of the reference detector and embedder, without an analyzer.
fn reference_pack(models: &Path) -> (TempDir, Pack) {
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
license = "Apache-2.0"
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

/// The reference pack on one worker, and generated faces to look at: 512x512 pictures of people who
/// do not exist, one face each, about half the frame.
pub(crate) struct Reference {
    pub vision: Vision,
    pub faces: Vec<Image>,
}

/// Loaded once for all tests: without optimisation a JPEG takes long.
pub(crate) fn reference() -> Option<&'static Reference> {
    static REFERENCE: LazyLock<Option<Reference>> = LazyLock::new(|| {
        let shared = shared()?;
        init_runtime();
        let (_folder, pack) = reference_pack(&shared.join("models"));
        let vision = Vision::load(pack, VisionOptions { workers: 1, queue: 64 }).expect("loads");
        let archive =
            fs::read(shared.join("data/synthetic-faces.tar")).expect("synthetic-faces.tar");
        let faces =
            tar_files(&archive).take(6).map(|file| decode(file).expect("a sound JPEG")).collect();
        Some(Reference { vision, faces })
    });
    REFERENCE.as_ref()
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
