//! `lookalike models list | pull NAME | verify [NAME]`.

use std::fs::{self, File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;

use super::download::{self, DownloadError, Wanted};
use super::{CATALOG, Entry, has_digest, human_size};
use lookalike_vision::{Pack, PackError};

/// The folder of packs.
#[derive(Debug, Args)]
pub struct Folder {
    /// Folder of model packs.
    #[arg(long, env = "LOOKALIKE_MODELS", default_value = "models")]
    models: PathBuf,
}

/// What to do with packs.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show the packs that are here and those that can be fetched.
    List {
        #[command(flatten)]
        folder: Folder,
    },
    /// Fetch a pack of the catalogue; a download that was cut off goes on where it stopped.
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
    #[error("no pack {name:?} in the catalogue, which has: {known}; any other pack goes into a folder of its own under {}", models.display())]
    Unknown { name: String, known: String, models: PathBuf },
    #[error("no pack {name:?} in {}; `lookalike models list` shows what is there", models.display())]
    Absent { name: String, models: PathBuf },
    #[error("no packs in {}; `lookalike models pull NAME` fetches one of the catalogue", .0.display())]
    Empty(PathBuf),
    #[error("{source}\nWithout a way to the network: pull --from a mirror, or put the file at {} by hand and pull again", target.display())]
    Download { source: DownloadError, target: PathBuf },
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "damaged packs: {failed} of {checked}; `lookalike models pull NAME` repairs one of the catalogue"
    )]
    Damaged { failed: usize, checked: usize },
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Runs a command; results go to standard output, progress to standard error.
pub async fn run(command: ModelsCommand) -> Result<(), CatalogError> {
    let mut output = io::stdout();
    match command {
        ModelsCommand::List { folder } => list(&folder.models, &mut output),
        ModelsCommand::Verify { name, folder } => {
            verify(&folder.models, name.as_deref(), &mut output)
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
            Wanted { url: &url, sha256: &network.sha256, size: network.bytes, target: &target };
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
fn progress_of(wanted: &Wanted<'_>) -> ProgressBar {
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

/// The names of the folders that hold a `pack.toml`, sorted.
fn installed(models: &Path) -> Vec<String> {
    let entries = fs::read_dir(models).into_iter().flatten().flatten();
    let packs = entries.filter(|entry| entry.path().join("pack.toml").is_file());
    let mut names: Vec<String> =
        packs.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

pub(super) fn list(models: &Path, output: &mut dyn Write) -> Result<(), CatalogError> {
    let here = installed(models);
    for name in &here {
        match Pack::open(models.join(name)) {
            Ok(pack) => {
                writeln!(
                    output,
                    "{name} {} (here)\n  {}\n  license: {}",
                    pack.version, pack.description, pack.license
                )?;
                write_accuracy(output, pack.accuracy.iter())?;
            }
            Err(error) => writeln!(output, "{name} (unusable)\n  {error}")?,
        }
    }
    for entry in CATALOG.iter().filter(|entry| !here.contains(&entry.name)) {
        let size = human_size(entry.bytes());
        writeln!(
            output,
            "{} {} ({size} to pull)\n  {}\n  license: {}",
            entry.name, entry.version, entry.description, entry.license
        )?;
        write_accuracy(output, entry.accuracy.iter())?;
    }
    Ok(())
}

fn write_accuracy<'t>(
    output: &mut dyn Write,
    figures: impl Iterator<Item = (&'t String, &'t toml::Value)>,
) -> Result<(), CatalogError> {
    for (name, figure) in figures {
        let text = figure.as_str().map_or_else(|| figure.to_string(), ToOwned::to_owned);
        writeln!(output, "  {name}: {text}")?;
    }
    Ok(())
}

pub(super) fn verify(
    models: &Path,
    name: Option<&str>,
    output: &mut dyn Write,
) -> Result<(), CatalogError> {
    let here = installed(models);
    let names = match name {
        Some(name) if here.iter().any(|installed| installed == name) => vec![name.to_owned()],
        Some(name) => {
            return Err(CatalogError::Absent { name: name.to_owned(), models: models.to_owned() });
        }
        None if here.is_empty() => return Err(CatalogError::Empty(models.to_owned())),
        None => here,
    };
    let mut failed = 0;
    for name in &names {
        match verify_pack(&models.join(name), Entry::find(name)) {
            Ok(()) => writeln!(output, "{name}: ok")?,
            Err(problem) => {
                failed += 1;
                writeln!(output, "{name}: {problem}")?;
            }
        }
    }
    if failed > 0 { Err(CatalogError::Damaged { failed, checked: names.len() }) } else { Ok(()) }
}

/// Files against `pack.toml`, and `pack.toml` against the catalogue: whoever can change a file can
/// change its digest too.
fn verify_pack(folder: &Path, entry: Option<&Entry>) -> Result<(), String> {
    let pack = Pack::open(folder).map_err(|error: PackError| error.to_string())?;
    pack.verify().map_err(|error| error.to_string())?;
    let Some(entry) = entry else { return Ok(()) };
    let known = |sha256: &str| {
        entry.networks().iter().any(|network| network.sha256.eq_ignore_ascii_case(sha256))
    };
    match pack.models().find(|model| !known(&model.sha256)) {
        Some(model) => Err(format!("{} is not the file of the catalogue", model.file.display())),
        None => Ok(()),
    }
}
