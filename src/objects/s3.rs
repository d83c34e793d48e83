//! Objects of S3: a signed GET of exactly the key that was asked for.
//!
//! Credentials come from `object_store`, which finds them in the environment or in the machine's
//! role. Its own requests are not used: it cannot name keys such as `a//b`, and follows redirects.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Response;
use reqwest::redirect::Policy;
use tokio::time::timeout;

use super::ObjectError;
use super::room::Arriving;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const HEADERS_TIMEOUT: Duration = Duration::from_secs(20);
/// Longer than this no object pauses that will still arrive.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
pub const MAX_RETRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Error documents are much smaller.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// What RFC 3986 leaves unreserved stays as it is, and in a key the slash.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const KEY: &AsciiSet = &UNRESERVED.remove(b'/');

/// A client of one endpoint.
pub struct S3 {
    http: reqwest::Client,
    /// Without a slash at its end.
    endpoint: String,
    region: String,
    credentials: AwsCredentialProvider,
}

impl S3 {
    /// Reads the rest of its configuration from where `object_store` found it.
    pub fn open(builder: AmazonS3Builder) -> Result<Self, object_store::Error> {
        let value = |key| builder.get_config_value(&key);
        let region = value(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
        let own = value(AmazonS3ConfigKey::S3Endpoint).or(value(AmazonS3ConfigKey::Endpoint));
        let endpoint = own.clone().unwrap_or(format!("https://s3.{region}.amazonaws.com"));
        let failed = |error: reqwest::Error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // Another host would get the signature, and could be anybody.
            .redirect(Policy::none())
            // With TLS only, unless it is a server of one's own.
            .https_only(own.is_none())
            .build()
            .map_err(failed)?;
        // Built for nothing but its credentials, and to refuse a broken configuration at the start.
        let credentials = std::sync::Arc::clone(
            builder.with_allow_http(own.is_some()).with_bucket_name("any").build()?.credentials(),
        );
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Ok(Self { http, endpoint, region, credentials })
    }

    /// Whether anything answers there; an unsigned request may well be refused.
    pub async fn probe(&self) -> Result<(), reqwest::Error> {
        self.http.get(&self.endpoint).timeout(PROBE_TIMEOUT).send().await.map(drop)
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Reads an object.
    pub async fn read(
        &self,
        bucket: &str,
        name: &str,
        version: Option<&str>,
        arriving: &mut Arriving,
    ) -> Result<(), ObjectError> {
        let mut response = self.get(bucket, name, version).await?;
        // The headers announce the size, so that a large object is refused before it is read.
        if let Some(size) = response.content_length() {
            arriving.expect(size)?;
        }
        loop {
            let chunk = timeout(STALL_TIMEOUT, response.chunk()).await;
            match chunk.map_err(|_| ObjectError::Stalled)?.map_err(ObjectError::Interrupted)? {
                Some(chunk) => arriving.push(&chunk)?,
                None => return Ok(()),
            }
        }
    }

    async fn get(
        &self,
        bucket: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Response, ObjectError> {
        let mut url = format!("{}/{bucket}/{}", self.endpoint, utf8_percent_encode(name, KEY));
        if let Some(version) = version {
            url.push_str("?versionId=");
            url.extend(utf8_percent_encode(version, UNRESERVED));
        }
        let mut pause = FIRST_PAUSE;
        for _ in 0..MAX_RETRIES {
            match self.try_get(&url).await {
                Err(error) if error.is_passing() => {
                    tracing::debug!(%error, bucket, name, "trying again");
                }
                result => return result,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.try_get(&url).await
    }

    async fn try_get(&self, url: &str) -> Result<Response, ObjectError> {
        let mut request = self.http.get(url);
        for (name, value) in self.signature(url).await? {
            request = request.header(name, value);
        }
        let response = timeout(HEADERS_TIMEOUT, request.send())
            .await
            .map_err(|_| ObjectError::Stalled)?
            .map_err(|error| {
                if error.is_connect() {
                    ObjectError::Unreachable(error)
                } else {
                    ObjectError::Interrupted(error)
                }
            })?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response);
        }
        let code = timeout(STALL_TIMEOUT, error_code(response)).await.unwrap_or_default();
        Err(match status {
            429 | 503 => ObjectError::Busy { status, code },
            500.. => ObjectError::Failed { status, code },
            _ => ObjectError::Refused { status, code },
        })
    }

    /// The headers that authenticate a GET.
    async fn signature(&self, url: &str) -> Result<Vec<(String, String)>, ObjectError> {
        let key = self.credentials.get_credential().await.map_err(ObjectError::Credentials)?;
        let token = key.token.clone();
        let identity = Credentials::new(&key.key_id, &key.secret_key, token, None, "s3").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| ObjectError::Signing(error);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| failed(error.into()))?
            .into();
        let request =
            SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(b""))
                .map_err(|error| failed(error.into()))?;
        let (instructions, _) =
            sign(request, &parameters).map_err(|error| failed(error.into()))?.into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers
            .into_iter()
            .map(|header| (header.name().to_owned(), header.value().to_owned()))
            .collect())
    }
}

/// The `Code` of an error document; empty when there is none.
async fn error_code(mut response: Response) -> String {
    let mut document = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        document.extend_from_slice(&chunk);
        if document.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&document);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or(String::new(), |(code, _)| code.chars().take(64).collect())
}
