//! Makes a user without faces.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::operations::support::idempotency::idempotency;
use crate::shapes::{ClientRequestToken, CollectionId, UserId};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use tracing::Instrument as _;

pub struct CreateUser;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    user_id: Required<UserId>,
    client_request_token: Option<ClientRequestToken>,
}

request!(Input[collection_id]: collection_id, user_id, client_request_token);

/// Nothing: `{}`.
#[derive(Serialize)]
pub struct Output {}

impl Operation for CreateUser {
    const NAME: &'static str = "CreateUser";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let collection = context.collection(&input.collection_id).await?;
        let (user, token) = (input.user_id.as_str(), input.client_request_token.as_ref());
        let once = idempotency(context, token, &[&collection.name, user]);
        context.app.store.create_user(&collection, user, once).instrument(stage::store()).await?;
        context.findings.changed([], Some(user));
        Ok(Output {})
    }
}
