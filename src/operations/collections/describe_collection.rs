//! Tells how many faces and users a collection holds.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::shapes::CollectionId;
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::{ApiError, ErrorCode};
use lookalike_store::StoreError;
use tracing::Instrument as _;

pub struct DescribeCollection;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
}

request!(Input[collection_id]: collection_id);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    face_count: u64,
    face_model_version: String,
    #[serde(rename = "CollectionARN")]
    collection_arn: String,
    /// Seconds since 1970, with milliseconds.
    creation_timestamp: f64,
    user_count: u64,
}

impl Operation for DescribeCollection {
    const NAME: &'static str = "DescribeCollection";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let name = input.collection_id.as_str();
        let collection = match context
            .app
            .store
            .collection(&context.tenant, name)
            .instrument(stage::store())
            .await
        {
            // AWS words this one differently here.
            Err(StoreError::NotFound(_)) => {
                let message = format!("Collection:{name} not found!");
                return Err(ApiError::new(ErrorCode::ResourceNotFoundException, message).into());
            }
            result => result?,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 are exact in 53 bits"
        )]
        let creation_timestamp = collection.created_at as f64 / 1000.0;
        Ok(Output {
            face_count: collection.face_count,
            face_model_version: collection.model_version,
            collection_arn: format!("arn:{}", context.tenant.collection_arn(&collection.name)),
            creation_timestamp,
            user_count: collection.user_count,
        })
    }
}
