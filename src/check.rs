//! `lookalike check`: whether a data folder or a database is sound.

use std::path::Path;

use thiserror::Error;

use lookalike_store::{Address, OpenError, check, check_database, shown};

/// Why it did not pass.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    #[error("{0} is damaged: restore it from a backup")]
    Damaged(String),
}

/// Verifies a folder, or the database of an address, and prints what it found.
pub async fn run(location: &str) -> Result<(), CheckError> {
    let report = if Address::is_one(location) {
        check_database(&location.parse()?).await?
    } else {
        check(Path::new(location)).await?
    };
    for damage in &report.damage {
        println!("{damage}");
    }
    if !report.damage.is_empty() {
        return Err(CheckError::Damaged(shown(location)));
    }
    println!(
        "{}: sound; {} collections, {} faces",
        shown(location),
        report.collections,
        report.faces
    );
    Ok(())
}
