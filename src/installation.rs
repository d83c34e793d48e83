//! Where an installation keeps what the server needs: ONNX Runtime, packs, and by default its data.
//!
//! A clone, an unpacked archive, a package of the system and a wheel differ only in the folders that
//! are looked at here.

use std::env;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use thiserror::Error;
use tracing::warn;

use lookalike_vision::runtime;

const NAME: &str = "lookalike";
/// Where packages of the system keep what all processors share, if `XDG_DATA_DIRS` does not say.
const SYSTEM_DATA: &str = "/usr/local/share:/usr/share";

/// There is no ONNX Runtime.
#[derive(Debug, Error)]
#[error(
    "ONNX Runtime was not found in {}: {advice}, or name the library with --onnxruntime or ORT_DYLIB_PATH",
    listed(searched)
)]
pub struct NoRuntime {
    searched: Vec<PathBuf>,
    advice: &'static str,
}

/// The folders around this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installation {
    /// What may hold an installation, the most specific first.
    roots: Vec<PathBuf>,
    /// Folders of data for all users.
    shared: Vec<PathBuf>,
    /// This user's folder of data, unless the working folder is a clone.
    own: Option<PathBuf>,
    is_clone: bool,
}

impl Installation {
    /// Looks at `LOOKALIKE_HOME`, the executable, the working folder and the XDG variables.
    pub fn find() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let executable = env::current_exe().and_then(|file| file.canonicalize()).ok();
        let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| SYSTEM_DATA.into());
        Self::around(
            variable("LOOKALIKE_HOME").map(PathBuf::from),
            executable.as_deref(),
            Path::new(""),
            env::split_paths(&shared).collect(),
            etcetera::base_strategy::choose_native_strategy()
                .ok()
                .map(|strategy| strategy.data_dir().join(NAME)),
        )
    }

    fn around(
        home: Option<PathBuf>,
        executable: Option<&Path>,
        working_folder: &Path,
        shared: Vec<PathBuf>,
        own: Option<PathBuf>,
    ) -> Self {
        let mut roots: Vec<PathBuf> = home.into_iter().collect();
        let folder = executable.and_then(Path::parent);
        roots.extend(folder.map(Path::to_path_buf));
        roots.extend(folder.and_then(Path::parent).map(Path::to_path_buf));
        // What an installation brings comes before what lies around it: nobody should load the
        // library of a folder that he merely looks at.
        let in_clone = is_clone(working_folder);
        let clone = if in_clone {
            Some(working_folder)
        } else {
            executable.into_iter().flat_map(Path::ancestors).find(|path| is_clone(path))
        };
        roots.extend(clone.map(Path::to_path_buf));
        let own = own.filter(|_| !in_clone);
        Self { roots, shared, own, is_clone: clone.is_some() }
    }

    /// Where ONNX Runtime may be, in this order.
    fn runtime_folders(&self) -> Vec<PathBuf> {
        let places = ["", "lib/lookalike", "lib", ".cache/onnxruntime"];
        distinct(self.roots.iter().flat_map(|root| places.map(|place| join(root, place))))
    }

    /// The library that is named, or else the first one found.
    pub fn runtime(&self, named: Option<&Path>) -> Result<PathBuf, NoRuntime> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        let folders = self.runtime_folders();
        runtime::find(&folders)
            .ok_or_else(|| NoRuntime { searched: folders, advice: self.runtime_advice() })
    }

    /// Where packs may be, in this order: the user's folder, then those of the installation.
    pub fn pack_folders(&self, models: &Path) -> Vec<PathBuf> {
        let places = ["models", "share/lookalike/models"];
        let own = self.roots.iter().flat_map(|root| places.map(|place| join(root, place)));
        let shared = self.shared.iter().map(|folder| folder.join(NAME).join("models"));
        distinct([models.to_owned()].into_iter().chain(own).chain(shared))
    }

    /// Where packs are put that are fetched.
    pub fn models(&self) -> PathBuf {
        self.own.as_ref().map_or_else(|| "models".into(), |own| own.join("models"))
    }

    /// Where the database is kept.
    pub fn data(&self) -> PathBuf {
        self.own.as_ref().map_or_else(|| "data".into(), |own| own.join("data"))
    }

    /// Warns of a database in the folder that was the default of version 0.1.
    pub fn warn_of_former_data(&self, used: &str) {
        let former = Path::new("data/lookalike.sqlite3");
        if Path::new(used) == self.data() && self.data() != Path::new("data") && former.is_file() {
            warn!(
                data = used,
                "the database in ./data is not used: `--data data` uses it, as version 0.1 did"
            );
        }
    }

    /// What to do about a missing ONNX Runtime.
    fn runtime_advice(&self) -> &'static str {
        if self.is_clone {
            "run `make build`, which fetches it"
        } else {
            "install Lookalike again, with its folder `lib` beside its folder `bin`"
        }
    }
}

