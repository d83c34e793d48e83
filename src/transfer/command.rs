//! `lookalike export` and `lookalike import`.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::client::{self, ClientError};
use super::format::{End, Imported, Line};
use super::{ExportError, ImportError, ImportOptions, Selection};
use crate::installation::Installation;
use crate::packs::KnownPacks;
use lookalike_store::{Address, OpenError, Store, StoreError};

/// What is read from a file at a time.
const PIECE: usize = 256 << 10;
/// Longer than any last line of an export.
const LAST_LINE: usize = 1024;

/// A running server, or the folder of a stopped one.
#[derive(Debug, Clone, Args)]
pub struct ServerOrFolder {
    /// URL of the running server.
    #[arg(
        long,
        env = "LOOKALIKE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:9340"
    )]
    pub server: reqwest::Url,
    /// Token of the server's control plane.
    #[arg(long, env = "LOOKALIKE_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// Folder of a stopped server's database, or the address of a PostgreSQL database, instead of
    /// a server.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<String>,
}

/// Write collections to a file.
#[derive(Debug, Clone, Args)]
pub struct ExportCommand {
    /// File to write, or `-` for standard output.
    file: PathBuf,
    /// Only collections of this account.
    #[arg(long)]
    account: Option<String>,
    /// Only collections of this region.
    #[arg(long)]
    region: Option<String>,
    /// Only collections of this name.
    #[arg(long)]
    collection: Option<String>,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: ServerOrFolder,
}

/// Read collections from a file.
#[derive(Debug, Clone, Args)]
pub struct ImportCommand {
    /// File that `lookalike export` wrote, or `-` for standard input.
    file: PathBuf,
    /// Account that gets the collections, instead of the one in the file.
    #[arg(long)]
    account: Option<String>,
    /// Region that gets the collections, instead of the one in the file.
    #[arg(long)]
    region: Option<String>,
    /// New name of the one collection in the file.
    #[arg(long = "as", value_name = "COLLECTION")]
    name: Option<String>,
    /// Replace collections that exist already.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: ServerOrFolder,
    /// With --data: folder of model packs, looked at before those of the installation.
    #[arg(long, env = "LOOKALIKE_MODELS", default_value_os_t = Installation::find().models())]
    models: PathBuf,
    /// With --data: pack that the server serves.
    #[arg(long, env = "LOOKALIKE_PACK", default_value = "default")]
    pack: PathBuf,
}

