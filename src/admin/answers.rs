//! Declared answers: what the server answers for an image without looking at it.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Json;
use crate::answers::Declaration;
use lookalike_store::Scope;

/// Answers to declare, or those that are declared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareRequest {
    answers: Vec<Declaration>,
}

/// The ids of new declarations, in their order.
#[derive(Serialize, ToSchema)]
pub struct DeclareAnswer {
    ids: Vec<u64>,
}

/// The declared answers, oldest first.
#[derive(Serialize, ToSchema)]
pub struct AnswerList {
    answers: Vec<Declaration>,
}

/// The declared answers, oldest first, and for how many images each stood.
#[utoipa::path(get, path = "/answers", tag = "testing", responses(
    (status = OK, body = AnswerList),
    (status = "4XX", body = ErrorBody),
))]
pub async fn list(State(admin): State<Arc<Admin>>) -> Json<AnswerList> {
    Json(AnswerList { answers: admin.app().answers.list() })
}

/// Declares answers, all or none. Of several that fit an image the latest holds.
#[utoipa::path(post, path = "/answers", tag = "testing", request_body = DeclareRequest, responses(
    (status = OK, body = DeclareAnswer),
    (status = "4XX", body = ErrorBody),
))]
pub async fn declare(
    State(admin): State<Arc<Admin>>,
    Json(request): Json<DeclareRequest>,
) -> Result<Json<DeclareAnswer>, AdminError> {
    let ids = admin.app().answers.declare(request.answers).map_err(AdminError::Invalid)?;
    Ok(Json(DeclareAnswer { ids }))
}

/// Forgets all declared answers.
#[utoipa::path(delete, path = "/answers", tag = "testing", responses(
    (status = OK, body = AnswerList),
    (status = "4XX", body = ErrorBody),
))]
pub async fn clear(State(admin): State<Arc<Admin>>) -> Json<AnswerList> {
    admin.app().answers.forget(&Scope::default());
    Json(AnswerList { answers: Vec::new() })
}
