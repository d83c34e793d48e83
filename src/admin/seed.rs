//! Collections as a seed file describes them, made in a running server.

use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Json;
use crate::seed::{Folders, SeedError, SeedFile, Seeded, seed_server};

/// The largest document that is read.
const MOST_BYTES: usize = 1 << 20;

/// What became of each collection.
#[derive(Serialize, ToSchema)]
pub struct SeedAnswer {
    collections: Vec<Seeded>,
}

/// Makes what the body describes in TOML, or the file of `--seed` where there is no body. What is
/// there already stays. Folders of images are looked for below that of the `--seed` file alone.
#[utoipa::path(post, path = "/seed", tag = "testing",
    request_body(content = String, content_type = "application/toml"), responses(
    (status = OK, body = SeedAnswer),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn seed(
    State(admin): State<Arc<Admin>>,
    body: Body,
) -> Result<Json<SeedAnswer>, AdminError> {
    let body = to_bytes(body, MOST_BYTES).await.map_err(AdminError::Body)?;
    let text = std::str::from_utf8(&body)
        .map_err(|_| AdminError::Invalid("the body is not UTF-8".to_owned()))?;
    let collections = if text.trim_ascii().is_empty() {
        seed_again(&admin).await?
    } else {
        let folders = match admin.config.seed.as_deref().map(Path::parent) {
            None => Folders::None,
            Some(Some(folder)) if folder != Path::new("") => Folders::Within(folder.to_owned()),
            Some(_) => Folders::Within(".".into()),
        };
        let file = SeedFile::parse(text, &folders).map_err(SeedError::from)?;
        seed_server(&admin.front.service.app, &file).await?
    };
    Ok(Json(SeedAnswer { collections }))
}

/// Makes what the file of `--seed` describes.
pub async fn seed_again(admin: &Admin) -> Result<Vec<Seeded>, AdminError> {
    let Some(path) = &admin.config.seed else {
        let text =
            "there is nothing to seed: start the server with --seed FILE, or send a document";
        return Err(AdminError::Invalid(text.to_owned()));
    };
    let file = SeedFile::read(path).map_err(SeedError::from)?;
    Ok(seed_server(&admin.front.service.app, &file).await?)
}
