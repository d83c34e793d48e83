//! Deletes a collection with its faces, users and tags.

use serde::{Deserialize, Serialize};

use super::context::store_error;
use super::{Context, Operation};
use crate::api::ApiResult;
use crate::api::constraint::{Required, request};
use crate::api::members::CollectionId;

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
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> ApiResult<Output> {
        let name = input.collection_id.as_str();
        let deleted = context.app.store.delete_collection(&context.tenant, name).await;
        deleted.map_err(|error| store_error(error, name, ""))?;
        Ok(Output { status_code: 200 })
    }
}
