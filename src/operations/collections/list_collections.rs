//! Lists the tenant's collections in the order of their creation.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::{Context, DEFAULT_PAGE};
use crate::shapes::{PageSize, PaginationToken};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::request;
use aws_json::page::{Listing, Page};
use lookalike_store::CollectionKey;
use tracing::Instrument as _;

pub struct ListCollections;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    next_token: Option<PaginationToken>,
    max_results: Option<PageSize>,
}

request!(Input: next_token, max_results);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    collection_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    face_model_versions: Vec<String>,
}

impl Operation for ListCollections {
    const NAME: &'static str = "ListCollections";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let listing = Listing {
            parts: &["ListCollections", &context.tenant.account, &context.tenant.region],
        };
        let after = listing
            .after(input.next_token.as_ref().map(PaginationToken::as_str))?
            .map(|key| CollectionKey(i64::from_be_bytes(key)));
        let size =
            input.max_results.map(PageSize::get).filter(|&size| size > 0).unwrap_or(DEFAULT_PAGE);
        let found = context
            .app
            .store
            .list_collections(&context.tenant, after, size + 1)
            .instrument(stage::store())
            .await?;
        let page = Page::cut(found, size);
        let next_token = page.last_if_more().map(|last| listing.token(&last.key.0.to_be_bytes()));
        let (collection_ids, face_model_versions) = page
            .items
            .into_iter()
            .map(|collection| (collection.name, collection.model_version))
            .unzip();
        Ok(Output { collection_ids, next_token, face_model_versions })
    }
}
