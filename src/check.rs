//! `lookalike check`: whether a data folder is sound.

use std::path::Path;

use thiserror::Error;

use lookalike_store::OpenError;

/// Why a folder did not pass.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    #[error("{} is damaged: restore it from a backup", .0.display())]
    Damaged(std::path::PathBuf),
}

/// Verifies a folder and prints what it found.
pub async fn run(folder: &Path) -> Result<(), CheckError> {
    let report = lookalike_store::check(folder).await?;
    for damage in &report.damage {
        println!("{damage}");
    }
    if !report.damage.is_empty() {
        return Err(CheckError::Damaged(folder.to_owned()));
    }
    println!(
        "{}: sound; {} collections, {} faces",
        folder.display(),
        report.collections,
        report.faces
    );
    Ok(())
}
