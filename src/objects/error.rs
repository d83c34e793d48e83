//! Why an object could not be read.

use std::io;

use aws_json::{ApiError, ErrorCode};
use thiserror::Error;

/// Why an object could not be read.
#[derive(Debug, Error)]
pub enum ObjectError {
    #[error("no S3 is configured: set --s3 to a folder of buckets or an endpoint")]
    NotConfigured,
    #[error("a folder has no versions of objects")]
    NoVersions,
    #[error("{0:?} is not the name of a bucket")]
    Bucket(String),
    #[error("{0}")]
    Name(&'static str),
    #[error("S3 answered {status} {code}")]
    Refused { status: u16, code: String },
    #[error("S3 is busy: it answered {status} {code}")]
    Busy { status: u16, code: String },
    #[error("S3 failed: it answered {status} {code}")]
    Failed { status: u16, code: String },
    #[error("the object is larger than 15 MB")]
    TooLarge,
    #[error("no memory is left for fetched images")]
    NoRoom,
    #[error("the object did not arrive in time")]
    Stalled,
    #[error("the object broke off")]
    Interrupted(#[source] reqwest::Error),
    #[error("S3 cannot be reached: check the endpoint of --s3")]
    Unreachable(#[source] reqwest::Error),
    #[error("there are no credentials for S3: check the AWS_* environment variables")]
    Credentials(#[source] object_store::Error),
    #[error("the request to S3 cannot be signed")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the file cannot be read")]
    File(#[source] io::Error),
}

impl ObjectError {
    /// Whether another attempt may succeed at once.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Failed { .. } | Self::Unreachable(_))
    }
}

/// What the client reads: its own reference is wrong, S3 is busy, or else it is our fault.
impl From<ObjectError> for ApiError {
    fn from(error: ObjectError) -> Self {
        use ObjectError::{
            Bucket, Busy, Credentials, Failed, File, Interrupted, Name, NoRoom, NoVersions,
            NotConfigured, Refused, Signing, Stalled, TooLarge, Unreachable,
        };
        match error {
            TooLarge => Self::new(ErrorCode::ImageTooLargeException, "Image size is too large"),
            NoRoom => Self::throttled().because(NoRoom),
            Busy { .. } => Self::new(
                ErrorCode::ProvisionedThroughputExceededException,
                "S3 download limit exceeded",
            )
            .because(error),
            File(cause) if !names_nothing(&cause) => Self::internal(File(cause)),
            NotConfigured
            | NoVersions
            | Bucket(_)
            | Name(_)
            | Refused { .. }
            | Stalled
            | Interrupted(_)
            | File(_) => Self::new(
                ErrorCode::InvalidS3ObjectException,
                "Unable to get object metadata from S3. Check object key, region and/or access \
                 permissions.",
            )
            .because(error),
            Failed { .. } | Unreachable(_) | Credentials(_) | Signing(_) => Self::internal(error),
        }
    }
}

/// Whether S3 would have answered 404 or 403.
fn names_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        NotFound | NotADirectory | IsADirectory | InvalidFilename | PermissionDenied
    )
}
