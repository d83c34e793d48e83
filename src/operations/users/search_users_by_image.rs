//! Finds the users of a collection that look like the largest face of an image.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::face::{AttributeSelection, FaceDetail};
use crate::operations::support::matches::{self, MatchOptions, UserMatch};
use crate::operations::support::probe::Probe;
use crate::operations::support::scene::FilterName;
use crate::operations::support::{Context, IMAGE_BODY_BYTES};
use crate::shapes::Image;
use crate::shapes::{CollectionId, MaxUserResults, Percent};
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::shapes::Choice;
use lookalike_vision::Reason;

pub struct SearchUsersByImage;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    image: Required<Image>,
    user_match_threshold: Option<Percent>,
    max_users: Option<MaxUserResults>,
    quality_filter: Option<Choice<FilterName>>,
}

request!(Input[collection_id]: collection_id, image, user_match_threshold, max_users, quality_filter);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    user_matches: Vec<UserMatch>,
    face_model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_face: Option<SearchedFaceDetails>,
    unsearched_faces: Vec<UnsearchedFace>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchedFaceDetails {
    face_detail: FaceDetail,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnsearchedFace {
    face_details: FaceDetail,
    reasons: Vec<UnsearchedFaceReason>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum UnsearchedFaceReason {
    Quality(Reason),
    Rank(&'static str),
}

impl Operation for SearchUsersByImage {
    const NAME: &'static str = "SearchUsersByImage";
    const MAX_BODY_BYTES: usize = IMAGE_BODY_BYTES;
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let Probe { searchable, seen, face, filter } = Probe::take(
            context,
            Self::NAME,
            &input.collection_id,
            input.image,
            input.quality_filter.as_ref(),
        )
        .await?;
        // Unlike SearchFacesByImage, an image without a usable face is no error here.
        let user_matches = match &face {
            Some((_, vector)) => {
                let options = MatchOptions::users(input.max_users, input.user_match_threshold);
                matches::users(context, &searchable, vector, options).await?
            }
            None => Vec::new(),
        };
        let largest = face.map(|(largest, _)| largest);
        let detail =
            |index: usize| FaceDetail::new(&seen.faces[index], &AttributeSelection::default());
        let others = (0..seen.faces.len()).filter(|&index| Some(index) != largest);
        let unsearched_faces = others.map(|index| UnsearchedFace {
            face_details: detail(index),
            reasons: why_unsearched(seen.reasons(index, filter)),
        });
        Ok(Output {
            user_matches,
            face_model_version: searchable.collection.model_version,
            searched_face: largest.map(|index| SearchedFaceDetails { face_detail: detail(index) }),
            unsearched_faces: unsearched_faces.collect(),
        })
    }
}

fn why_unsearched(refused: Vec<Reason>) -> Vec<UnsearchedFaceReason> {
    if refused.is_empty() {
        return vec![UnsearchedFaceReason::Rank("FACE_NOT_LARGEST")];
    }
    refused.into_iter().map(UnsearchedFaceReason::Quality).collect()
}
