//! Collections out of a running server and into it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::{Json, Query};
use crate::packs::KnownPacks;
use crate::transfer::format::{FACES_HEADER, MEDIA_TYPE};
use crate::transfer::{
    ExportError, ImportOptions, Imported, Selection, export as write_export, import as read_import,
    select,
};

/// Exports and imports at the same time; each holds a few megabytes and a core.
pub const MOST_TRANSFERS: usize = 2;
/// Pieces of an export that wait for the client.
const WAITING: usize = 2;
/// How long an import waits for the next piece.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the rest of a refused import is read, so that its client gets the answer.
const DRAIN: Duration = Duration::from_secs(10);

/// Which collections; all that fit what is stated.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    account: Option<String>,
    region: Option<String>,
    collection: Option<String>,
}

/// Where the collections go; what is not stated is as in the file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    account: Option<String>,
    region: Option<String>,
    /// New name of the one collection in the file.
    #[serde(rename = "as")]
    name: Option<String>,
    /// Whether collections that exist already are replaced.
    #[serde(default)]
    replace: bool,
}

/// What was imported.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedBody {
    collections: Vec<Imported>,
}

/// Collections as JSON Lines, each as it is at one moment; docs/TRANSFER.md describes the format.
#[utoipa::path(get, path = "/export", tag = "transfer", params(ExportQuery), responses(
    (status = OK, content_type = "application/jsonl", body = String),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn export(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, AdminError> {
    let job = admin.transfers.clone().try_acquire_owned().map_err(|_| AdminError::Busy)?;
    let ExportQuery { account, region, collection } = query;
    let store = Arc::clone(&admin.app().store);
    let selected = select(&*store, &Selection { account, region, collection }).await?;
    let faces = selected.faces;
    let (sender, mut pieces) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    // On a thread that may compute: base64 and digests of a gigabyte take seconds.
    spawn_blocking(move || {
        Handle::current().block_on(async {
            let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            let write = async |piece| sender.send(Ok(piece)).await.map_err(gone);
            match write_export(&*store, selected, write).await {
                Ok(end) => tracing::info!(
                    collections = end.collections,
                    faces = end.faces,
                    "collections exported"
                ),
                Err(ExportError::Write(_)) => tracing::info!("the client of an export left"),
                Err(error) => {
                    tracing::error!(%error, "an export broke off");
                    // Cuts the answer off, so that it does not pass for a whole one.
                    let _ = sender.send(Err(io::Error::other("the export broke off"))).await;
                }
            }
            drop(job);
        });
    });
    let body = Body::from_stream(stream::poll_fn(move |context| pieces.poll_recv(context)));
    let file = "attachment; filename=\"lookalike-export.jsonl\"";
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE.to_owned()),
        (header::CONTENT_DISPOSITION, file.to_owned()),
        (header::HeaderName::from_static(FACES_HEADER), faces.to_string()),
    ];
    Ok((headers, body).into_response())
}

/// Makes the collections of an export, all of them or none. They become visible at the end.
#[utoipa::path(post, path = "/import", tag = "transfer", params(ImportQuery),
    request_body(content = String, content_type = "application/jsonl"), responses(
    (status = OK, body = ImportedBody),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn import(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<ImportQuery>,
    body: Body,
) -> Result<Json<ImportedBody>, AdminError> {
    let job = admin.transfers.clone().try_acquire_owned().map_err(|_| AdminError::Busy)?;
    let ImportQuery { account, region, name, replace } = query;
    let options = ImportOptions { account, region, name, replace };
    let store = Arc::clone(&admin.app().store);
    let packs = KnownPacks::find(&admin.config.vision.models, &admin.config.vision.pack);
    let import = spawn_blocking(move || {
        Handle::current().block_on(async {
            let mut body = body.into_data_stream();
            let next = async || match timeout(SILENCE, body.next()).await {
                Ok(piece) => piece.transpose().map_err(io::Error::other),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            let imported = read_import(store, &packs, &options, next).await;
            if imported.is_err() {
                let rest = body.for_each(|_| std::future::ready(()));
                let _ = timeout(DRAIN, rest).await;
            }
            drop(job);
            imported
        })
    });
    let collections = import.await.map_err(AdminError::Interrupted)??;
    for Imported { account, region, collection, faces, .. } in &collections {
        tracing::info!(account, region, collection, faces, "collection imported");
    }
    Ok(Json(ImportedBody { collections }))
}
