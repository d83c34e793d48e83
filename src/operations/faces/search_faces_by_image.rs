//! Finds the faces of a collection that look like the largest face of an image.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::face::BoundingBox;
use crate::operations::support::matches::{self, FaceMatch, MatchOptions};
use crate::operations::support::probe::Probe;
use crate::operations::support::scene::FilterName;
use crate::operations::support::{Context, IMAGE_BODY_BYTES};
use crate::shapes::Image;
use crate::shapes::{CollectionId, MaxFaces, Percent};
use aws_json::Number;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::shapes::Choice;
use aws_json::{ApiError, ErrorCode};

pub struct SearchFacesByImage;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    image: Required<Image>,
    max_faces: Option<MaxFaces>,
    face_match_threshold: Option<Percent>,
    quality_filter: Option<Choice<FilterName>>,
}

request!(Input[collection_id]: collection_id, image, max_faces, face_match_threshold, quality_filter);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    searched_face_bounding_box: BoundingBox,
    searched_face_confidence: Number,
    face_matches: Vec<FaceMatch>,
    face_model_version: String,
}

impl Operation for SearchFacesByImage {
    const NAME: &'static str = "SearchFacesByImage";
    const MAX_BODY_BYTES: usize = IMAGE_BODY_BYTES;
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let Probe { searchable, seen, face, .. } = Probe::take(
            context,
            Self::NAME,
            &input.collection_id,
            input.image,
            input.quality_filter.as_ref(),
        )
        .await?;
        let (largest, vector) = face.ok_or_else(no_faces)?;
        let face = &seen.faces[largest];
        let options = MatchOptions::faces(input.max_faces, input.face_match_threshold);
        Ok(Output {
            searched_face_bounding_box: face.bounding_box.into(),
            searched_face_confidence: Number(face.confidence),
            face_matches: matches::faces(context, &searchable, &vector, options).await?,
            face_model_version: searchable.collection.model_version,
        })
    }
}

fn no_faces() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidParameterException,
        "There are no faces in the image. Should be at least 1.",
    )
}
