//! Finding and loading the ONNX Runtime library, once per process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use ort::environment::Environment;

use super::VisionError;

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

#[cfg(target_os = "windows")]
const PREFIX: &str = "onnxruntime.dll";
#[cfg(target_os = "macos")]
const PREFIX: &str = "libonnxruntime.";
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const PREFIX: &str = "libonnxruntime.so";

/// Loads ONNX Runtime from this file; later calls do nothing.
pub fn init(library: &Path) -> Result<(), VisionError> {
    let _only_one = LOADING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if ENVIRONMENT.get().is_some() {
        return Ok(());
    }
    let unusable = |source: &dyn std::fmt::Display| VisionError::RuntimeUnusable {
        library: library.to_owned(),
        reason: source.to_string(),
    };
    let builder = ort::init_from(library).map_err(|source| unusable(&source))?;
    let environment = builder
        .with_name("lookalike")
        .with_telemetry(false)
        .build()
        .map_err(|source| unusable(&source))?;
    ENVIRONMENT.get_or_init(|| environment);
    Ok(())
}

/// The environment of the process.
pub(crate) fn environment() -> Result<&'static Environment, VisionError> {
    ENVIRONMENT.get().ok_or(VisionError::RuntimeNotLoaded)
}

/// The library in the first of these folders that has it.
///
/// The plain name before versioned ones, then the highest name.
pub fn find(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| {
                file.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with(PREFIX))
            })
            .collect();
        names.sort();
        let plain =
            names.iter().position(|file| file.file_name().is_some_and(|name| name == PREFIX));
        let library = match plain {
            Some(index) => names.swap_remove(index),
            None => names.pop()?,
        };
        // The loader searches the system for a bare relative name: hand it a full path.
        library.canonicalize().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_plain_name_first_and_then_the_highest_version() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let touch = |name: &str| std::fs::write(folder.path().join(name), b"").expect("write");
        let empty = tempfile::tempdir().expect("temporary folder");
        let folders = [empty.path().to_path_buf(), folder.path().to_path_buf()];
        assert_eq!(find(&folders), None);
        touch("unrelated.txt");
        touch(&format!("{PREFIX}.1.30.0"));
        touch(&format!("{PREFIX}.1.32.0"));
        assert!(find(&folders).expect("found").ends_with(format!("{PREFIX}.1.32.0")));
        touch(PREFIX);
        assert!(find(&folders).expect("found").ends_with(PREFIX));
    }
}
