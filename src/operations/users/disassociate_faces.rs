//! Takes faces from a user; they stay in the collection.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::operations::support::idempotency::idempotency;
use crate::operations::support::matches::status_after;
use crate::shapes::{ClientRequestToken, CollectionId, FaceId, FaceIds, UserId};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use lookalike_store::{self, DisassociationFailure};
use tracing::Instrument as _;

pub struct DisassociateFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    user_id: Required<UserId>,
    client_request_token: Option<ClientRequestToken>,
    face_ids: Required<FaceIds<100>>,
}

request!(Input[collection_id]: collection_id, user_id, client_request_token, face_ids);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    disassociated_faces: Vec<DisassociatedFace>,
    unsuccessful_face_disassociations: Vec<UnsuccessfulFaceDisassociation>,
    user_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DisassociatedFace {
    face_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnsuccessfulFaceDisassociation {
    face_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    reasons: [&'static str; 1],
}

impl From<(Uuid, DisassociationFailure)> for UnsuccessfulFaceDisassociation {
    fn from((face_id, failure): (Uuid, DisassociationFailure)) -> Self {
        let (user_id, reason) = match failure {
            DisassociationFailure::FaceNotFound => (None, "FACE_NOT_FOUND"),
            DisassociationFailure::AssociatedToADifferentUser(user) => {
                (Some(user), "ASSOCIATED_TO_A_DIFFERENT_USER")
            }
        };
        Self { face_id, user_id, reasons: [reason] }
    }
}

impl Operation for DisassociateFaces {
    const NAME: &'static str = "DisassociateFaces";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let collection = context.collection(&input.collection_id).await?;
        let (user, token) = (input.user_id.as_str(), input.client_request_token.as_ref());
        let once =
            idempotency(context, token, &[&collection.name, user, &input.face_ids.to_string()]);
        let request = lookalike_store::DisassociateFaces {
            collection: collection.clone(),
            user_id: user.to_owned(),
            face_ids: input.face_ids.iter().map(FaceId::uuid).collect(),
        };
        let done =
            context.app.store.disassociate_faces(request, once).instrument(stage::store()).await?;
        context.findings.changed(done.disassociated.iter().copied(), Some(user));
        Ok(Output {
            user_status: status_after(!done.disassociated.is_empty(), done.is_active),
            disassociated_faces: done
                .disassociated
                .into_iter()
                .map(|face_id| DisassociatedFace { face_id })
                .collect(),
            unsuccessful_face_disassociations: done
                .unsuccessful
                .into_iter()
                .map(Into::into)
                .collect(),
        })
    }
}
