//! People into a collection: a folder for each, with photographs of that person.
//!
//! Everything goes through the API, so it works with any endpoint, and what is there already shows
//! in the collection: a second run does only what the first left.

mod associate;
mod command;
mod images;
mod kept;
pub mod people;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::{Api, CallError, call};

pub use command::{EnrollCommand, EnrollError, run};
pub use images::Photo;
pub use report::{Outcome, Refusal, Report, Totals};

/// How people get into a collection.
#[derive(Debug, Clone)]
pub struct Options {
    pub collection: String,
    /// Images under way at the same time.
    pub in_flight: usize,
    /// Similarity that the faces of a user must have, 0..=100.
    pub threshold: f32,
    /// Nothing is written.
    pub dry_run: bool,
}

/// Is shown each image that is done.
pub type OnImage<'o> = dyn Fn() + Sync + 'o;

/// Enrolls photographs: those with a user become that user's, others faces without one.
pub async fn enroll(
    api: &dyn Api,
    photos: Vec<Photo>,
    options: &Options,
    on_image: &OnImage<'_>,
) -> Result<Report, CallError> {
    let is_there = make_collection(api, options).await?;
    let kept =
        if is_there { kept::faces(api, &options.collection).await? } else { BTreeMap::new() };
    let mut report = Report::default();
    let faces = images::index(api, photos, kept, options, &mut report, on_image).await?;
    if !options.dry_run {
        associate::all(api, faces, options, &mut report).await?;
    }
    Ok(report)
}

/// Says whether there is a collection now.
async fn make_collection(api: &dyn Api, options: &Options) -> Result<bool, CallError> {
    let id = json!({ "CollectionId": options.collection });
    if options.dry_run {
        return match call(api, "DescribeCollection", id).await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(false),
            described => described.map(|_| true),
        };
    }
    match call(api, "CreateCollection", id).await {
        Err(error) if error.code() == Some("ResourceAlreadyExistsException") => Ok(true),
        made => made.map(|_| true),
    }
}
