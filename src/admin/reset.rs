//! An empty server, without a restart.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Json;
use super::system::TenantCard;
use lookalike_store::Scope;

/// What is to be reset: everything, unless an account or a region is named.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResetRequest {
    /// Twelve digits.
    account: Option<String>,
    /// For example `eu-west-1`.
    region: Option<String>,
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub struct ResetAnswer {
    deleted: Vec<TenantCard>,
}

/// Deletes every collection, or those of an account or a region, with all that they hold. Face ids
/// and other ids are never given again.
#[utoipa::path(post, path = "/reset", tag = "testing", request_body = ResetRequest, responses(
    (status = OK, body = ResetAnswer),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn reset(
    State(admin): State<Arc<Admin>>,
    Json(request): Json<ResetRequest>,
) -> Result<Json<ResetAnswer>, AdminError> {
    let ResetRequest { account, region } = request;
    let scope = Scope { account, region };
    let deleted = admin.app().store.reset(&scope).await?;
    let (account, region) = (scope.account.as_deref(), scope.region.as_deref());
    let collections: u64 = deleted.iter().map(|totals| totals.collections).sum();
    tracing::warn!(account, region, collections, "collections were deleted by a reset");
    Ok(Json(ResetAnswer { deleted: deleted.into_iter().map(TenantCard::from).collect() }))
}
