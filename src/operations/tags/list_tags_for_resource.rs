//! Lists the tags of a collection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::shapes::ResourceArn;
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use tracing::Instrument as _;

pub struct ListTagsForResource;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    resource_arn: Required<ResourceArn>,
}

request!(Input[resource_arn]: resource_arn);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    tags: BTreeMap<String, String>,
}

impl Operation for ListTagsForResource {
    const NAME: &'static str = "ListTagsForResource";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let name = context.tagged(&input.resource_arn)?;
        let tags = context.app.store.tags(&context.tenant, name).instrument(stage::store()).await?;
        Ok(Output { tags })
    }
}
