//! Finds the faces of a collection that look like one of its faces.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::gallery::MemberKind;
use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::matches::{self, FaceMatch, MatchOptions};
use crate::operations::support::probe::face_of;
use crate::operations::support::{Context, Searchable};
use crate::shapes::{CollectionId, FaceId, MaxFaces, Percent};
use aws_json::Operation;
use aws_json::constraint::{Required, request};

pub struct SearchFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    face_id: Required<FaceId>,
    max_faces: Option<MaxFaces>,
    face_match_threshold: Option<Percent>,
}

request!(Input[collection_id]: collection_id, face_id, max_faces, face_match_threshold);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    searched_face_id: Uuid,
    face_matches: Vec<FaceMatch>,
    face_model_version: String,
}

impl Operation for SearchFaces {
    const NAME: &'static str = "SearchFaces";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let assumed = context.assumed_collection(&input.collection_id, MemberKind::Faces).await?;
        if let Some(assumed) = assumed {
            match search(context, assumed, &input).await {
                Err(OperationError::Outdated) => {}
                result => return result,
            }
        }
        let searchable = context.searchable_collection(&input.collection_id).await?;
        search(context, searchable, &input).await
    }
}

async fn search(
    context: &Context,
    searchable: Searchable,
    input: &Input,
) -> OperationResult<Output> {
    let face_id = input.face_id.uuid();
    let searched = face_of(context, &searchable, face_id).await?;
    let options =
        MatchOptions::faces(input.max_faces, input.face_match_threshold).except(searched.row);
    Ok(Output {
        searched_face_id: face_id,
        face_matches: matches::faces(context, &searchable, &searched.vector, options).await?,
        face_model_version: searchable.collection.model_version,
    })
}
