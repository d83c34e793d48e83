//! `lookalike enroll FOLDER --collection C`.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;

use super::people::{self, PeopleError};
use super::{Options, enroll};
use crate::api::{CallError, Endpoint, EndpointError, Remote};

/// Put people into a collection: a folder for each, with photographs of that person.
#[derive(Debug, Clone, Args)]
pub struct EnrollCommand {
    /// Folder of folders, one for each person and named after that person.
    folder: PathBuf,
    /// Collection, which is made if it is not there.
    #[arg(long)]
    collection: String,
    #[command(flatten)]
    endpoint: Endpoint,
    /// Write nothing; look for the faces and print what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Images under way at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    in_flight: usize,
    /// Similarity that a face must have to the others of its person.
    #[arg(long, default_value_t = 75.0, value_parser = percent)]
    threshold: f32,
    /// File for the report of what was refused: CSV if its name ends so, JSON otherwise.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Why people were not enrolled.
#[derive(Debug, Error)]
pub enum EnrollError {
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("cannot write the report")]
    Report(#[from] io::Error),
}

fn percent(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a similarity is a number from 0 to 100".to_owned()),
    }
}

/// Enrolls a folder and prints what became of it.
pub async fn run(command: EnrollCommand) -> Result<(), EnrollError> {
    let EnrollCommand { folder, collection, endpoint, dry_run, in_flight, threshold, report: file } =
        command;
    let photos = people::people(&folder)?;
    let api = Remote::new(endpoint)?;
    let progress = progress(photos.len() as u64);
    let options = Options { collection, in_flight, threshold, dry_run };
    let report = enroll(&api, photos, &options, &|| progress.inc(1)).await;
    progress.finish_and_clear();
    let report = report?;
    report.print(&mut io::stdout())?;
    if let Some(file) = file {
        report.write(&file)?;
    }
    Ok(())
}

fn progress(images: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("enrolling {wide_bar} {human_pos}/{human_len} images {eta}")
            .expect("a valid template");
    ProgressBar::new(images).with_style(style)
}
