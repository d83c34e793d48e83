//! `lookalike models verify`: files against the digests that they should have.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::command::CatalogError;
use super::{Entry, installed};
use lookalike_vision::{Pack, PackError};

pub(super) fn verify(
    folders: &[PathBuf],
    name: Option<&str>,
    output: &mut dyn Write,
) -> Result<(), CatalogError> {
    let mut packs = installed(folders);
    if let Some(name) = name {
        packs.retain(|here, _| here == name);
        if packs.is_empty() {
            return Err(CatalogError::Absent { name: name.to_owned(), folders: folders.to_vec() });
        }
    } else if packs.is_empty() {
        return Err(CatalogError::Empty(folders.to_vec()));
    }
    let mut failed = 0;
    for (name, folder) in &packs {
        match verify_pack(folder, Entry::find(name)) {
            Ok(()) => writeln!(output, "{name}: ok")?,
            Err(problem) => {
                failed += 1;
                writeln!(output, "{name}: {problem}")?;
            }
        }
    }
    if failed > 0 { Err(CatalogError::Damaged { failed, checked: packs.len() }) } else { Ok(()) }
}

/// Files against `pack.toml`, and `pack.toml` against the catalog: whoever can change a file can
/// change its digest too.
fn verify_pack(folder: &Path, entry: Option<&Entry>) -> Result<(), String> {
    let pack = Pack::open(folder).map_err(|error: PackError| error.to_string())?;
    pack.verify().map_err(|error| error.to_string())?;
    let Some(entry) = entry else { return Ok(()) };
    let known = |sha256: &str| {
        entry.networks().iter().any(|network| network.sha256.eq_ignore_ascii_case(sha256))
    };
    match pack.models().find(|model| !known(&model.sha256)) {
        Some(model) => Err(format!("{} is not the file of the catalog", model.file.display())),
        None => Ok(()),
    }
}