/// Folders for people.
pub fn listed(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    folders.join(", ")
}

/// Whether a folder holds this repository.
fn is_clone(folder: &Path) -> bool {
    folder.join("models/catalog.toml").is_file() && folder.join("Cargo.toml").is_file()
}

/// Without a slash at the end where there is nothing to join.
fn join(root: &Path, place: &str) -> PathBuf {
    if place.is_empty() { root.to_owned() } else { root.join(place) }
}

fn distinct(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut distinct = Vec::new();
    for path in paths {
        if !path.as_os_str().is_empty() && !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn clone(parent: &Path) -> PathBuf {
        let root = parent.join("clone");
        fs::create_dir_all(root.join("models")).expect("a folder");
        fs::write(root.join("models/catalog.toml"), "").expect("a catalog");
        fs::write(root.join("Cargo.toml"), "").expect("a manifest");
        root
    }

    fn installed(executable: &Path, working_folder: &Path) -> Installation {
        let shared = vec!["/usr/share".into()];
        Installation::around(
            None,
            Some(executable),
            working_folder,
            shared,
            Some("/home/ana/.local/share/lookalike".into()),
        )
    }

    #[test]
    fn an_archive_is_used_where_it_was_unpacked() {
        let found = installed(Path::new("/opt/lookalike/bin/lookalike"), Path::new("/tmp"));
        assert_eq!(found.data(), Path::new("/home/ana/.local/share/lookalike/data"));
        let runtimes = found.runtime_folders();
        assert_eq!(runtimes[0], Path::new("/opt/lookalike/bin"));
        assert!(runtimes.contains(&"/opt/lookalike/lib/lookalike".into()), "{runtimes:?}");
        let packs = found.pack_folders(&found.models());
        assert_eq!(packs[0], Path::new("/home/ana/.local/share/lookalike/models"));
        for folder in [
            "/opt/lookalike/bin/models",
            "/opt/lookalike/share/lookalike/models",
            "/usr/share/lookalike/models",
        ] {
            assert!(packs.contains(&folder.into()), "{packs:?}");
        }
        assert!(found.runtime_advice().contains("install"));
    }

    #[test]
    fn a_clone_keeps_its_data_and_packs_in_itself() {
        let parent = tempfile::tempdir().expect("a folder");
        let root = clone(parent.path());
        let executable = root.join("target/release/lookalike");
        let inside = installed(&executable, &root);
        assert_eq!((inside.data(), inside.models()), ("data".into(), "models".into()));
        assert!(inside.runtime_advice().contains("make"));
        assert!(inside.runtime_folders().contains(&root.join(".cache/onnxruntime")));
        // From elsewhere only what it was built with is the clone's.
        let outside = installed(&executable, Path::new("/tmp"));
        assert!(outside.pack_folders(Path::new("models")).contains(&root.join("models")));
        assert_ne!(outside.data(), Path::new("data"));
    }

    #[test]
    fn an_installed_server_prefers_its_own_files_to_those_of_the_working_folder() {
        let parent = tempfile::tempdir().expect("a folder");
        let root = clone(parent.path());
        let folders = installed(Path::new("/usr/bin/lookalike"), &root).runtime_folders();
        let position = |folder: &Path| folders.iter().position(|other| other == folder);
        assert!(
            position(Path::new("/usr/lib/lookalike")) < position(&root.join(".cache/onnxruntime"))
        );
    }

    #[test]
    fn a_user_without_a_home_gets_the_working_folder() {
        let found = Installation::around(None, None, Path::new("/tmp"), Vec::new(), None);
        assert_eq!(found.data(), Path::new("data"));
    }
}
