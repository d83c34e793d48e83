//! Removes tags from a collection; absent keys are ignored.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::shapes::{ResourceArn, TagKey};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::shapes::List;
use tracing::Instrument as _;

pub struct UntagResource;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    resource_arn: Required<ResourceArn>,
    tag_keys: Required<List<TagKey, 0, 200>>,
}

request!(Input[resource_arn]: resource_arn, tag_keys);

/// Nothing: `{}`.
#[derive(Serialize)]
pub struct Output {}

impl Operation for UntagResource {
    const NAME: &'static str = "UntagResource";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let name = context.tagged(&input.resource_arn)?;
        let keys = input.tag_keys.iter().map(|key| key.as_str().to_owned()).collect();
        context
            .app
            .store
            .remove_tags(&context.tenant, name, keys)
            .instrument(stage::store())
            .await?;
        context.app.thumbnails.retagged(&context.tenant, name).await?;
        context.findings.changed([], None);
        Ok(Output {})
    }
}
