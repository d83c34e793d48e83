//! `lookalike backup`: a copy of a data folder.

use std::path::Path;

use indicatif::DecimalBytes;

use lookalike_store::BackupError;

/// Copies a folder and prints what the copy holds.
pub async fn run(folder: &Path, target: &Path) -> Result<(), BackupError> {
    let backup = lookalike_store::backup(folder, target).await?;
    println!(
        "{}: {} collections, {} faces, {}",
        target.display(),
        backup.collections,
        backup.faces,
        DecimalBytes(backup.bytes)
    );
    Ok(())
}
