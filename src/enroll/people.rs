//! Which photographs a folder holds, and whose they are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::images::Photo;

const MAX_USER_ID: usize = 128;
const MAX_EXTERNAL_IMAGE_ID: usize = 255;
/// What detectors of faces read; other files are passed over.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Why a folder cannot be enrolled.
#[derive(Debug, Error)]
pub enum PeopleError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("there are no images in {}: {hint}", path.display())]
    Empty { path: PathBuf, hint: &'static str },
    #[error(
        "{} and {} would both become {id:?}, as ids have letters, digits and _.-: only: rename one",
        first.display(), second.display()
    )]
    SameId { first: PathBuf, second: PathBuf, id: String },
}

/// The photographs in a folder of folders, one for each person and named after that person.
pub fn people(folder: &Path) -> Result<Vec<Photo>, PeopleError> {
    let mut users: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut photos = Vec::new();
    for person in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let user = id_of(&file_name(&person), MAX_USER_ID);
        for path in images(&person)? {
            let external_image_id =
                id_of(&format!("{user}:{}", file_name(&path)), MAX_EXTERNAL_IMAGE_ID);
            photos.push(Photo { external_image_id, path, user: Some(user.clone()) });
        }
        if let Some(first) = users.insert(user.clone(), person.clone()) {
            return Err(PeopleError::SameId { first, second: person, id: user });
        }
    }
    check(photos, folder, "it needs a folder for each person, with JPEG or PNG files")
}

/// The photographs in a folder, of nobody in particular.
pub fn unnamed(folder: &Path) -> Result<Vec<Photo>, PeopleError> {
    let photos = images(folder)?.into_iter().map(|path| Photo {
        external_image_id: id_of(&file_name(&path), MAX_EXTERNAL_IMAGE_ID),
        path,
        user: None,
    });
    check(photos.collect(), folder, "it needs JPEG or PNG files")
}

fn check(photos: Vec<Photo>, folder: &Path, hint: &'static str) -> Result<Vec<Photo>, PeopleError> {
    if photos.is_empty() {
        return Err(PeopleError::Empty { path: folder.to_owned(), hint });
    }
    let mut ids: BTreeMap<&str, &Path> = BTreeMap::new();
    for photo in &photos {
        if let Some(first) = ids.insert(&photo.external_image_id, &photo.path) {
            let (first, second) = (first.to_owned(), photo.path.clone());
            return Err(PeopleError::SameId { first, second, id: photo.external_image_id.clone() });
        }
    }
    Ok(photos)
}

/// What a folder holds, by name; what is hidden is passed over.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, PeopleError> {
    let failed = |source| PeopleError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !file_name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn images(folder: &Path) -> Result<Vec<PathBuf>, PeopleError> {
    let is_image = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        ENDINGS.iter().any(|known| ending == *known) && path.is_file()
    };
    Ok(entries(folder)?.into_iter().filter(is_image).collect())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A name with the characters that ids may have, each other one as `_`, and no longer than that.
fn id_of(name: &str, longest: usize) -> String {
    let fits = |letter: &char| letter.is_ascii_alphanumeric() || "_.-:".contains(*letter);
    name.chars().map(|letter| if fits(&letter) { letter } else { '_' }).take(longest).collect()
}
