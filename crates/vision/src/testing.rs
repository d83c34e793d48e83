//! What the tests of this crate run on: the default pack, and the example faces of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::{Pack, Vision, VisionOptions, runtime};
use crate::image::{DecodedImage, decode};

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
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
    runtime::init(&path, 1).expect("ONNX Runtime loads");
}

/// One of the example faces of the repository.
pub(crate) fn picture(name: &str) -> DecodedImage {
    let file = fs::read(repository("examples/faces").join(name)).expect("an example");
    decode(&file).expect("a sound JPEG")
}

/// The pack of the repository.
pub(crate) fn default_pack() -> Pack {
    Pack::open(repository("models/default")).expect("valid pack")
}

/// The pack of the repository without its analyzer.
fn pack_without_analyzer() -> (TempDir, Pack) {
    let (source, folder) = (repository("models/default"), tempfile::tempdir().expect("a folder"));
    for file in ["detector.onnx", "verifier.onnx", "embedder.onnx"] {
        fs::copy(source.join(file), folder.path().join(file)).expect("copies");
    }
    let manifest = fs::read_to_string(source.join("pack.toml")).expect("reads");
    let mut manifest: toml::Table = manifest.parse().expect("valid TOML");
    manifest.remove("analyzer").expect("the default pack has one");
    fs::write(folder.path().join("pack.toml"), manifest.to_string()).expect("writes");
    let pack = Pack::open(folder.path()).expect("valid pack");
    (folder, pack)
}

/// Three pictures of 400x400 pixels, one face each, about seven eighths of the height, and the
/// default pack without its analyzer on one worker.
pub(crate) struct Examples {
    pub vision: Vision,
    pub ana: DecodedImage,
    pub ana_again: DecodedImage,
    pub ben: DecodedImage,
}

/// Loaded once for all tests: without optimization a JPEG takes long.
pub(crate) fn examples() -> &'static Examples {
    static EXAMPLES: LazyLock<Examples> = LazyLock::new(|| {
        init_runtime();
        let (_folder, pack) = pack_without_analyzer();
        let vision = Vision::load(pack, VisionOptions { workers: 1, queue: 64 }).expect("loads");
        Examples {
            vision,
            ana: picture("ana-1.jpg"),
            ana_again: picture("ana-2.jpg"),
            ben: picture("ben.jpg"),
        }
    });
    &EXAMPLES
}
