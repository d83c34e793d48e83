//! Deletes a collection with its faces, users and tags.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::shapes::CollectionId;
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use tracing::Instrument as _;

pub struct DeleteCollection;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
}

request!(Input[collection_id]: collection_id);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    status_code: u16,
}

impl Operation for DeleteCollection {
    const NAME: &'static str = "DeleteCollection";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let name = input.collection_id.as_str();
        context
            .app
            .store
            .delete_collection(&context.tenant, name)
            .instrument(stage::store())
            .await?;
        context.findings.changed([], None);
        Ok(Output { status_code: 200 })
    }
}
