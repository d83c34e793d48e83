//! An endpoint that speaks Rekognition, called with signatures.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use clap::Args;
use reqwest::{Client, Url};
use serde_json::Value;
use thiserror::Error;

use super::{Api, CallError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// AWS's SDKs wait as long for an answer.
const TIMEOUT: Duration = Duration::from_mins(1);
/// What an open server takes: an account of twelve digits, and any secret.
const OPEN_KEY: (&str, &str) = ("000000000000", "open");

/// Which endpoint is called, and with which keys.
#[derive(Debug, Clone, Args)]
pub struct Endpoint {
    /// Endpoint of the API: this server, or Amazon Rekognition itself.
    #[arg(
        long,
        env = "AWS_ENDPOINT_URL_REKOGNITION",
        value_name = "URL",
        default_value = "http://127.0.0.1:9340"
    )]
    endpoint_url: Url,
    /// Region of the collection; AWS_DEFAULT_REGION counts too.
    #[arg(long, env = "AWS_REGION")]
    region: Option<String>,
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide = true, hide_env_values = true)]
    access_key_id: Option<String>,
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide = true, hide_env_values = true)]
    secret_access_key: Option<String>,
    #[arg(long, env = "AWS_SESSION_TOKEN", hide = true, hide_env_values = true)]
    session_token: Option<String>,
}

/// Why an endpoint cannot be called at all.
#[derive(Debug, Error)]
pub enum EndpointError {
    #[error(
        "there are no keys for {0}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as \
         `aws configure export-credentials --format env` prints them"
    )]
    NoKeys(Url),
    #[error(
        "the seed file names an account, and AWS_ACCESS_KEY_ID has one of its own: remove one of them"
    )]
    AccountAndKeys,
    #[error("cannot prepare to call the endpoint")]
    Client(#[from] reqwest::Error),
}

/// A client of one endpoint.
pub struct Remote {
    client: Client,
    url: Url,
    region: String,
    credentials: Credentials,
}

impl Remote {
    /// Prepares to call an endpoint.
    pub fn new(endpoint: Endpoint) -> Result<Self, EndpointError> {
        Self::of_tenant(endpoint, None, None)
    }

    /// The same for an account and a region where they are stated. Keys have an account of their
    /// own; without keys an open server takes the account for one.
    pub fn of_tenant(
        endpoint: Endpoint,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, EndpointError> {
        let url = endpoint.endpoint_url;
        let is_aws = url.host_str().is_some_and(|host| {
            host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
        });
        let (key, secret) = match (endpoint.access_key_id, endpoint.secret_access_key) {
            (Some(_), Some(_)) if account.is_some() => return Err(EndpointError::AccountAndKeys),
            (Some(key), Some(secret)) => (key, secret),
            (None, None) if !is_aws => {
                (account.unwrap_or(OPEN_KEY.0).to_owned(), OPEN_KEY.1.to_owned())
            }
            _ => return Err(EndpointError::NoKeys(url)),
        };
        let region = region
            .map(str::to_owned)
            .or(endpoint.region)
            .or_else(|| std::env::var("AWS_DEFAULT_REGION").ok())
            .unwrap_or_else(|| "us-east-1".to_owned());
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).build()?;
        let credentials =
            Credentials::new(key, secret, endpoint.session_token, None, "environment");
        Ok(Self { client, url, region, credentials })
    }

    /// The headers of a signed call.
    fn headers(&self, operation: &str, body: &[u8]) -> Result<Vec<(String, String)>, CallError> {
        let unsigned = |error: &dyn std::fmt::Display| CallError::Unsigned(error.to_string());
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("rekognition")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let mut headers = vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), format!("RekognitionService.{operation}")),
        ];
        let borrowed = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request =
            SignableRequest::new("POST", self.url.as_str(), borrowed, SignableBody::Bytes(body))
                .map_err(|error| unsigned(&error))?;
        let (instructions, _) =
            sign(request, &parameters).map_err(|error| unsigned(&error))?.into_parts();
        let (signed, _) = instructions.into_parts();
        headers.extend(
            signed.iter().map(|header| (header.name().to_owned(), header.value().to_owned())),
        );
        Ok(headers)
    }
}

#[async_trait]
impl Api for Remote {
    async fn call_once(&self, operation: &str, input: &Value) -> Result<Value, CallError> {
        let body = input.to_string().into_bytes();
        let mut request = self.client.post(self.url.clone());
        for (name, value) in self.headers(operation, &body)? {
            request = request.header(name, value);
        }
        let silent = |error: reqwest::Error| {
            let error = error.without_url();
            let causes = aws_json::causes(&error);
            CallError::Silent(format!("{error}: {causes}"))
        };
        let answer = request.body(body).send().await.map_err(silent)?;
        let status = answer.status();
        let text = answer.text().await.map_err(silent)?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() && value.is_object() {
            return Ok(value);
        }
        let member = |names: [&str; 2]| {
            names.into_iter().find_map(|name| value[name].as_str()).unwrap_or_default().to_owned()
        };
        let code = member(["__type", "code"]);
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() };
        Err(CallError::Refused {
            status: status.as_u16(),
            code,
            message: member(["message", "Message"]),
        })
    }
}
