//! Makes an empty collection.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::operations::tags::tag_resource::TagResource;
use crate::shapes::{CollectionId, Tags};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use lookalike_store::NewCollection;
use tracing::Instrument as _;

pub struct CreateCollection;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    tags: Option<Tags>,
}

request!(Input[collection_id]: collection_id, tags);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    status_code: u16,
    collection_arn: String,
    face_model_version: String,
}

impl Operation for CreateCollection {
    const NAME: &'static str = "CreateCollection";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    fn also_needs(input: &Input) -> Option<&'static str> {
        input.tags.as_ref().filter(|tags| !tags.is_empty()).map(|_| TagResource::NAME)
    }

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let name = input.collection_id.as_str();
        let new = NewCollection {
            name: name.to_owned(),
            model_version: context.app.face_model_version.clone(),
            pack: context.app.packs.id(),
            tags: input.tags.map(Tags::into_map).unwrap_or_default(),
        };
        let collection = context
            .app
            .store
            .create_collection(&context.tenant, new)
            .instrument(stage::store())
            .await?;
        context.findings.collection(name);
        context.findings.changed([], None);
        Ok(Output {
            status_code: 200,
            collection_arn: context.tenant.collection_arn(name),
            face_model_version: collection.model_version,
        })
    }
}
