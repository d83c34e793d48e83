//! `lookalike seed FILE`.

use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use super::apply::{SeedError, apply};
use super::file::SeedFile;
use crate::api::{Endpoint, EndpointError, Remote};

/// Make the collections that a file describes, through the API.
#[derive(Debug, Clone, Args)]
pub struct SeedCommand {
    /// TOML file of collections, tags, users and folders of images.
    file: PathBuf,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Why collections were not made.
#[derive(Debug, Error)]
pub enum SeedCommandError {
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Makes the collections of a file and prints what became of them.
pub async fn run(command: SeedCommand) -> Result<(), SeedCommandError> {
    let file = SeedFile::read(&command.file).map_err(SeedError::from)?;
    for collection in &file.collections {
        let endpoint = command.endpoint.clone();
        let (account, region) = (collection.account.as_deref(), collection.region.as_deref());
        let api = Remote::of_tenant(endpoint, account, region)?;
        let seeded = apply(&api, collection).await?;
        for refusal in &seeded.refused {
            println!("{refusal}");
        }
        println!(
            "{}: {} images indexed, {} known, {} refused",
            seeded.collection,
            seeded.indexed,
            seeded.known,
            seeded.refused.len()
        );
    }
    Ok(())
}
