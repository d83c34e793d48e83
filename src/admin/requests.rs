//! The last requests of the API, as a list and as a stream.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::{Json, Query};
use crate::telemetry::Summary;

/// How many requests are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RequestsQuery {
    /// All that are kept, unless this states fewer.
    limit: Option<usize>,
}

/// Requests of the API, the newest first.
#[derive(Serialize, ToSchema)]
pub struct RequestList {
    #[serde(serialize_with = "shared")]
    #[schema(value_type = Vec<Summary>)]
    requests: Vec<Arc<Summary>>,
}

fn shared<S: Serializer>(list: &[Arc<Summary>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(|request| &**request))
}

/// The last requests of the API. Images and vectors are not kept.
#[utoipa::path(get, path = "/requests", tag = "observing", params(RequestsQuery), responses(
    (status = OK, body = RequestList),
    (status = "4XX", body = ErrorBody),
))]
pub async fn requests(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<RequestsQuery>,
) -> Json<RequestList> {
    let limit = query.limit.unwrap_or(usize::MAX);
    Json(RequestList { requests: admin.app().telemetry.recent.last(limit) })
}

/// The requests of the API from now on, an event each. A reader that is too slow misses some.
#[utoipa::path(get, path = "/requests/stream", tag = "observing", responses(
    (status = OK, body = Summary, content_type = "text/event-stream"),
    (status = "4XX", body = ErrorBody),
    (status = SERVICE_UNAVAILABLE, body = ErrorBody),
))]
pub async fn stream(
    State(admin): State<Arc<Admin>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, AdminError> {
    let requests = admin.app().telemetry.recent.follow().ok_or(AdminError::TooManyReaders)?;
    let events = unfold(requests, |mut requests| async {
        loop {
            match requests.recv().await {
                Ok(request) => {
                    let data = serde_json::to_string(&*request);
                    let data = data.expect("a summary is plain JSON");
                    return Some((Ok(Event::default().data(data)), requests));
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
