//! Finding and loading the ONNX Runtime library, once per process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use ort::environment::{Environment, GlobalThreadPoolOptions};

use super::VisionError;

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

#[cfg(target_os = "windows")]
const PREFIX: &str = "onnxruntime.dll";
#[cfg(target_os = "macos")]
const PREFIX: &str = "libonnxruntime.";
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const PREFIX: &str = "libonnxruntime.so";

/// Most threads that work on one image together. The layers of small networks are too short to be
/// cut into more parts.
const MOST_THREADS: usize = 4;

/// Loads ONNX Runtime from this file; later calls do nothing.
///
/// Up to `threads` threads work on one image while the others are idle. All sessions share them, so
/// that many images at once get one thread each.
pub fn init(library: &Path, threads: usize) -> Result<(), VisionError> {
    let _only_one = LOADING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if ENVIRONMENT.get().is_some() {
        return Ok(());
    }
    let environment = build(library, threads)
        .map_err(|reason| VisionError::RuntimeUnusable { library: library.to_owned(), reason })?;
    ENVIRONMENT.get_or_init(|| environment);
    Ok(())
}

/// The environment, or why there is none.
fn build(library: &Path, threads: usize) -> Result<Environment, String> {
    let builder = ort::init_from(library).map_err(|error| error.to_string())?;
    // Threads that spin while they wait would take the cores from the other workers.
    GlobalThreadPoolOptions::default()
        .with_intra_threads(threads.clamp(1, MOST_THREADS))
        .and_then(|pool| pool.with_spin_control(false))
        .and_then(|pool| {
            let builder = builder.with_name("lookalike").with_telemetry(false);
            builder.with_global_thread_pool(pool).build()
        })
        .map_err(|error| error.to_string())
}

/// The environment of the process.
pub(crate) fn environment() -> Result<&'static Environment, VisionError> {
    ENVIRONMENT.get().ok_or(VisionError::RuntimeNotLoaded)
}

/// Lets all threads that start later share one heap. Heaps of their own keep what each has freed at
/// its end, which [`trim_memory`] does not reach.
pub fn share_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes no pointer.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Returns to the system what this process has freed and its allocator keeps: after the networks
/// were loaded a third of what they take, after large images as much again.
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes no pointer, and glibc documents it as safe with other threads.
    unsafe {
        libc::malloc_trim(0);
    }
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
