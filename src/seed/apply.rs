//! What a seed file describes, made through the API; what is there already stays.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use thiserror::Error;
use utoipa::ToSchema;

use super::file::{FileError, SeedCollection, SeedFile};
use crate::api::{Api, CallError, InProcess, call};
use crate::app::App;
use crate::enroll::people::{PeopleError, people, unnamed};
use crate::enroll::{Options, Photo, Report, enroll};
use lookalike_store::Tenant;

/// Similarity that the faces of a user must have: AWS's default.
const THRESHOLD: f32 = 75.0;
const IN_FLIGHT: usize = 4;

/// Why a seed was not sown, or not to its end; the next time goes on from there.
#[derive(Debug, Error)]
pub enum SeedError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the collection {collection} cannot be seeded")]
    People { collection: String, source: PeopleError },
    #[error("the collection {collection} cannot be seeded")]
    Call { collection: String, source: CallError },
}

/// What became of a collection.
#[derive(Debug, Serialize, ToSchema)]
pub struct Seeded {
    pub collection: String,
    /// Images with new faces.
    pub indexed: u64,
    /// Images that the collection held before.
    pub known: u64,
    /// Why images were not taken, a sentence each.
    pub refused: Vec<String>,
}

/// Makes one collection.
pub(super) async fn apply(api: &dyn Api, collection: &SeedCollection) -> Result<Seeded, SeedError> {
    let id = &collection.id;
    let failed = |source| SeedError::Call { collection: id.clone(), source };
    let unreadable = |source| SeedError::People { collection: id.clone(), source };
    // Before anything is written.
    let mut photos: Vec<Photo> = Vec::new();
    if let Some(folder) = &collection.people {
        photos.extend(people(folder).map_err(unreadable)?);
    }
    if let Some(folder) = &collection.images {
        photos.extend(unnamed(folder).map_err(unreadable)?);
    }
    make(api, collection).await.map_err(failed)?;
    let options = Options {
        collection: id.clone(),
        in_flight: IN_FLIGHT,
        threshold: THRESHOLD,
        dry_run: false,
    };
    let report = if photos.is_empty() {
        Report::default()
    } else {
        enroll(api, photos, &options, &|| {}).await.map_err(failed)?
    };
    let refused = report.refusals.iter().map(|(path, refusal)| {
        format!("{}: {} {}", path.display(), refusal.reason, refusal.detail).trim_end().to_owned()
    });
    Ok(Seeded {
        collection: id.clone(),
        indexed: report.totals.indexed,
        known: report.totals.known,
        refused: refused.collect(),
    })
}

/// The collection, its tags and its users without faces.
async fn make(api: &dyn Api, collection: &SeedCollection) -> Result<(), CallError> {
    let id = json!({ "CollectionId": collection.id });
    passing("ResourceAlreadyExistsException", call(api, "CreateCollection", id.clone()).await)?;
    if !collection.tags.is_empty() {
        let described = call(api, "DescribeCollection", id).await?;
        let input = json!({ "ResourceArn": described["CollectionARN"], "Tags": collection.tags });
        call(api, "TagResource", input).await?;
    }
    for user in &collection.users {
        let input = json!({ "CollectionId": collection.id, "UserId": user });
        passing("ConflictException", call(api, "CreateUser", input).await)?;
    }
    Ok(())
}

/// The error of that code means that the work is done.
fn passing<T>(code: &str, result: Result<T, CallError>) -> Result<(), CallError> {
    match result {
        Err(error) if error.code() != Some(code) => Err(error),
        _ => Ok(()),
    }
}

/// Makes the collections of a file in this server.
pub async fn seed_server(app: &Arc<App>, file: &SeedFile) -> Result<Vec<Seeded>, SeedError> {
    let mut all = Vec::new();
    for collection in &file.collections {
        let tenant = Tenant {
            account: collection.account.clone().unwrap_or_else(|| "000000000000".to_owned()),
            region: collection.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        };
        let api = InProcess { app: Arc::clone(app), tenant };
        let seeded = apply(&api, collection).await?;
        tracing::info!(
            collection = seeded.collection,
            indexed = seeded.indexed,
            known = seeded.known,
            refused = seeded.refused.len(),
            "collection seeded"
        );
        seeded.refused.iter().for_each(|refusal| tracing::warn!(refusal, "image not seeded"));
        all.push(seeded);
    }
    Ok(all)
}
