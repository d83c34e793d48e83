//! Lists the faces of a collection in ascending order of their ids.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::operations::support::DEFAULT_PAGE;
use crate::operations::support::stored_face::StoredFace;
use crate::shapes::{CollectionId, FaceId, FaceIds, PageSize, PaginationToken, UserId};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::page::{Listing, Page};
use lookalike_store::FaceFilter;
use tracing::Instrument as _;

pub struct ListFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    next_token: Option<PaginationToken>,
    max_results: Option<PageSize>,
    user_id: Option<UserId>,
    face_ids: Option<FaceIds<4096>>,
}

request!(Input[collection_id]: collection_id, next_token, max_results, user_id, face_ids);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    faces: Vec<StoredFace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    face_model_version: String,
}

impl Operation for ListFaces {
    const NAME: &'static str = "ListFaces";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let collection = context.collection(&input.collection_id).await?;
        let filter = FaceFilter {
            user_id: input.user_id.map(|user| user.as_str().to_owned()),
            face_ids: input.face_ids.map(|ids| ids.iter().map(FaceId::uuid).collect()),
        };
        let (key, filtered) = (collection.key.0.to_string(), fingerprint(&filter));
        let listing = Listing { parts: &["ListFaces", &key, &filtered] };
        let after = listing
            .after(input.next_token.as_ref().map(PaginationToken::as_str))?
            .map(Uuid::from_bytes);
        let size =
            input.max_results.map(PageSize::get).filter(|&size| size > 0).unwrap_or(DEFAULT_PAGE);
        let found = context
            .app
            .store
            .list_faces(collection.key, after, size + 1, filter)
            .instrument(stage::store())
            .await?;
        let page = Page::cut(found, size);
        let next_token = page.last_if_more().map(|last| listing.token(last.face_id.as_bytes()));
        Ok(Output {
            faces: page.items.into_iter().map(StoredFace::from).collect(),
            next_token,
            face_model_version: collection.model_version,
        })
    }
}

/// Tells one filter from another, so that a token goes on with the list that it came from.
fn fingerprint(filter: &FaceFilter) -> String {
    let mut hash = Sha256::new();
    hash.update(filter.user_id.as_deref().unwrap_or_default());
    for face_id in filter.face_ids.iter().flatten() {
        hash.update(face_id.as_bytes());
    }
    format!("{:x}", hash.finalize())
}
