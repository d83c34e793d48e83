//! `lookalike models list | pull NAME | verify [NAME]`.

use std::fs::{self, File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;

use super::download::{self, DownloadError, RemoteFile};
use super::list::{Format, list};
use super::verify::verify;
use super::{CATALOG, Entry, has_digest, human_size};
use crate::installation::{Installation, listed};

/// The folder of packs.
#[derive(Debug, Args)]
pub struct Folder {
    /// Folder of model packs, looked at before those of the installation.
    #[arg(long, env = "LOOKALIKE_MODELS", default_value_os_t = Installation::find().models())]
    models: PathBuf,
}

impl Folder {
    /// This one, then those of the installation.
    fn all(&self) -> Vec<PathBuf> {
        Installation::find().pack_folders(&self.models)
    }
}

/// What to do with packs.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show the packs that are here and those that can be fetched.
    List {
        /// With descriptions, licenses and measured accuracy.
        #[arg(long, short)]
        verbose: bool,
        /// All of it as JSON, for programs.
        #[arg(long, conflicts_with = "verbose")]
        json: bool,
        #[command(flatten)]
        folder: Folder,
    },
    /// Fetch a pack of the catalog; a download that was cut off goes on where it stopped.
    Pull {
        /// A pack as `lookalike models list` names it.
        name: String,
        /// Mirror to fetch from instead of upstream: `<URL>/<pack>/detector.onnx`,
        /// `<URL>/<pack>/embedder.onnx`.
        #[arg(long, value_name = "URL", env = "LOOKALIKE_MODELS_MIRROR")]
        from: Option<reqwest::Url>,
        #[command(flatten)]
        folder: Folder,
    },
    /// Check the files of a pack, or of all that are here, against their SHA-256.
    Verify {
        name: Option<String>,
        #[command(flatten)]
        folder: Folder,
    },
}

/// Why a command on packs failed.
#[derive(Debug, Error)]
pub enum CatalogError {
    #[error("no pack {name:?} in the catalog, which has: {known}; any other pack goes into a folder of its own under {}", models.display())]
    Unknown { name: String, known: String, models: PathBuf },
    #[error("no pack {name:?} in {}; `lookalike models list` shows what is there", listed(folders))]
    Absent { name: String, folders: Vec<PathBuf> },
    #[error("no packs in {}; `lookalike models pull NAME` fetches one of the catalog", listed(.0))]
    Empty(Vec<PathBuf>),
    #[error("{source}\nWithout a way to the network: pull --from a mirror, or put the file at {} by hand and pull again", target.display())]
    Download { source: DownloadError, target: PathBuf },
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "damaged packs: {failed} of {checked}; `lookalike models pull NAME` repairs one of the catalog"
    )]
    Damaged { failed: usize, checked: usize },
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Runs a command; results go to standard output, progress to standard error.
pub async fn run(command: ModelsCommand) -> Result<(), CatalogError> {
    let mut output = io::stdout();
    match command {
        ModelsCommand::List { verbose, json, folder } => {
            let format = match (verbose, json) {
                (_, true) => Format::Json,
                (true, false) => Format::Long,
                (false, false) => Format::Short,
            };
            list(&folder.all(), format, &mut output)
        }
        ModelsCommand::Verify { name, folder } => {
            verify(&folder.all(), name.as_deref(), &mut output)
        }
        ModelsCommand::Pull { name, from, folder } => {
            let entry = Entry::find(&name).ok_or_else(|| CatalogError::Unknown {
                name,
                known: CATALOG
                    .iter()
                    .map(|entry| entry.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                models: folder.models.clone(),
            })?;
            pull(&folder.models, entry, from.as_ref().map(reqwest::Url::as_str), &mut output).await
        }
    }
}

/// Fetches what a pack lacks. `pack.toml` comes last: a folder that has one is complete.
pub(super) async fn pull(
    models: &Path,
    entry: &Entry,
    mirror: Option<&str>,
    output: &mut (dyn Write + Send),
) -> Result<(), CatalogError> {
    let folder = models.join(&entry.name);
    let on_file = |path: &Path| {
        let path = path.to_owned();
        move |source| CatalogError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(on_file(&folder))?;
    let _lock = lock(&folder).await.map_err(on_file(&folder))?;

    let client = download::client();
    for network in entry.networks() {
        let target = folder.join(&network.file);
        if has_digest(&target, &network.sha256).map_err(on_file(&target))? {
            writeln!(output, "{} is already there", target.display())?;
            continue;
        }
        let url = network.address(&entry.name, mirror);
        let wanted =
            RemoteFile { url: &url, sha256: &network.sha256, size: network.bytes, target: &target };
        let progress = progress_of(&wanted);
        let fetched = download::fetch(&client, wanted, &progress).await;
        progress.finish_and_clear();
        fetched.map_err(|source| CatalogError::Download { source, target: target.clone() })?;
        writeln!(
            output,
            "{} fetched: {}, SHA-256 checked",
            target.display(),
            human_size(network.bytes)
        )?;
    }

    let manifest = folder.join("pack.toml");
    let part = download::part_of(&manifest);
    fs::write(&part, entry.manifest()).map_err(on_file(&part))?;
    fs::rename(&part, &manifest).map_err(on_file(&manifest))?;
    writeln!(output, "{} is ready: {}", entry.name, folder.display())?;
    Ok(())
}

/// Two pulls of one pack must not write the same part: the second waits, and finds the files there.
async fn lock(folder: &Path) -> io::Result<File> {
    let file = File::create(folder.join(".lock"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another pull into {}", folder.display());
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked.map_err(io::Error::other)?
}

/// A bar on a terminal, one plain line elsewhere.
fn progress_of(wanted: &RemoteFile<'_>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        eprintln!("fetching {} ({})", wanted.url, human_size(wanted.size));
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
    )
    .expect("a valid template");
    let name = wanted.target.display().to_string();
    ProgressBar::new(wanted.size).with_style(style).with_message(name)
}
