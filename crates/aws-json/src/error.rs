//! The one error type that a client can see.
//!
//! What belongs where: a bad request, a missing thing or a refusal is made with the constructor of
//! its [`ErrorCode`] and carries AWS's own text. A failure of ours (database, inference, object
//! store) is [`ApiError::internal`]: the client reads `Internal server error`, the source is logged
//! once at the edge in `wire`, together with the request id.

use std::error::Error;
use std::fmt;

use http::StatusCode;

/// The error names of the Rekognition model, and those that AWS's front end answers before the
/// service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    AccessDeniedException,
    ConflictException,
    ExpiredTokenException,
    IdempotentParameterMismatchException,
    ImageTooLargeException,
    IncompleteSignatureException,
    InternalServerError,
    InvalidImageFormatException,
    InvalidPaginationTokenException,
    InvalidParameterException,
    InvalidS3ObjectException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    ProvisionedThroughputExceededException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    SerializationException,
    ServiceQuotaExceededException,
    ThrottlingException,
    UnknownOperationException,
    UnrecognizedClientException,
    ValidationException,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::AccessDeniedException,
        Self::ConflictException,
        Self::ExpiredTokenException,
        Self::IdempotentParameterMismatchException,
        Self::ImageTooLargeException,
        Self::IncompleteSignatureException,
        Self::InternalServerError,
        Self::InvalidImageFormatException,
        Self::InvalidPaginationTokenException,
        Self::InvalidParameterException,
        Self::InvalidS3ObjectException,
        Self::InvalidSignatureException,
        Self::MissingAuthenticationTokenException,
        Self::ProvisionedThroughputExceededException,
        Self::ResourceAlreadyExistsException,
        Self::ResourceNotFoundException,
        Self::SerializationException,
        Self::ServiceQuotaExceededException,
        Self::ThrottlingException,
        Self::UnknownOperationException,
        Self::UnrecognizedClientException,
        Self::ValidationException,
    ];

    /// The code of that name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessDeniedException => "AccessDeniedException",
            Self::ConflictException => "ConflictException",
            Self::ExpiredTokenException => "ExpiredTokenException",
            Self::IdempotentParameterMismatchException => "IdempotentParameterMismatchException",
            Self::ImageTooLargeException => "ImageTooLargeException",
            Self::IncompleteSignatureException => "IncompleteSignatureException",
            Self::InternalServerError => "InternalServerError",
            Self::InvalidImageFormatException => "InvalidImageFormatException",
            Self::InvalidPaginationTokenException => "InvalidPaginationTokenException",
            Self::InvalidParameterException => "InvalidParameterException",
            Self::InvalidS3ObjectException => "InvalidS3ObjectException",
            Self::InvalidSignatureException => "InvalidSignatureException",
            Self::MissingAuthenticationTokenException => "MissingAuthenticationTokenException",
            Self::ProvisionedThroughputExceededException => {
                "ProvisionedThroughputExceededException"
            }
            Self::ResourceAlreadyExistsException => "ResourceAlreadyExistsException",
            Self::ResourceNotFoundException => "ResourceNotFoundException",
            Self::SerializationException => "SerializationException",
            Self::ServiceQuotaExceededException => "ServiceQuotaExceededException",
            Self::ThrottlingException => "ThrottlingException",
            Self::UnknownOperationException => "UnknownOperationException",
            Self::UnrecognizedClientException => "UnrecognizedClientException",
            Self::ValidationException => "ValidationException",
        }
    }

    /// The HTTP status: the model marks `InternalServerError` and `ThrottlingException` as server
    /// faults, all others are 400.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InternalServerError | Self::ThrottlingException => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether AWS's front end raises it, before the service: such replies have a lower-case
    /// `message` and no `Code` or `Logref`.
    pub fn is_framework(self) -> bool {
        matches!(
            self,
            Self::ExpiredTokenException
                | Self::IncompleteSignatureException
                | Self::InvalidSignatureException
                | Self::MissingAuthenticationTokenException
                | Self::SerializationException
                | Self::UnknownOperationException
                | Self::UnrecognizedClientException
                | Self::ValidationException
        )
    }
}

/// An error as the client reads it, with the cause of ours behind it where there is one.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: ErrorCode,
    message: Option<String>,
    logged: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What every operation returns.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with AWS's text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: Some(message.into()), logged: None, source: None }))
    }

    /// An error that AWS sends without any message.
    pub fn bare(code: ErrorCode) -> Self {
        Self(Box::new(Inner { code, message: None, logged: None, source: None }))
    }

    /// A failure of ours; `source` says what happened and what to do, and is only logged.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorCode::InternalServerError, "Internal server error").because(source)
    }

    /// Attaches the cause, for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Gives the log a text of its own, where the client's repeats what no log may keep.
    #[must_use]
    pub fn logged_as(mut self, text: impl Into<String>) -> Self {
        self.0.logged = Some(text.into());
        self
    }

    /// The error as the log may show it.
    pub fn for_log(&self) -> String {
        match &self.0.logged {
            Some(text) => format!("{}: {text}", self.code().name()),
            None => self.to_string(),
        }
    }

    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The catch-all refusal of a request whose members are each valid but do not fit together.
    pub fn invalid_parameters() -> Self {
        Self::new(ErrorCode::InvalidParameterException, "Request has invalid parameters")
    }

    pub fn collection_not_found(id: &str) -> Self {
        Self::new(
            ErrorCode::ResourceNotFoundException,
            format!("The collection id: {id} does not exist"),
        )
    }

    pub fn user_not_found(id: &str) -> Self {
        Self::new(ErrorCode::ResourceNotFoundException, format!("The user id: {id} does not exist"))
    }

    pub fn throttled() -> Self {
        Self::new(ErrorCode::ThrottlingException, "Service Unavailable")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().name())?;
        if let Some(message) = self.message() {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

/// The causes behind an error in one line, without those that another one repeats, as errors of
/// other crates often do; empty when there are none.
pub fn causes(error: &dyn Error) -> String {
    let mut line = String::new();
    let mut last = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        source = cause.source();
        let text = cause.to_string();
        if last.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
        last = text;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (text, rest) = texts.split_first()?;
        Some(Box::new(Layer { text, source: layers(rest) }))
    }

    #[test]
    fn a_cause_is_printed_once() {
        for (texts, expected) in [
            (&["cannot read x", "permission denied"][..], "permission denied"),
            (&["no answer: refused", "refused"], ""),
            (
                &["no answer", "connect: refused", "refused", "os error 111"],
                "connect: refused: os error 111",
            ),
        ] {
            let error = layers(texts).expect("a layer");
            assert_eq!(causes(&error), expected, "{texts:?}");
        }
    }
}
