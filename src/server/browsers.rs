//! What a page in a browser may do here.
//!
//! Any page that a developer visits can send requests to his machine. Two checks keep such pages
//! out where no signature does: the `Origin` that the browser states must be allowed, and the name
//! by which the page reached the server must be one of the server's (DNS rebinding: a hostile name
//! that is made to resolve to 127.0.0.1 turns a foreign page into one of the same origin). SDKs
//! outside of browsers send no `Origin`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use thiserror::Error;
use tracing::info;
use uuid::Uuid;

/// The headers that AWS's SDKs send from a page.
const ALLOWED_HEADERS: &str = "amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,user-agent,\
    x-amz-content-sha256,x-amz-date,x-amz-security-token,x-amz-target,x-amz-user-agent,x-amzn-trace-id";
const EXPOSED_HEADERS: &str =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";
const MAX_AGE_SECONDS: &str = "7200";

/// Whose pages may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every page.
    Any,
    /// Pages that this machine serves, on whatever port.
    Loopback,
    /// Pages of one origin, as browsers write it: `https://app.example`.
    Exact(String),
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "*",
            Self::Loopback => "loopback",
            Self::Exact(origin) => origin,
        })
    }
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => return Ok(Self::Any),
            "loopback" => return Ok(Self::Loopback),
            _ => {}
        }
        match Origin::parse(text) {
            Some(origin) => Ok(Self::Exact(origin.to_string())),
            None => Err(format!(
                "`{text}` is no origin; write for example https://app.example or http://localhost:3000, \
                 `loopback` for every page of this machine, or `*` for every page there is"
            )),
        }
    }
}

/// A scheme, host and port, in lower case and without the scheme's own port.
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let authority: Authority = authority.parse().ok()?;
        let is_bare = !authority.as_str().contains('@') && !authority.host().is_empty();
        let own_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let origin = Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().filter(|port| *port != own_port),
        };
        is_bare.then_some(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A host name as `--host-name` takes it: in lower case, without a port.
pub fn parse_host_name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_name {
        Ok(text.trim_end_matches('.').to_ascii_lowercase())
    } else {
        Err(format!("`{text}` is no host name; write for example faces.example, without a port"))
    }
}

/// Which pages may call, and by which names.
pub struct BrowserPolicy {
    origins: Vec<AllowedOrigin>,
    /// `None` where every request is signed: who rebinds a name has no key.
    hosts: Option<HostNames>,
}

struct HostNames {
    names: Vec<String>,
    /// Nobody but this machine connects, and it has names of its own.
    is_loopback: bool,
}

/// Why a page is kept out.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("pages of {0} may not call this server. Start it with --cors-origin {0} to let them")]
    Origin(String),
    #[error(
        "this server is not known by the name {0}. Start it with --host-name {0} if that is one of its \
         names, or call it by its address"
    )]
    Host(String),
    #[error(
        "only this server's own pages may use its control plane, and {0} is no page of its own"
    )]
    Foreign(String),
}

impl BrowserPolicy {
    /// The policy of a server that listens at this address; the names matter where it is `open`.
    pub fn new(
        origins: Vec<AllowedOrigin>,
        names: Vec<String>,
        listen: SocketAddr,
        is_open: bool,
    ) -> Self {
        let hosts = HostNames { names, is_loopback: listen.ip().is_loopback() };
        Self { origins, hosts: is_open.then_some(hosts) }
    }

    /// Lets a request pass, with the `Access-Control-Allow-Origin` of its answer where it is
    /// cross-origin, or refuses it.
    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
        let authority = host_of(uri, headers);
        let origin = headers.get(header::ORIGIN);
        let allowed = origin.and_then(|origin| self.allows(origin));
        if let (Some(hosts), Some(authority)) = (&self.hosts, &authority) {
            let host = host_name(authority);
            let is_suspect = hosts.is_loopback || (is_from_browser(headers) && allowed.is_none());
            if is_suspect && !hosts.knows(&host) {
                return Err(Refusal::Host(host));
            }
        }
        match (origin, allowed) {
            (None, _) => Ok(None),
            (Some(_), Some(allowed)) => Ok(Some(allowed)),
            (Some(origin), None) => {
                let origin = String::from_utf8_lossy(origin.as_bytes());
                let own = origin.split_once("://").map(|(_, own)| own.to_ascii_lowercase());
                if own.is_some() && own == authority {
                    Ok(None)
                } else {
                    Err(Refusal::Origin(origin.chars().take(256).collect()))
                }
            }
        }
    }

    /// Lets a request of no page pass, and that of one of this server's own pages: what other pages
    /// are allowed does not count here, and neither does a name that is not the server's.
    pub fn admit_own(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let authority = host_of(uri, headers);
        if let (Some(hosts), Some(authority)) = (&self.hosts, &authority) {
            let host = host_name(authority);
            if (hosts.is_loopback || is_from_browser(headers)) && !hosts.knows(&host) {
                return Err(Refusal::Host(host));
            }
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
            let own = origin.split_once("://").map(|(_, own)| own);
            if own.is_none() || own != authority.as_deref() {
                return Err(Refusal::Foreign(origin.chars().take(256).collect()));
            }
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(Refusal::Foreign("what asks".to_owned())),
        }
    }

    fn allows(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.origins.contains(&AllowedOrigin::Any) {
            return Some(HeaderValue::from_static("*"));
        }
        let parsed = Origin::parse(origin.to_str().ok()?)?;
        let text = parsed.to_string();
        let is_allowed = self.origins.iter().any(|allowed| match allowed {
            AllowedOrigin::Any => true,
            AllowedOrigin::Loopback => is_loopback_name(&parsed.host),
            AllowedOrigin::Exact(exact) => *exact == text,
        });
        is_allowed.then(|| origin.clone())
    }
}

