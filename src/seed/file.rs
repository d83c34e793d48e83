//! A seed file: TOML, checked before anything is done.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use crate::shapes::{CollectionId, TagKey, TagValue, UserId};
use crate::transfer::check_tenant;

/// What a file describes.
#[derive(Debug)]
pub struct SeedFile {
    pub collections: Vec<SeedCollection>,
}

/// A collection and what goes into it.
#[derive(Debug, PartialEq, Eq)]
pub struct SeedCollection {
    pub account: Option<String>,
    pub region: Option<String>,
    pub id: String,
    pub tags: BTreeMap<String, String>,
    /// Users without faces.
    pub users: Vec<String>,
    /// A folder of folders, one for each person.
    pub people: Option<PathBuf>,
    /// A folder of images whose faces belong to no user.
    pub images: Option<PathBuf>,
}

/// Why a file is refused.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("cannot read the seed file {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the seed file is wrong: {0}")]
    Syntax(String),
    #[error("line {line} of the seed file: {key}: {problem}")]
    Value { line: usize, key: &'static str, problem: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    #[serde(default, rename = "collection")]
    collections: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    id: Spanned<String>,
    #[serde(default)]
    tags: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    users: Vec<Spanned<String>>,
    people: Option<Spanned<PathBuf>>,
    images: Option<Spanned<PathBuf>>,
}

/// Where the folders of a file may be.
#[derive(Debug, Clone)]
pub enum Folders {
    /// Anywhere; relative ones are in this folder.
    Of(PathBuf),
    /// In this folder.
    Within(PathBuf),
    /// Nowhere.
    None,
}

impl SeedFile {
    /// Reads a file; its folders are relative to its own.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = fs::read_to_string(path)
            .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&text, &Folders::Of(folder))
    }

    /// Parses and checks a text.
    pub fn parse(text: &str, folders: &Folders) -> Result<Self, FileError> {
        let document: Document = toml::from_str(text)
            .map_err(|error| FileError::Syntax(error.to_string().trim_end().to_owned()))?;
        let check = Check { text, folders };
        check.tenant(document.account.as_ref(), document.region.as_ref())?;
        let (account, region) = (plain(document.account), plain(document.region));
        let entries = document.collections.into_iter();
        let collections = entries.map(|entry| {
            let mut collection = check.entry(entry)?;
            collection.account = collection.account.or_else(|| account.clone());
            collection.region = collection.region.or_else(|| region.clone());
            Ok(collection)
        });
        Ok(Self { collections: collections.collect::<Result<_, FileError>>()? })
    }
}

fn plain<T>(value: Option<Spanned<T>>) -> Option<T> {
    value.map(Spanned::into_inner)
}

struct Check<'t> {
    text: &'t str,
    folders: &'t Folders,
}

impl Check<'_> {
    fn wrong(&self, key: &'static str, span: Range<usize>, problem: String) -> FileError {
        let before = &self.text[..span.start.min(self.text.len())];
        FileError::Value { line: before.matches('\n').count() + 1, key, problem }
    }

    fn entry(&self, entry: Entry) -> Result<SeedCollection, FileError> {
        let Entry { account, region, id, tags, users, people, images } = entry;
        self.tenant(account.as_ref(), region.as_ref())?;
        if CollectionId::parse(id.get_ref()).is_none() {
            let problem =
                format!("{:?} is no collection id: it has letters, digits and _.-", id.get_ref());
            return Err(self.wrong("id", id.span(), problem));
        }
        for (key, value) in &tags {
            if TagKey::parse(key).is_none() || TagValue::parse(value.get_ref()).is_none() {
                let problem = format!("{key:?} with {:?} is no tag", value.get_ref());
                return Err(self.wrong("tags", value.span(), problem));
            }
        }
        for user in &users {
            if UserId::parse(user.get_ref()).is_none() {
                let problem =
                    format!("{:?} is no user id: it has letters, digits and _.-:", user.get_ref());
                return Err(self.wrong("users", user.span(), problem));
            }
        }
        Ok(SeedCollection {
            account: plain(account),
            region: plain(region),
            id: id.into_inner(),
            tags: tags.into_iter().map(|(key, value)| (key, value.into_inner())).collect(),
            users: users.into_iter().map(Spanned::into_inner).collect(),
            people: self.folder("people", people)?,
            images: self.folder("images", images)?,
        })
    }

    fn tenant(
        &self,
        account: Option<&Spanned<String>>,
        region: Option<&Spanned<String>>,
    ) -> Result<(), FileError> {
        if let Some(account) = account {
            check_tenant(account.get_ref(), "us-east-1")
                .map_err(|problem| self.wrong("account", account.span(), problem))?;
        }
        if let Some(region) = region {
            check_tenant("000000000000", region.get_ref())
                .map_err(|problem| self.wrong("region", region.span(), problem))?;
        }
        Ok(())
    }

    fn folder(
        &self,
        key: &'static str,
        folder: Option<Spanned<PathBuf>>,
    ) -> Result<Option<PathBuf>, FileError> {
        let Some(folder) = folder else { return Ok(None) };
        let (span, stated) = (folder.span(), folder.into_inner());
        let path = match self.folders {
            Folders::Of(base) | Folders::Within(base) => base.join(&stated),
            Folders::None => {
                let problem = "a request can name folders only where the server was started with \
                               --seed FILE, and only below the folder of that file";
                return Err(self.wrong(key, span, problem.to_owned()));
            }
        };
        // Canonical, so that neither `..` nor a link leads out.
        let real = path.canonicalize().ok().filter(|path| path.is_dir()).ok_or_else(|| {
            self.wrong(key, span.clone(), format!("there is no folder {}", path.display()))
        })?;
        if let Folders::Within(base) = self.folders
            && !base.canonicalize().is_ok_and(|base| real.starts_with(base))
        {
            let problem =
                format!("{} is outside of the folder of the --seed file", stated.display());
            return Err(self.wrong(key, span, problem));
        }
        Ok(Some(real))
    }
}
