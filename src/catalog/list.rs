//! `lookalike models list`: packs that are here, and those that can be fetched.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::command::CatalogError;
use super::{CATALOG, Entry, human_size, installed};
use lookalike_vision::Pack;

/// How much of it, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A line for each pack.
    Short,
    /// With descriptions, licenses and accuracy.
    Long,
    Json,
}

/// What is known of a pack.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    version: Option<String>,
    #[serde(flatten)]
    state: State,
    description: Option<String>,
    license: Option<String>,
    accuracy: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Here { folder: PathBuf },
    Unusable { folder: PathBuf, problem: String },
    Pullable { bytes: u64 },
}

impl Row {
    fn here(name: String, folder: PathBuf) -> Self {
        match Pack::open(&folder) {
            Ok(pack) => Self {
                name,
                version: Some(pack.version),
                state: State::Here { folder },
                description: Some(pack.description),
                license: Some(pack.license),
                accuracy: pack.accuracy,
            },
            Err(error) => Self {
                name,
                version: None,
                state: State::Unusable { folder, problem: error.to_string() },
                description: None,
                license: None,
                accuracy: BTreeMap::new(),
            },
        }
    }

    fn of(entry: &Entry) -> Self {
        Self {
            name: entry.name.clone(),
            version: Some(entry.version.clone()),
            state: State::Pullable { bytes: entry.bytes() },
            description: Some(entry.description.clone()),
            license: Some(entry.license.clone()),
            accuracy: entry.accuracy.clone().into_iter().collect(),
        }
    }

    fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("-")
    }
}

pub(super) fn list(
    folders: &[PathBuf],
    format: Format,
    output: &mut dyn Write,
) -> Result<(), CatalogError> {
    let mut rows: Vec<Row> =
        installed(folders).into_iter().map(|(name, folder)| Row::here(name, folder)).collect();
    let absent = |entry: &&Entry| !rows.iter().any(|row| row.name == entry.name);
    let pullable: Vec<Row> = CATALOG.iter().filter(absent).map(Row::of).collect();
    rows.extend(pullable);
    match format {
        Format::Short => short(&rows, output)?,
        Format::Long => long(&rows, output)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *output, &rows).map_err(std::io::Error::from)?;
            writeln!(output)?;
        }
    }
    Ok(())
}

fn short(rows: &[Row], output: &mut dyn Write) -> std::io::Result<()> {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
    let (name, version) = (width(|row| &row.name), width(Row::version));
    for row in rows {
        let state = match &row.state {
            State::Here { folder } => shown(folder),
            State::Unusable { folder, .. } => {
                format!("{} (unusable: --verbose shows why)", shown(folder))
            }
            State::Pullable { bytes } => {
                format!("{} to pull: `lookalike models pull {}`", human_size(*bytes), row.name)
            }
        };
        writeln!(output, "{:name$}  {:version$}  {state}", row.name, row.version())?;
    }
    Ok(())
}

fn long(rows: &[Row], output: &mut dyn Write) -> std::io::Result<()> {
    for row in rows {
        let state = match &row.state {
            State::Here { folder } => format!("here: {}", shown(folder)),
            State::Unusable { folder, .. } => format!("unusable: {}", shown(folder)),
            State::Pullable { bytes } => format!("{} to pull", human_size(*bytes)),
        };
        writeln!(output, "{} {} ({state})", row.name, row.version())?;
        if let State::Unusable { problem, .. } = &row.state {
            writeln!(output, "  {problem}")?;
        }
        if let (Some(description), Some(license)) = (&row.description, &row.license) {
            writeln!(output, "  {description}\n  license: {license}")?;
        }
        for (figure, value) in &row.accuracy {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            writeln!(output, "  {figure}: {text}")?;
        }
    }
    Ok(())
}

fn shown(folder: &Path) -> String {
    folder.display().to_string()
}
