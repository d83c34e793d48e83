//! Image bytes that a request names instead of carrying: objects of S3, or of a folder laid out
//! like it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::client::HttpError;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, GetOptions, ObjectStore, RetryConfig};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use aws_json::{ApiError, ApiResult, ErrorCode};

/// The largest image that S3 may hold, in bytes (15 MB).
pub const MAX_S3_IMAGE: usize = 15_728_640;

/// Fetched images that are held at one time, until an inference thread has read them: sixteen of
/// the largest, or a thousand photos.
const HELD_BYTES: usize = 16 * MAX_S3_IMAGE;
const UNIT_BYTES: usize = 1 << 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Everything together, retries and credentials too; SDKs give up on us after 60 seconds.
const FETCH_TIMEOUT: Duration = Duration::from_secs(40);
const MAX_RETRIES: usize = 2;
/// Clients choose bucket names, so the number of clients kept for buckets is bounded.
const MAX_BUCKETS: usize = 64;

/// Where `S3Object` reads from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum S3Location {
    /// Nowhere: every `S3Object` is refused.
    #[default]
    None,
    /// A folder of buckets, each a folder of objects. It has no versions. Symbolic links in it are
    /// followed.
    Folder(PathBuf),
    /// AWS, or the endpoint of `AWS_ENDPOINT_URL_S3`; credentials and region from the `AWS_*`
    /// environment or the machine's role.
    Aws,
    /// This endpoint, in path style; credentials and region as with `Aws`.
    Endpoint(String),
}

impl FromStr for S3Location {
    type Err = Infallible;

    /// `none`, `aws`, an `http://` or `https://` address, or else the path of a folder.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "" | "none" => Self::None,
            "aws" => Self::Aws,
            url if url.starts_with("http://") || url.starts_with("https://") => {
                Self::Endpoint(url.to_owned())
            }
            folder => Self::Folder(folder.into()),
        })
    }
}

/// Why a location of S3 objects cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error(
        "cannot use the folder {} for S3 objects: create it, with a folder in it for each bucket",
        folder.display()
    )]
    Folder { folder: PathBuf, source: object_store::Error },
    #[error("cannot set up S3: check the AWS_* environment variables and the endpoint")]
    Client(#[source] object_store::Error),
}

/// Fetches images by bucket and name. It has no `Debug`, since that of the S3 client shows the
/// secret key.
pub struct ImageSource {
    kind: Kind,
    /// [`HELD_BYTES`] in units.
    room: Arc<Semaphore>,
}

/// The bytes of an image. Fetched ones keep their room until this is dropped, so give it to whoever
/// reads them.
pub struct ImageBytes {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl From<Bytes> for ImageBytes {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, _room: None }
    }
}

impl std::ops::Deref for ImageBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

enum Kind {
    None,
    Folder(LocalFileSystem),
    S3(Box<Buckets>),
}

/// One client for each bucket in use, all with the same credentials.
struct Buckets {
    template: AmazonS3Builder,
    credentials: AwsCredentialProvider,
    open: Mutex<HashMap<String, Arc<AmazonS3>>>,
}

impl ImageSource {
    /// Sets up a location; reads the `AWS_*` environment where it is S3.
    pub fn open(location: &S3Location) -> Result<Self, SourceError> {
        let s3 = |builder| {
            Buckets::open(builder)
                .map(|buckets| Kind::S3(Box::new(buckets)))
                .map_err(SourceError::Client)
        };
        let kind = match location {
            S3Location::None => Kind::None,
            S3Location::Folder(folder) => LocalFileSystem::new_with_prefix(folder)
                .map(Kind::Folder)
                .map_err(|source| SourceError::Folder { folder: folder.clone(), source })?,
            S3Location::Aws => s3(AmazonS3Builder::from_env())?,
            S3Location::Endpoint(url) => {
                s3(AmazonS3Builder::from_env().with_config(AmazonS3ConfigKey::S3Endpoint, url))?
            }
        };
        Ok(Self::of(kind))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, room: Arc::new(Semaphore::new(HELD_BYTES / UNIT_BYTES)) }
    }

    /// The bytes of an object, of this version if one is given; throttled at once when too many
    /// others are held. The name is plain text, never percent-decoded.
    pub async fn fetch(
        &self,
        bucket: &str,
        name: &str,
        version: Option<&str>,
    ) -> ApiResult<ImageBytes> {
        let fetched =
            tokio::time::timeout(FETCH_TIMEOUT, self.fetch_untimed(bucket, name, version)).await;
        fetched.unwrap_or_else(|_| {
            Err(ApiError::internal(format!(
                "no answer for s3://{bucket}/{name} in {FETCH_TIMEOUT:?}"
            )))
        })
    }

    async fn fetch_untimed(
        &self,
        bucket: &str,
        name: &str,
        version: Option<&str>,
    ) -> ApiResult<ImageBytes> {
        let path = exact_path(bucket, name)?;
        let options = GetOptions::new().with_version(version);
        let answer = match &self.kind {
            Kind::None => {
                tracing::warn!(
                    bucket,
                    name,
                    "a request names an S3 object, but no S3 is configured: set --s3 to a folder of buckets or an endpoint"
                );
                return Err(no_metadata("no S3 is configured"));
            }
            Kind::Folder(_) if version.is_some() => {
                return Err(no_metadata("a folder has no versions of objects"));
            }
            Kind::Folder(files) => {
                let bucket = Path::from(bucket);
                let in_bucket: Path = bucket.parts().chain(path.parts()).collect();
                // Some file names are the library's own, for uploads under way.
                files.path_to_filesystem(&in_bucket).map_err(no_metadata)?;
                files.get_opts(&in_bucket, options).await
            }
            Kind::S3(buckets) => {
                buckets.client(bucket).map_err(ApiError::internal)?.get_opts(&path, options).await
            }
        };
        let object = answer.map_err(|error| explain(error, bucket, name))?;
        // The answer's headers tell the size, so that a large object is refused before any of it is
        // read.
        let size = usize::try_from(object.meta.size)
            .ok()
            .filter(|size| *size <= MAX_S3_IMAGE)
            .ok_or_else(too_large)?;
        let units = u32::try_from(size.div_ceil(UNIT_BYTES)).map_err(ApiError::internal)?;
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(units)
            .map_err(|_| ApiError::throttled())?;
        let bytes =
            collect(object.into_stream(), size, |error| explain(error, bucket, name)).await?;
        Ok(ImageBytes { bytes, _room: Some(room) })
    }
}

