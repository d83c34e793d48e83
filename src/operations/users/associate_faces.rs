//! Gives faces of a collection to one of its users.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::idempotency::idempotency;
use crate::operations::support::matches::status_after;
use crate::operations::support::{Context, Searchable};
use crate::shapes::{ClientRequestToken, CollectionId, FaceId, FaceIds, Percent, UserId};
use crate::telemetry::stage;
use aws_json::Number;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use lookalike_search::{cosine, user_vector};
use lookalike_store::{self, AssociationFailure};
use tracing::Instrument as _;

const DEFAULT_THRESHOLD: f32 = 75.0;

pub struct AssociateFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    user_id: Required<UserId>,
    face_ids: Required<FaceIds<100>>,
    user_match_threshold: Option<Percent>,
    client_request_token: Option<ClientRequestToken>,
}

request!(Input[collection_id]: collection_id, user_id, face_ids, user_match_threshold, client_request_token);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    associated_faces: Vec<AssociatedFace>,
    unsuccessful_face_associations: Vec<UnsuccessfulFaceAssociation>,
    user_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssociatedFace {
    face_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnsuccessfulFaceAssociation {
    face_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Number>,
    reasons: [&'static str; 1],
}

impl From<(Uuid, AssociationFailure)> for UnsuccessfulFaceAssociation {
    fn from((face_id, failure): (Uuid, AssociationFailure)) -> Self {
        let (user_id, confidence, reason) = match failure {
            AssociationFailure::FaceNotFound => (None, None, "FACE_NOT_FOUND"),
            AssociationFailure::AssociatedToADifferentUser(user) => {
                (Some(user), None, "ASSOCIATED_TO_A_DIFFERENT_USER")
            }
            AssociationFailure::LowMatchConfidence(similarity) => {
                (None, Some(Number(similarity)), "LOW_MATCH_CONFIDENCE")
            }
        };
        Self { face_id, user_id, confidence, reasons: [reason] }
    }
}

impl Operation for AssociateFaces {
    const NAME: &'static str = "AssociateFaces";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let Searchable { collection, vision, .. } =
            context.searchable_collection(&input.collection_id).await?;
        let (user, token) = (input.user_id.as_str(), input.client_request_token.as_ref());
        let threshold =
            input.user_match_threshold.map_or(DEFAULT_THRESHOLD, |Percent(threshold)| threshold);
        let once = idempotency(
            context,
            token,
            &[&collection.name, user, &input.face_ids.to_string(), &threshold.to_string()],
        );
        let request = lookalike_store::AssociateFaces {
            collection: collection.clone(),
            user_id: user.to_owned(),
            face_ids: input.face_ids.iter().map(FaceId::uuid).collect(),
            threshold,
            similarity: Arc::new(move |faces, candidate| {
                let user = user_vector(faces);
                user.map_or(0.0, |user| {
                    vision.pack().calibration.similarity(cosine(&user, candidate))
                })
            }),
        };
        let done =
            context.app.store.associate_faces(request, once).instrument(stage::store()).await?;
        context.findings.changed(done.associated.iter().copied(), Some(user));
        Ok(Output {
            user_status: status_after(!done.associated.is_empty(), done.is_active),
            associated_faces: done
                .associated
                .into_iter()
                .map(|face_id| AssociatedFace { face_id })
                .collect(),
            unsuccessful_face_associations: done.unsuccessful.into_iter().map(Into::into).collect(),
        })
    }
}