/// Why a file was not written or read.
#[derive(Debug, Error)]
pub enum TransferError {
    #[error("{} exists already: name another file, or overwrite it with --force", .0.display())]
    FileExists(PathBuf),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the export broke off: the log of the server states why")]
    CutOff,
    #[error(transparent)]
    Server(#[from] ClientError),
    #[error("there is no data folder {}: --data names the folder of a stopped server", .0.display())]
    NoFolder(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Writes an export and prints what it holds.
pub async fn run_export(command: ExportCommand) -> Result<(), TransferError> {
    let ExportCommand { file, account, region, collection, force, place } = command;
    let selection = Selection { account, region, collection };
    let mut target = Target::create(&file, force)?;
    match &place.data {
        Some(location) => {
            let store = open(location).await?;
            let selected = super::select(&*store, &selection).await?;
            target.expect(selected.faces);
            super::export(&*store, selected, async |bytes: Bytes| target.write(&bytes)).await?;
            store.close().await;
        }
        None => {
            let mut answer = client::export(&place, &selection).await?;
            target.expect(client::faces(&answer));
            while let Some(piece) = client::next_piece(&mut answer).await? {
                target.write(&piece).map_err(target.on_write())?;
            }
        }
    }
    let end = target.finish()?;
    eprintln!(
        "exported {} collections, {} users and {} faces",
        end.collections, end.users, end.faces
    );
    Ok(())
}

/// Reads an export and prints what it held.
pub async fn run_import(command: ImportCommand) -> Result<(), TransferError> {
    let ImportCommand { file, account, region, name, replace, place, models, pack } = command;
    let options = ImportOptions { account, region, name, replace };
    let source = Source::open(&file).await?;
    let imported = match &place.data {
        Some(location) => {
            let store = open(location).await?;
            let packs = KnownPacks::find(&models, &pack);
            let mut source = source;
            let pieces = async || source.next().await;
            let imported = super::import(Arc::clone(&store), &packs, &options, pieces).await?;
            store.close().await;
            imported
        }
        None => client::import(&place, &options, source).await?,
    };
    for Imported { account, region, collection, users, faces } in imported {
        println!("{collection} ({account}, {region}): {users} users, {faces} faces");
    }
    Ok(())
}

/// The store of a folder that exists, as nobody means to export a new one, or of an address.
async fn open(location: &str) -> Result<Arc<dyn Store>, TransferError> {
    if !Address::is_one(location) && !Path::new(location).is_dir() {
        return Err(TransferError::NoFolder(location.into()));
    }
    Ok(lookalike_store::open(location).await?)
}

/// A file that appears under its name once it is whole; only its owner may read it.
struct Target {
    path: PathBuf,
    /// None for standard output.
    part: Option<(PathBuf, File)>,
    last: Vec<u8>,
    progress: ProgressBar,
}

impl Target {
    fn create(path: &Path, force: bool) -> Result<Self, TransferError> {
        let part = if path == Path::new("-") {
            None
        } else if path.exists() && !force {
            return Err(TransferError::FileExists(path.to_owned()));
        } else {
            let mut name = path.as_os_str().to_owned();
            name.push(".part");
            let part = PathBuf::from(name);
            let file = private_file(&part)
                .map_err(|source| TransferError::Write { path: part.clone(), source })?;
            Some((part, file))
        };
        Ok(Self { path: path.to_owned(), part, last: Vec::new(), progress: ProgressBar::hidden() })
    }

    fn expect(&mut self, faces: u64) {
        self.progress =
            progress(faces, "{msg} {wide_bar} {human_pos}/{human_len} rows {eta}", "exporting");
    }

    fn on_write(&self) -> impl FnOnce(io::Error) -> TransferError + use<> {
        let path = self.path.clone();
        move |source| TransferError::Write { path, source }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.part {
            Some((_, file)) => file.write_all(bytes)?,
            None => io::stdout().write_all(bytes)?,
        }
        self.progress.inc(bytes.split(|byte| *byte == b'\n').count() as u64 - 1);
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_LINE)..]);
        self.last.drain(..self.last.len().saturating_sub(LAST_LINE));
        Ok(())
    }

    /// Gives the file its name, if its last line is that of an export.
    fn finish(self) -> Result<End, TransferError> {
        self.progress.finish_and_clear();
        let text = self.last.strip_suffix(b"\n").unwrap_or_default();
        let line = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let Ok(Line::End(end)) = serde_json::from_slice(line) else {
            return Err(TransferError::CutOff);
        };
        let on_write = self.on_write();
        if let Some((part, file)) = &self.part {
            file.sync_all().and_then(|()| fs::rename(part, &self.path)).map_err(on_write)?;
        }
        Ok(end)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Once the file has its name there is nothing to remove.
        if let Some((part, _)) = &self.part {
            let _ = fs::remove_file(part);
        }
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A file that is read piece by piece.
pub(super) struct Source {
    file: Box<dyn AsyncRead + Send + Unpin>,
    progress: ProgressBar,
}

impl Source {
    async fn open(path: &Path) -> Result<Self, TransferError> {
        let template =
            "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
        if path == Path::new("-") {
            return Ok(Self {
                file: Box::new(tokio::io::stdin()),
                progress: ProgressBar::hidden(),
            });
        }
        let on_read = |source| TransferError::Read { path: path.to_owned(), source };
        let file = tokio::fs::File::open(path).await.map_err(on_read)?;
        let size = file.metadata().await.map_err(on_read)?.len();
        Ok(Self { file: Box::new(file), progress: progress(size, template, "importing") })
    }

    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(PIECE);
        let read = self.file.read_buf(&mut piece).await?;
        self.progress.inc(read as u64);
        if read == 0 {
            self.progress.finish_and_clear();
            return Ok(None);
        }
        Ok(Some(piece.into()))
    }
}

/// A bar on a terminal; elsewhere nothing but the results is printed.
fn progress(total: u64, template: &str, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(total).with_style(style).with_message(what)
}
