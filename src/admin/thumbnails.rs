//! Small pictures of indexed faces.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Query;
use lookalike_store::Tenant;

/// Which face.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ThumbnailQuery {
    account: String,
    region: String,
    collection: String,
    face_id: Uuid,
}

/// The aligned crop of a face, where `--thumbnails` keeps it; nothing where it does not.
#[utoipa::path(get, path = "/thumbnails", tag = "thumbnails", params(ThumbnailQuery), responses(
    (status = OK, content_type = "image/jpeg", body = Vec<u8>),
    (status = NO_CONTENT),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn thumbnail(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<ThumbnailQuery>,
) -> Result<Response, AdminError> {
    let ThumbnailQuery { account, region, collection, face_id } = query;
    let tenant = Tenant { account, region };
    let found = admin.app().thumbnails.find(&tenant, &collection, face_id).await?;
    let Some(picture) = found else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, picture).into_response())
}
