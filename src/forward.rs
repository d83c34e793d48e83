//! Operations that are not here, passed on to a server that has them.

use std::time::Duration;

use aws_json::{ApiError, ApiResult, ErrorCode};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use reqwest::{Client, Url, redirect};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Without a byte of the answer.
const SILENCE: Duration = Duration::from_mins(1);
/// Headers that concern one connection, or whom the other server lets in.
const OWN_HEADERS: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
];

/// Another server that speaks Rekognition.
pub struct Forward {
    base: Url,
    client: Client,
}

/// A URL that requests can be passed on to.
pub fn parse_forward(text: &str) -> Result<Url, String> {
    match text.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(format!("`{text}` is no URL of a server; write for example http://moto:5000")),
    }
}

impl Forward {
    /// Passes requests on to this URL; its path is put in front of theirs.
    pub fn new(base: Url) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { base, client })
    }

    /// Sends a request as it came, `Host` and signature included; the answer's body is passed on
    /// as it arrives.
    pub async fn send(&self, request: Request<Bytes>) -> ApiResult<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), parts.uri.path()));
        url.set_query(parts.uri.query());
        drop_own(&mut parts.headers);
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::EXPECT);
        let sent = self.client.request(parts.method, url).headers(parts.headers).body(body).send();
        let mut response = Response::from(sent.await.map_err(unreachable)?).map(Body::new);
        drop_own(response.headers_mut());
        Ok(response)
    }
}

fn drop_own(headers: &mut HeaderMap) {
    OWN_HEADERS.iter().for_each(|name| drop(headers.remove(*name)));
}

fn unreachable(error: reqwest::Error) -> ApiError {
    let text = "The server that --forward names did not answer";
    ApiError::new(ErrorCode::InternalServerError, text).because(error)
}
