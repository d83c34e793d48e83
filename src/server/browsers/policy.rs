//! Which pages may call, and by which names.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Uri, header};
use thiserror::Error;

use super::host::{HostNames, host_name, host_of, is_loopback_name};
use super::is_from_browser;
use super::origin::{AllowedOrigin, Origin};

/// Which pages may call, and by which names.
pub struct BrowserPolicy {
    origins: Vec<AllowedOrigin>,
    /// `None` where every request is signed: who rebinds a name has no key.
    hosts: Option<HostNames>,
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
    pub(super) fn admit(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, Refusal> {
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
