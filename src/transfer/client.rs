//! The control plane of a running server, as the commands call it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Client, RequestBuilder, Response, Url};
use serde::Deserialize;
use thiserror::Error;

use super::command::{ServerOrFolder, Source};
use super::format::{FACES_HEADER, Imported};
use super::{ImportOptions, Selection};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server did not do what it was asked.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("no answer from {0}: is the server running? `--data` works without one")]
    Silent(Url, #[source] reqwest::Error),
    #[error("the server refused: {0}")]
    Refused(String),
    #[error("the server's answer broke off")]
    Broken(#[source] reqwest::Error),
    #[error("the server's answer is not that of an import")]
    Foreign(#[from] serde_json::Error),
}

/// An error of the control plane.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    cause: Option<String>,
}

#[derive(Deserialize)]
struct ImportedBody {
    collections: Vec<Imported>,
}

/// Asks for an export; the body of the answer is that.
pub(super) async fn export(
    place: &ServerOrFolder,
    selection: &Selection,
) -> Result<Response, ClientError> {
    let Selection { account, region, collection } = selection;
    let query = [("account", account), ("region", region), ("collection", collection)];
    let url = url(place, "export", &query);
    send(place, url.clone(), client(&url)?.get(url)).await
}

/// How many faces an export has.
pub(super) fn faces(answer: &Response) -> u64 {
    let header = answer.headers().get(FACES_HEADER).and_then(|value| value.to_str().ok());
    header.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// The next piece of an answer.
pub(super) async fn next_piece(answer: &mut Response) -> Result<Option<Bytes>, ClientError> {
    answer.chunk().await.map_err(ClientError::Broken)
}

/// Sends an export.
pub(super) async fn import(
    place: &ServerOrFolder,
    options: &ImportOptions,
    source: Source,
) -> Result<Vec<Imported>, ClientError> {
    let ImportOptions { account, region, name, replace } = options;
    let replace = replace.then(|| "true".to_owned());
    let query = [("account", account), ("region", region), ("as", name), ("replace", &replace)];
    let url = url(place, "import", &query);
    let pieces = stream::unfold(source, async |mut source| {
        let piece = source.next().await.transpose()?;
        Some((piece, source))
    });
    let request = client(&url)?.post(url.clone()).body(Body::wrap_stream(pieces));
    let answer = send(place, url, request).await?;
    let text = answer.text().await.map_err(ClientError::Broken)?;
    let body: ImportedBody = serde_json::from_str(&text)?;
    Ok(body.collections)
}

fn url(place: &ServerOrFolder, route: &str, query: &[(&str, &Option<String>)]) -> Url {
    let mut url = place.server.clone();
    url.set_path(&format!("{}/_lookalike/{route}", url.path().trim_end_matches('/')));
    let stated = query.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    url.query_pairs_mut().extend_pairs(stated);
    url
}

fn client(url: &Url) -> Result<Client, ClientError> {
    // A proxy of the environment is for others.
    Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
        .map_err(|error| ClientError::Silent(url.clone(), error))
}

async fn send(
    place: &ServerOrFolder,
    url: Url,
    request: RequestBuilder,
) -> Result<Response, ClientError> {
    let request = match &place.admin_token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let silent = |error: reqwest::Error| ClientError::Silent(url, error.without_url());
    let answer = request.send().await.map_err(silent)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.map_err(ClientError::Broken)?;
    Err(ClientError::Refused(match serde_json::from_str::<ErrorBody>(&text) {
        Ok(ErrorBody { error, cause: Some(cause) }) => format!("{error}: {cause}"),
        Ok(ErrorBody { error, cause: None }) => error,
        Err(_) => format!("HTTP {status}"),
    }))
}
