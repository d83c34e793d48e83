//! Image bytes that a request names instead of carrying: objects of S3, or of a folder laid out
//! like it.

mod error;
mod folder;
mod location;
mod room;
mod s3;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use thiserror::Error;
use tokio::sync::Semaphore;

pub use error::ObjectError;
pub use location::S3Location;
pub use room::ImageBytes;

use folder::Folder;
use room::Room;
use s3::S3;

/// The largest image that S3 may hold, in bytes (15 MB).
pub const MAX_S3_IMAGE: usize = 15_728_640;

/// Everything together, retries and credentials too; SDKs give up on us after 60 seconds.
const FETCH_TIMEOUT: Duration = Duration::from_secs(40);

/// Why a location of S3 objects cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error(
        "cannot use the folder {} for S3 objects: create it, with a folder in it for each bucket",
        folder.display()
    )]
    Folder { folder: PathBuf, source: io::Error },
    #[error("cannot set up S3: check the AWS_* environment variables and the endpoint")]
    Client(#[source] object_store::Error),
}

/// Fetches images by bucket and name. It has no `Debug`, since that of the S3 client shows the
/// secret key.
pub struct ImageSource {
    backend: Backend,
    room: Room,
}

enum Backend {
    None,
    Folder(Folder),
    S3(Arc<S3>),
}

impl ImageSource {
    /// Sets up a location; reads the `AWS_*` environment where it is S3.
    pub fn open(location: &S3Location) -> Result<Self, SourceError> {
        let s3 = |builder| S3::open(builder).map_err(SourceError::Client);
        let backend = match location {
            S3Location::None => Backend::None,
            S3Location::Folder(folder) => Folder::open(folder)
                .map(Backend::Folder)
                .map_err(|source| SourceError::Folder { folder: folder.clone(), source })?,
            S3Location::Aws => Backend::S3(Arc::new(s3(AmazonS3Builder::from_env())?)),
            S3Location::Endpoint(url) => {
                let builder = AmazonS3Builder::from_env();
                let builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, url);
                Backend::S3(Arc::new(s3(builder)?))
            }
        };
        Ok(Self::of(backend))
    }

    /// Asks an endpoint for an answer, and warns in the log if there is none. The server starts
    /// meanwhile: the endpoint may come up later.
    pub fn probe(&self) {
        let Backend::S3(s3) = &self.backend else { return };
        let s3 = Arc::clone(s3);
        tokio::spawn(async move {
            if let Err(error) = s3.probe().await {
                tracing::warn!(
                    endpoint = s3.endpoint(),
                    cause = %aws_json::causes(&error),
                    "the S3 endpoint does not answer: S3Object images cannot be read until it does"
                );
            }
        });
    }

    /// Holds images in so many KiB, which others may draw on too.
    #[must_use]
    pub fn within(self, units: Arc<Semaphore>) -> Self {
        Self { room: Room::of(units), ..self }
    }

    fn of(backend: Backend) -> Self {
        Self { backend, room: Room::default() }
    }

    /// The bytes of an object, of this version if one is given; fails at once when too many others
    /// are held. The name is plain text, never percent-decoded.
    pub async fn fetch(
        &self,
        bucket: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<ImageBytes, ObjectError> {
        let fetched =
            tokio::time::timeout(FETCH_TIMEOUT, self.fetch_untimed(bucket, name, version)).await;
        let result = fetched.unwrap_or(Err(ObjectError::Stalled));
        if let Err(error) = &result {
            tracing::info!(bucket, name, %error, "an S3 object could not be read");
        }
        result
    }

    async fn fetch_untimed(
        &self,
        bucket: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<ImageBytes, ObjectError> {
        check_names(bucket, name)?;
        let mut arriving = self.room.arriving();
        match &self.backend {
            Backend::None => return Err(ObjectError::NotConfigured),
            Backend::Folder(_) if version.is_some() => return Err(ObjectError::NoVersions),
            Backend::Folder(folder) => folder.read(bucket, name, &mut arriving).await?,
            Backend::S3(s3) => s3.read(bucket, name, version, &mut arriving).await?,
        }
        Ok(arriving.finish())
    }
}

/// Refuses what no URL and no path can name.
fn check_names(bucket: &str, name: &str) -> Result<(), ObjectError> {
    let is_bucket = !bucket.is_empty()
        && bucket.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !bucket.chars().all(|c| c == '.');
    if !is_bucket {
        return Err(ObjectError::Bucket(bucket.to_owned()));
    }
    if name.is_empty() || name.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(ObjectError::Name("an empty name, or a segment `.` or `..`, is not supported"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
