//! Answering other nodes.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use tracing::Instrument as _;

use super::seal::{self, Message, SEAL};
use super::wire::{AnswerBody, QuestionBody};
use super::{Cluster, Sharing, local};
use crate::admin::Admin;
use crate::admin::error::AdminError;
use crate::telemetry::{SearchOutcome, traces};

/// The largest question.
const MOST_BYTES: usize = 256 << 10;
/// How old a question may be, or how far ahead, in milliseconds: nodes know the database's clock to
/// about as much as a beat takes.
const MOST_AGE: u64 = 60_000;

/// Searches for another node of the same database.
pub async fn search(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, AdminError> {
    let cluster = &admin.app().cluster;
    let Some(sharing) = &cluster.sharing else {
        return Err(AdminError::NoRoute { is_apart: false });
    };
    // Who has no seal is not read.
    let asked = seal::read(&headers).ok_or(AdminError::NotANode)?;
    let body = to_bytes(body, MOST_BYTES).await.map_err(AdminError::Body)?;
    let answer = answer(cluster, sharing, &asked, &body);
    let (seal, body) = answer.instrument(traces::of_search(&headers)).await?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (SEAL, seal)], body).into_response())
}

async fn answer(
    cluster: &Cluster,
    sharing: &Sharing,
    asked: &[u8],
    body: &Bytes,
) -> Result<(HeaderValue, Vec<u8>), AdminError> {
    let view = sharing.membership.view().ok_or(AdminError::NotANode)?;
    if !view.seal.is(asked, Message::Question, body) {
        return Err(AdminError::NotANode);
    }
    let question: QuestionBody = serde_json::from_slice(body)
        .map_err(|error| AdminError::Invalid(format!("the question is wrong: {error}")))?;
    if question.to != view.own || question.asked_at.abs_diff(view.now()) > MOST_AGE {
        return Err(AdminError::NotAsked);
    }
    let (question, parts, patience) = question.open();
    let count = parts.len();
    let answer = local::answer(&cluster.gallery, &question, parts, patience).await;
    if answer.missing.len() < count {
        sharing.metrics.count(SearchOutcome::Answered);
    }
    let body = serde_json::to_vec(&AnswerBody::from(answer)).expect("numbers are plain JSON");
    Ok((seal::value(&view.seal.of(Message::Answer(asked), &body)), body))
}
