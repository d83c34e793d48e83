//! Names of hosts: those of this server, and the one by which a request reached it.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

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

/// The names by which a server may be called.
pub(super) struct HostNames {
    pub names: Vec<String>,
    /// Nobody but this machine connects, and it has names of its own.
    pub is_loopback: bool,
}

impl HostNames {
    /// An address cannot be rebound, so that every address is known.
    pub fn knows(&self, host: &str) -> bool {
        is_loopback_name(host)
            || address(host).is_some()
            || self.names.iter().any(|name| name == host)
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

pub(super) fn is_loopback_name(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// Host and port of a request, in lower case; `None` for one without, which no browser sends. Of
/// two that differ neither is believed.
pub(super) fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
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
pub(super) fn host_name(authority: &str) -> String {
    let parsed = authority.parse::<Authority>();
    let host = parsed.as_ref().map_or(authority, |authority| authority.host());
    host.trim_end_matches('.').to_owned()
}
