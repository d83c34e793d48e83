//! The image of a request: bytes, or the name of an object.

use aws_json::constraint::{Constrained, Path, Violations, check_length};
use aws_json::shapes::Blob;
use aws_json::{ApiError, ApiResult, ErrorCode, scalar};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use super::members::{S3Bucket, S3ObjectName, S3ObjectVersion};

/// The largest image that a request carries, in bytes.
const MAX_IMAGE_BYTES: usize = 5_242_880;

/// An image in the request itself or in a bucket; which of the two is no matter of the model.
#[derive(Debug, Default)]
pub struct Image {
    pub bytes: Option<Blob>,
    pub s3_object: Option<S3Object>,
}

/// The one place that the bytes of an image come from.
#[derive(Debug)]
pub enum ImageLocation {
    Request(Bytes),
    S3 { bucket: S3Bucket, name: S3ObjectName, version: Option<S3ObjectVersion> },
}

impl Image {
    /// Where the bytes are: in the request, or else in the object that it names. Refuses both,
    /// neither, and half an object.
    pub fn location(self) -> ApiResult<ImageLocation> {
        match (self.bytes, self.s3_object) {
            (Some(Blob(bytes)), None) => Ok(ImageLocation::Request(bytes)),
            (None, Some(S3Object { bucket: Some(bucket), name: Some(name), version })) => {
                Ok(ImageLocation::S3 { bucket, name, version })
            }
            (None, Some(_)) => Err(ApiError::new(
                ErrorCode::InvalidS3ObjectException,
                "Request has invalid S3 object",
            )),
            _ => Err(ApiError::invalid_parameters()),
        }
    }
}

/// Where an image lies in S3. The model requires neither member.
#[derive(Debug, Default)]
pub struct S3Object {
    pub bucket: Option<S3Bucket>,
    pub name: Option<S3ObjectName>,
    pub version: Option<S3ObjectVersion>,
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Members {
            bytes: Option<Blob>,
            s3_object: Option<S3Object>,
        }
        scalar::structure(deserializer)
            .map(|Members { bytes, s3_object }| Self { bytes, s3_object })
    }
}

impl<'de> Deserialize<'de> for S3Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Members {
            bucket: Option<S3Bucket>,
            name: Option<S3ObjectName>,
            version: Option<S3ObjectVersion>,
        }
        scalar::structure(deserializer).map(|Members { bucket, name, version }| Self {
            bucket,
            name,
            version,
        })
    }
}

impl Constrained for Image {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        if let Some(bytes) = &self.bytes {
            check_length(
                bytes.0.len(),
                1,
                MAX_IMAGE_BYTES,
                bytes,
                path.member("bytes"),
                violations,
            );
        }
        self.s3_object.check(path.member("s3_object"), violations);
    }
}

impl Constrained for S3Object {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        self.bucket.check(path.member("bucket"), violations);
        self.name.check(path.member("name"), violations);
        self.version.check(path.member("version"), violations);
    }
}
