//! Finds the users of a collection that look like one of its faces or users.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::gallery::MemberKind;
use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::matches::{self, MatchOptions, UserMatch};
use crate::operations::support::probe::face_of;
use crate::operations::support::{Context, Searchable};
use crate::shapes::{CollectionId, FaceId, MaxUserResults, Percent, UserId};
use crate::telemetry::stage;
use aws_json::ApiError;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use lookalike_search::user_vector;
use tracing::Instrument as _;

pub struct SearchUsers;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    user_id: Option<UserId>,
    face_id: Option<FaceId>,
    user_match_threshold: Option<Percent>,
    max_users: Option<MaxUserResults>,
}

request!(Input[collection_id]: collection_id, user_id, face_id, user_match_threshold, max_users);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    user_matches: Vec<UserMatch>,
    face_model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_face: Option<SearchedFace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_user: Option<SearchedUser>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchedFace {
    face_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchedUser {
    user_id: UserId,
}

impl Operation for SearchUsers {
    const NAME: &'static str = "SearchUsers";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let options = MatchOptions::users(input.max_users, input.user_match_threshold);
        let probe = match (input.face_id, input.user_id) {
            (Some(face), None) => Probe::Face(face.uuid()),
            (None, Some(user)) => Probe::User(user),
            _ => return Err(ApiError::invalid_parameters().into()),
        };
        let assumed = context.assumed_collection(&input.collection_id, MemberKind::Users).await?;
        if let Some(assumed) = assumed {
            match search(context, assumed, &probe, options).await {
                Err(OperationError::Outdated) => {}
                result => return result,
            }
        }
        let searchable = context.searchable_collection(&input.collection_id).await?;
        search(context, searchable, &probe, options).await
    }
}

/// What users are searched with.
enum Probe {
    Face(Uuid),
    User(UserId),
}

async fn search(
    context: &Context,
    searchable: Searchable,
    probe: &Probe,
    options: MatchOptions,
) -> OperationResult<Output> {
    let (mut searched_face, mut searched_user) = (None, None);
    let user_matches = match probe {
        Probe::Face(face_id) => {
            searched_face = Some(SearchedFace { face_id: *face_id });
            like_face(context, &searchable, *face_id, options).await?
        }
        Probe::User(user_id) => {
            searched_user = Some(SearchedUser { user_id: user_id.clone() });
            like_user(context, &searchable, user_id, options).await?
        }
    };
    let face_model_version = searchable.collection.model_version;
    Ok(Output { user_matches, face_model_version, searched_face, searched_user })
}

async fn like_face(
    context: &Context,
    searchable: &Searchable,
    face_id: Uuid,
    options: MatchOptions,
) -> OperationResult<Vec<UserMatch>> {
    let face = face_of(context, searchable, face_id).await?;
    matches::users(context, searchable, &face.vector, options).await
}

/// The user itself is no match; a user without faces looks like nobody.
async fn like_user(
    context: &Context,
    searchable: &Searchable,
    user_id: &UserId,
    options: MatchOptions,
) -> OperationResult<Vec<UserMatch>> {
    let app = &context.app;
    let collection = &searchable.collection;
    let user = app
        .store
        .user(collection.key, user_id.as_str())
        .instrument(stage::store())
        .await?
        .ok_or_else(|| searchable.lacks(ApiError::user_not_found(user_id.as_str())))?;
    let known = if searchable.is_assumed {
        app.cluster.vector(collection, MemberKind::Users, user.row)
    } else {
        None
    };
    let vector = match known {
        Some(vector) => Some(vector),
        None => {
            let faces = app.store.user_vectors(collection.key, user.row);
            user_vector(&faces.instrument(stage::store()).await?)
        }
    };
    match vector {
        Some(vector) => {
            matches::users(context, searchable, &vector, options.except(user.row)).await
        }
        None => Ok(Vec::new()),
    }
}