impl Buckets {
    fn open(builder: AmazonS3Builder) -> Result<Self, object_store::Error> {
        let has_endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
            .iter()
            .any(|key| builder.get_config_value(key).is_some());
        let timeouts = ClientOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT);
        let mut template = builder
            // With TLS only, unless it is a server of one's own.
            .with_client_options(timeouts.with_allow_http(has_endpoint))
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    max_backoff: Duration::from_secs(1),
                    ..BackoffConfig::default()
                },
                max_retries: MAX_RETRIES,
                retry_timeout: REQUEST_TIMEOUT,
            });
        if has_endpoint {
            template = template.with_virtual_hosted_style_request(false);
        }
        // Built once for nothing but its credentials, and to refuse a broken configuration at the
        // start.
        let credentials =
            Arc::clone(template.clone().with_bucket_name("any").build()?.credentials());
        Ok(Self { template, credentials, open: Mutex::default() })
    }

    fn client(&self, bucket: &str) -> Result<Arc<AmazonS3>, object_store::Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.get(bucket) {
            return Ok(Arc::clone(client));
        }
        let builder = self.template.clone().with_credentials(Arc::clone(&self.credentials));
        let client = Arc::new(builder.with_bucket_name(bucket).build()?);
        if open.len() == MAX_BUCKETS {
            open.clear();
        }
        open.insert(bucket.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

/// The object's path, if the library can say exactly this name.
///
/// It has no empty, `.` or `..` segments and no control characters, and would strip an outer slash,
/// which is part of a key's name on S3.
fn exact_path(bucket: &str, name: &str) -> ApiResult<Path> {
    let is_bucket = !bucket.is_empty()
        && bucket.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !is_bucket || bucket.chars().all(|c| c == '.') {
        return Err(no_metadata("not the name of a bucket"));
    }
    match Path::parse(name) {
        Ok(path) if path.as_ref() == name && !path.is_root() => Ok(path),
        _ => Err(no_metadata(
            "names with an empty, `.` or `..` segment, an outer slash or a control character are not supported",
        )),
    }
}

async fn collect<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    limit: usize,
    explain: impl Fn(E) -> ApiError,
) -> ApiResult<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await.map_err(&explain)? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// What the client reads of a failure: its own reference is wrong, S3 is busy, or else it is our
/// fault.
fn explain(error: object_store::Error, bucket: &str, name: &str) -> ApiError {
    match status(&error) {
        Some(429 | 503) => {
            let message = "S3 download limit exceeded";
            ApiError::new(ErrorCode::ProvisionedThroughputExceededException, message).because(error)
        }
        Some(300..500) => {
            tracing::info!(bucket, name, cause = %error, "an S3 object could not be read");
            no_metadata(error)
        }
        _ => ApiError::internal(error),
    }
}

/// The status that S3 answered with, or would have in the place of a folder. Of most the library
/// only keeps the text.
fn status(error: &object_store::Error) -> Option<u16> {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    match error {
        NotFound { .. } => return Some(404),
        PermissionDenied { .. } => return Some(403),
        Unauthenticated { .. } => return Some(401),
        _ => {}
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<HttpError>() {
            return None;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                ErrorKind::NotADirectory | ErrorKind::InvalidFilename => Some(404),
                ErrorKind::PermissionDenied => Some(403),
                _ => None,
            };
        }
        let text = error.to_string();
        if text.starts_with("Received redirect without LOCATION") {
            return Some(301);
        }
        if let Some(status) = text.strip_prefix("Server returned non-2xx status code: ") {
            return status.get(..3)?.parse().ok();
        }
        cause = error.source();
    }
    None
}

fn no_metadata(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
    let message = "Unable to get object metadata from S3. Check object key, region and/or access permissions.";
    ApiError::new(ErrorCode::InvalidS3ObjectException, message).because(cause)
}

fn too_large() -> ApiError {
    ApiError::new(ErrorCode::ImageTooLargeException, "Image size is too large")
}

#[cfg(test)]
mod tests;
