//! An empty server, without a restart.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Json;
use super::seed::seed_again;
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
    /// What stays as it is.
    keep: Vec<Kept>,
    /// Whether the file of `--seed` is sown again.
    seed: bool,
}

/// What a reset clears beside collections.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Answers,
    Faults,
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub struct ResetAnswer {
    deleted: Vec<TenantCard>,
}

/// Makes the server what it was when it started: deletes every collection with all that it holds,
/// forgets declared answers, and restores the faults of `--faults`. Of an account or a region, the
/// collections go and the answers that were declared for it. Ids are never given again.
#[utoipa::path(post, path = "/reset", tag = "testing", request_body = ResetRequest, responses(
    (status = OK, body = ResetAnswer),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn reset(
    State(admin): State<Arc<Admin>>,
    Json(request): Json<ResetRequest>,
) -> Result<Json<ResetAnswer>, AdminError> {
    let ResetRequest { account, region, keep, seed } = request;
    let scope = Scope { account, region };
    let app = admin.app();
    let deleted = app.store.reset(&scope).await?;
    if !keep.contains(&Kept::Answers) {
        app.answers.forget(&scope);
    }
    if !keep.contains(&Kept::Faults) && scope == Scope::default() {
        app.faults.restore();
    }
    let (account, region) = (scope.account.as_deref(), scope.region.as_deref());
    let collections: u64 = deleted.iter().map(|totals| totals.collections).sum();
    tracing::info!(account, region, collections, "reset");
    if seed {
        seed_again(&admin).await?;
    }
    Ok(Json(ResetAnswer { deleted: deleted.into_iter().map(TenantCard::from).collect() }))
}
