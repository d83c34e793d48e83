//! How an operation fails, in AWS's words.

use aws_json::{ApiError, ErrorCode};
use lookalike_store::{Entity, Quota, StoreError};

use crate::gallery::SearchError;

/// What an operation returns.
pub type OperationResult<T> = Result<T, OperationError>;

/// Why there is no answer; made of the error of any part with `?`.
#[derive(Debug)]
pub enum OperationError {
    /// What the client reads.
    Api(ApiError),
    /// The collection is not what it was assumed to be: it has to be looked up.
    Outdated,
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Api(error) => error,
            OperationError::Outdated => Self::throttled(),
        }
    }
}

impl From<ApiError> for OperationError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<SearchError> for OperationError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Load(error) if error.is_transient() => Self::Api(unavailable(error)),
            error => Self::Api(ApiError::internal(error)),
        }
    }
}

/// A failure that passes by itself: SDKs wait a little and try again.
fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
    ApiError::throttled().because(error)
}

/// AWS publishes no texts for the errors of users and quotas.
impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        Self::Api(match error {
            StoreError::NotFound(Entity::Collection(name)) => ApiError::collection_not_found(&name),
            StoreError::NotFound(Entity::User(user_id)) => ApiError::user_not_found(&user_id),
            StoreError::AlreadyExists(Entity::Collection(name)) => ApiError::new(
                ErrorCode::ResourceAlreadyExistsException,
                format!("The collection id: {name} already exists"),
            ),
            StoreError::AlreadyExists(Entity::User(_)) => ApiError::new(
                ErrorCode::ConflictException,
                "A User with the same Id already exists within the collection.",
            ),
            StoreError::Quota(quota) => {
                ApiError::new(ErrorCode::ServiceQuotaExceededException, quota_text(quota))
            }
            StoreError::TokenMismatch(token) => ApiError::new(
                ErrorCode::IdempotentParameterMismatchException,
                format!("The ClientRequestToken: {token} you have supplied is already in use."),
            ),
            failure if failure.is_transient() => unavailable(failure),
            failure => ApiError::internal(failure),
        })
    }
}

fn quota_text(quota: Quota) -> &'static str {
    match quota {
        Quota::FacesPerCollection => "The number of faces exceeds the limit of this collection.",
        Quota::FacesPerUser => "The number of faces exceeds the limit of this user.",
        Quota::Tags => "The number of tags exceeds the limit of this resource.",
    }
}
