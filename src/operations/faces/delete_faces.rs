//! Deletes faces that belong to no user.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::shapes::{CollectionId, FaceId, FaceIds};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use lookalike_store::FaceDeletion;
use tracing::Instrument as _;

pub struct DeleteFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    face_ids: Required<FaceIds<4096>>,
}

request!(Input[collection_id]: collection_id, face_ids);

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    deleted_faces: Vec<Uuid>,
    unsuccessful_face_deletions: Vec<UnsuccessfulFaceDeletion>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnsuccessfulFaceDeletion {
    face_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    reasons: [&'static str; 1],
}

impl Operation for DeleteFaces {
    const NAME: &'static str = "DeleteFaces";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let collection = context.collection(&input.collection_id).await?;
        let face_ids: Vec<Uuid> = input.face_ids.iter().map(FaceId::uuid).collect();
        let results = context
            .app
            .store
            .delete_faces(&collection, &face_ids)
            .instrument(stage::store())
            .await?;
        let mut output = Output::default();
        for (face_id, result) in results {
            let (user_id, reason) = match result {
                FaceDeletion::Deleted => {
                    output.deleted_faces.push(face_id);
                    continue;
                }
                FaceDeletion::NotFound => (None, "FACE_NOT_FOUND"),
                FaceDeletion::AssociatedTo(user_id) => {
                    (Some(user_id), "ASSOCIATED_TO_AN_EXISTING_USER")
                }
            };
            output.unsuccessful_face_deletions.push(UnsuccessfulFaceDeletion {
                face_id,
                user_id,
                reasons: [reason],
            });
        }
        context.findings.changed(output.deleted_faces.iter().copied(), None);
        Ok(output)
    }
}
