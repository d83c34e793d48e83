//! How the control plane fails: a status, what happened, and its cause.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use thiserror::Error;
use tokio::task::JoinError;
use tracing::error;
use utoipa::ToSchema;

use super::extract::Json;
use crate::seed::SeedError;
use crate::transfer::ImportError;
use aws_json::causes;
use lookalike_store::{Entity, StoreError};

/// Why a request to the control plane failed.
#[derive(Debug, Error)]
pub enum AdminError {
    #[error("{0}")]
    Invalid(String),
    #[error("the body cannot be read")]
    Body(#[source] axum::Error),
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the control plane needs the header `Authorization: Bearer TOKEN`")]
    NoToken,
    #[error("this is not the token of --admin-token")]
    WrongToken,
    #[error(
        "the control plane of a server that verifies signatures needs a token: start the server with \
         --admin-token TOKEN or LOOKALIKE_ADMIN_TOKEN"
    )]
    TokenNotConfigured,
    #[error("only nodes that share a database may ask this")]
    NotANode,
    #[error("this question is for another node, or old")]
    NotAsked,
    #[error("{0}")]
    Page(String),
    #[error("a change that a page asks for needs the header `x-lookalike-admin: 1`")]
    NotDeliberate,
    #[error("{}", no_route(*is_apart))]
    NoRoute { is_apart: bool },
    #[error("this route has other methods: see /_lookalike/openapi.json")]
    WrongMethod,
    #[error("the server stops, or too many are reading the requests already: end other streams")]
    TooManyReaders,
    #[error("two exports or imports are running: try again later")]
    Busy,
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error("the work broke off")]
    Interrupted(#[source] JoinError),
    #[error("{0}")]
    NotFound(Entity),
    #[error("the database failed")]
    Store(#[source] StoreError),
}

fn no_route(is_apart: bool) -> &'static str {
    if is_apart {
        "there is no such route on this listener: the control plane is on that of --admin-listen"
    } else {
        "there is no such route: see /_lookalike/openapi.json"
    }
}

/// An error as the client reads it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What happened, and what to do.
    pub error: String,
    /// Why it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(entity) => Self::NotFound(entity),
            error => Self::Store(error),
        }
    }
}

impl AdminError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Import(error) if !error.is_refusal() => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Import(error) if error.is_conflict() => StatusCode::CONFLICT,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(_) | Self::Interrupted(_) | Self::Seed(SeedError::Call { .. }) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Import(_) | Self::Seed(_) | Self::Invalid(_) | Self::Body(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::TokenNotConfigured | Self::Page(_) | Self::NotDeliberate | Self::NotANode => {
                StatusCode::FORBIDDEN
            }
            Self::NotAsked => StatusCode::MISDIRECTED_REQUEST,
            Self::NoRoute { .. } | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyReaders => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = self.status();
        let cause = Some(causes(&self)).filter(|cause| !cause.is_empty());
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            error!(error = %self, cause, "the control plane failed");
        }
        let mut response =
            (status, Json(ErrorBody { error: self.to_string(), cause })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
