//! Lists the users of a collection in the order of their creation.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::Context;
use crate::operations::support::matches::status;
use crate::shapes::{CollectionId, MaxUserResults, PaginationToken};
use crate::telemetry::stage;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::page::{Listing, Page};
use tracing::Instrument as _;

/// The page when `MaxResults` is absent, and the largest one.
const DEFAULT_PAGE: usize = 500;

pub struct ListUsers;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    max_results: Option<MaxUserResults>,
    next_token: Option<PaginationToken>,
}

request!(Input[collection_id]: collection_id, max_results, next_token);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    users: Vec<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    user_id: String,
    user_status: &'static str,
}

impl Operation for ListUsers {
    const NAME: &'static str = "ListUsers";
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let collection = context.collection(&input.collection_id).await?;
        let key = collection.key.0.to_string();
        let listing = Listing { parts: &["ListUsers", &key] };
        let after = listing
            .after(input.next_token.as_ref().map(PaginationToken::as_str))?
            .map(i64::from_be_bytes);
        let size = input.max_results.map_or(DEFAULT_PAGE, MaxUserResults::get);
        let found = context
            .app
            .store
            .list_users(collection.key, after, size + 1)
            .instrument(stage::store())
            .await?;
        let page = Page::cut(found, size);
        let next_token = page.last_if_more().map(|last| listing.token(&last.row.to_be_bytes()));
        let users = page
            .items
            .into_iter()
            .map(|user| User { user_status: status(&user), user_id: user.user_id });
        Ok(Output { users: users.collect(), next_token })
    }
}
