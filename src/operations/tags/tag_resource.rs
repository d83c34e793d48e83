//! Adds tags to a collection; a tag whose key exists is replaced.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::shapes::{ResourceArn, Tags};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use tracing::Instrument as _;

pub struct TagResource;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    resource_arn: Required<ResourceArn>,
    tags: Required<Tags>,
}

request!(Input[resource_arn]: resource_arn, tags);

/// Nothing: `{}`.
#[derive(Serialize)]
pub struct Output {}

impl Operation for TagResource {
    const NAME: &'static str = "TagResource";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let name = context.tagged(&input.resource_arn)?;
        context
            .app
            .store
            .put_tags(&context.tenant, name, input.tags.into_inner().into_map())
            .instrument(stage::store())
            .await?;
        context.app.thumbnails.retagged(&context.tenant, name).await?;
        context.findings.changed([], None);
        Ok(Output {})
    }
}
