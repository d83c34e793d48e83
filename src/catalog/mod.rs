//! The catalog of packs that can be fetched: `lookalike models`.

mod command;
mod download;
mod list;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use toml::{Table, Value};

pub use self::command::{CatalogError, ModelsCommand, run};
pub use self::download::DownloadError;

/// The catalog that this version knows.
static CATALOG: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let catalog: Catalog = toml::from_str(include_str!("../../models/catalog.toml"))
        .expect("a test reads the catalog");
    catalog.pack
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    pack: Vec<Entry>,
}

/// A pack of the catalog.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    version: String,
    license: String,
    description: String,
    detector: Network,
    embedder: Network,
    calibration: Table,
    accuracy: Table,
}

/// One network of a pack.
#[derive(Debug, Clone, Deserialize)]
struct Network {
    /// Where it is published.
    url: String,
    /// Its name in the pack's folder.
    file: String,
    sha256: String,
    /// Its length.
    bytes: u64,
    /// What `pack.toml` says of it besides.
    #[serde(flatten)]
    settings: Table,
}

impl Entry {
    fn find(name: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|entry| entry.name == name)
    }

    fn networks(&self) -> [&Network; 2] {
        [&self.detector, &self.embedder]
    }

    fn bytes(&self) -> u64 {
        self.networks().iter().map(|network| network.bytes).sum()
    }

    /// The pack's `pack.toml`.
    fn manifest(&self) -> String {
        let text = |text: &str| Value::String(text.to_owned());
        let manifest: Table = [
            ("name", text(&self.name)),
            ("version", text(&self.version)),
            ("license", text(&self.license)),
            ("description", text(&self.description)),
            ("detector", Value::Table(self.detector.manifest())),
            ("embedder", Value::Table(self.embedder.manifest())),
            ("calibration", Value::Table(self.calibration.clone())),
            ("accuracy", Value::Table(self.accuracy.clone())),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        toml::to_string(&manifest).expect("a table of TOML is TOML")
    }
}

impl Network {
    fn manifest(&self) -> Table {
        let mut manifest = self.settings.clone();
        manifest.insert("file".to_owned(), Value::String(self.file.clone()));
        manifest.insert("sha256".to_owned(), Value::String(self.sha256.clone()));
        manifest
    }

    /// Where to fetch it: upstream, or `<mirror>/<pack>/<file>`.
    fn address(&self, pack: &str, mirror: Option<&str>) -> String {
        match mirror {
            Some(mirror) => format!("{}/{pack}/{}", mirror.trim_end_matches('/'), self.file),
            None => self.url.clone(),
        }
    }
}

/// The folders that hold a `pack.toml`, by name; of two with one name, that of the first folder.
fn installed(folders: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut packs = BTreeMap::new();
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    for entry in entries.filter(|entry| entry.path().join("pack.toml").is_file()) {
        if let Ok(name) = entry.file_name().into_string() {
            packs.entry(name).or_insert_with(|| entry.path());
        }
    }
    packs
}

/// Bytes for people: `322.9 kB`, `4.0 MB`.
fn human_size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

/// Whether the file is there and has this SHA-256; reads all of it.
fn has_digest(file: &Path, sha256: &str) -> std::io::Result<bool> {
    match download::digest(file) {
        Ok(found) => Ok(found == sha256),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