impl HostNames {
    /// An address cannot be rebound, so that every address is known.
    fn knows(&self, host: &str) -> bool {
        is_loopback_name(host)
            || address(host).is_some()
            || self.names.iter().any(|name| name == host)
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_loopback_name(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// Host and port of a request, in lower case; `None` for one without, which no browser sends. Of
/// two that differ neither is believed.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let of_uri = uri.authority().map(|authority| authority.as_str().as_bytes());
    let of_headers = headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let mut all = of_uri.into_iter().chain(of_headers);
    let first = all.next()?;
    let joined = all
        .filter(|other| *other != first)
        .fold(first.to_vec(), |joined, other| [joined.as_slice(), other].join(&b','));
    Some(
        String::from_utf8_lossy(&joined).chars().take(256).collect::<String>().to_ascii_lowercase(),
    )
}

/// The host without its port and final dot; a text that is no authority stays as it is.
fn host_name(authority: &str) -> String {
    let parsed = authority.parse::<Authority>();
    let host = parsed.as_ref().map_or(authority, |authority| authority.host());
    host.trim_end_matches('.').to_owned()
}

/// Browsers state where a request comes from; over plain HTTP a page's GET of its own origin bears
/// nothing but the browser's name. `Sec-Fetch-Mode` alone is what the `fetch` of Node.js sends.
pub fn is_from_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    ["origin", "sec-fetch-site", "sec-fetch-dest"].iter().any(|name| headers.contains_key(*name))
        || agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

/// Answers what the policy refuses, and preflights; lets all other requests pass.
pub async fn guard(
    State(policy): State<Arc<BrowserPolicy>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ORIGIN);
    match policy.admit(request.uri(), request.headers()) {
        Err(refusal) => refuse(&refusal),
        Ok(allowed) if is_preflight => {
            let mut response = Response::new(Body::empty());
            let headers = response.headers_mut();
            headers.insert("x-amzn-requestid", request_id());
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
                (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            expose(headers, allowed);
            response
        }
        Ok(allowed) => {
            let mut response = next.run(request).await;
            expose(response.headers_mut(), allowed);
            response
        }
    }
}

/// Lets a page read the answer and its request id.
fn expose(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    let Some(allowed) = allowed else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    headers
        .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// An error that SDKs read as well as people do.
fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = match refusal {
        Refusal::Origin(_) | Refusal::Foreign(_) => StatusCode::FORBIDDEN,
        Refusal::Host(_) => StatusCode::MISDIRECTED_REQUEST,
    };
    info!(status = status.as_u16(), error = %refusal, "request refused");
    let body = serde_json::json!({
        "__type": "AccessDeniedException", "Code": "AccessDeniedException", "Message": refusal.to_string()
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert("x-amzn-requestid", request_id());
    response
}

fn request_id() -> HeaderValue {
    HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("a UUID is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "127.0.0.1:9340";
    const EVERYWHERE: &str = "0.0.0.0:9340";

    fn policy(listen: &str, origins: &[&str], names: &[&str]) -> BrowserPolicy {
        let origins = origins.iter().map(|text| text.parse().expect("an origin")).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        BrowserPolicy::new(origins, names, listen.parse().expect("an address"), true)
    }

    /// `Ok` with the allowed origin, or the kind of refusal.
    fn admit(policy: &BrowserPolicy, headers: &[(&'static str, &str)]) -> Result<String, u16> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), value.parse().expect("a value"))
            })
            .collect();
        match policy.admit(&Uri::from_static("/"), &headers) {
            Ok(allowed) => {
                Ok(allowed.map_or_else(String::new, |value| value.to_str().unwrap().into()))
            }
            Err(Refusal::Origin(_) | Refusal::Foreign(_)) => Err(403),
            Err(Refusal::Host(_)) => Err(421),
        }
    }

    #[test]
    fn pages_of_this_machine_may_call_and_no_others() {
        for listen in [HERE, EVERYWHERE] {
            let policy = policy(listen, &["loopback"], &[]);
            for origin in [
                "http://localhost:3000",
                "https://app.localhost",
                "http://127.0.0.1",
                "http://[::1]:8080",
            ] {
                let request = [("host", "localhost:9340"), ("origin", origin)];
                assert_eq!(admit(&policy, &request), Ok(origin.to_owned()));
            }
            for origin in [
                "https://evil.example",
                "http://localhost.evil.example",
                "http://127.0.0.1.evil.example",
                "http://localhost@evil.example",
                "null",
                "file://",
                "",
            ] {
                let request = [("host", "localhost:9340"), ("origin", origin)];
                assert_eq!(admit(&policy, &request), Err(403), "{origin}");
            }
        }
    }

    #[test]
    fn a_rebound_name_is_refused_and_a_service_name_is_not() {
        let local = policy(HERE, &["loopback"], &["faces.example"]);
        let container = policy(EVERYWHERE, &["loopback"], &["faces.example"]);
        let rebound = [("host", "evil.example:9340"), ("origin", "http://evil.example:9340")];
        let rebound_get = [("host", "evil.example:9340"), ("user-agent", "Mozilla/5.0 (X11)")];
        let fetched = [("host", "evil.example:9340"), ("sec-fetch-site", "same-origin")];
        for request in [&rebound[..], &rebound_get, &fetched] {
            assert_eq!(admit(&local, request), Err(421), "{request:?}");
            assert_eq!(admit(&container, request), Err(421), "{request:?}");
        }
        let sdk = [("host", "lookalike:9340"), ("user-agent", "Boto3/1.40 md/Botocore#1.40")];
        assert_eq!(admit(&container, &sdk), Ok(String::new()));
        let node = [("host", "lookalike:9340"), ("sec-fetch-mode", "cors"), ("user-agent", "node")];
        assert_eq!(admit(&container, &node), Ok(String::new()));
        assert_eq!(admit(&local, &sdk), Err(421), "nobody reaches loopback by that name");
        for host in [
            "localhost",
            "127.0.0.1:9340",
            "[::1]:9340",
            "192.168.1.7:9340",
            "Faces.Example.",
            "x.localhost",
        ] {
            assert_eq!(admit(&local, &[("host", host)]), Ok(String::new()), "{host}");
            assert_eq!(
                admit(&container, &[("host", host), ("user-agent", "Mozilla/5.0")]),
                Ok(String::new()),
                "{host}"
            );
        }
        assert_eq!(admit(&local, &[]), Ok(String::new()), "no browser leaves it out");
        let two = [("host", "localhost"), ("host", "evil.example")];
        let headers = HeaderMap::from_iter([(header::HOST, two[0].1.parse().unwrap())]);
        assert!(local.admit(&Uri::from_static("http://evil.example/"), &headers).is_err());
    }

    #[test]
    fn an_allowed_origin_may_use_any_name_and_a_page_may_call_its_own_server() {
        let container = policy(EVERYWHERE, &["https://app.example:443", "http://web:3000"], &[]);
        let playwright = [("host", "lookalike:9340"), ("origin", "http://web:3000")];
        assert_eq!(admit(&container, &playwright), Ok("http://web:3000".to_owned()));
        let default_port = [("host", "lookalike:9340"), ("origin", "https://app.example")];
        assert_eq!(admit(&container, &default_port), Ok("https://app.example".to_owned()));
        let loopback = [("host", "localhost:9340"), ("origin", "http://localhost:3000")];
        assert_eq!(admit(&container, &loopback), Err(403), "a list replaces the default");
        let own = [("host", "10.1.2.3:9340"), ("origin", "http://10.1.2.3:9340")];
        assert_eq!(admit(&container, &own), Ok(String::new()));
    }

    #[test]
    fn names_do_not_matter_where_requests_are_signed() {
        let listen = HERE.parse().expect("an address");
        let signed = BrowserPolicy::new(vec![AllowedOrigin::Any], vec![], listen, false);
        let request = [("host", "faces.example"), ("origin", "https://app.example")];
        assert_eq!(admit(&signed, &request), Ok("*".to_owned()));
    }

    #[test]
    fn an_origin_that_no_browser_sends_is_refused() {
        for text in
            ["", "null", "app.example", "ftp://app.example", "https://app.example/", "https://"]
        {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
        for text in ["", "faces.example:9340", "http://faces.example", "a b"] {
            assert!(parse_host_name(text).is_err(), "{text}");
        }
    }
}
