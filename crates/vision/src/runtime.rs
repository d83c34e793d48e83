//! Finding and loading the ONNX Runtime library, once per process.

use std::env;
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

/// Loads ONNX Runtime from `path`, or from the first place of [`search_folders`] that has it; later
/// calls do nothing.
///
/// `ORT_DYLIB_PATH` names the file itself and wins over the folders.
pub fn init(path: Option<&Path>) -> Result<(), VisionError> {
    environment_from(path).map(|_| ())
}

/// The process-wide environment, loaded from the usual places if [`init`] was not called before.
pub(crate) fn environment() -> Result<&'static Environment, VisionError> {
    environment_from(None)
}

fn environment_from(path: Option<&Path>) -> Result<&'static Environment, VisionError> {
    let _only_one = LOADING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let library = match path
        .map(Path::to_path_buf)
        .or_else(|| env::var_os("ORT_DYLIB_PATH").map(PathBuf::from))
    {
        Some(named) => named,
        None => find(&search_folders())
            .ok_or_else(|| VisionError::RuntimeMissing { searched: search_folders() })?,
    };
    let builder = ort::init_from(&library).map_err(|source| VisionError::RuntimeUnusable {
        library: library.clone(),
        reason: source.to_string(),
    })?;
    let environment =
        builder.with_name("lookalike").with_telemetry(false).build().map_err(|source| {
            VisionError::RuntimeUnusable { library, reason: source.to_string() }
        })?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// Where the library is looked for, in this order: `$LOOKALIKE_HOME/.cache/onnxruntime` and
/// `.cache/onnxruntime` of the working folder (`make` puts it there), the folder of the executable,
/// and `../lib/lookalike` beside that folder.
pub fn search_folders() -> Vec<PathBuf> {
    let cache = Path::new(".cache").join("onnxruntime");
    let mut folders = Vec::new();
    if let Some(home) = env::var_os("LOOKALIKE_HOME") {
        folders.push(PathBuf::from(home).join(&cache));
    }
    folders.push(cache);
    if let Some(beside) = env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.push(beside.to_path_buf());
        folders.push(beside.join("../lib/lookalike"));
    }
    folders
}

/// The plain name before versioned ones, then the highest name.
fn find(folders: &[PathBuf]) -> Option<PathBuf> {
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

    #[test]
    fn the_error_says_what_to_do() {
        let message =
            VisionError::RuntimeMissing { searched: vec!["/somewhere".into()] }.to_string();
        assert!(
            message.contains("/somewhere")
                && message.contains("make")
                && message.contains("ORT_DYLIB_PATH"),
            "{message}"
        );
    }
}
