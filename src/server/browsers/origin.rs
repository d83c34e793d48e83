//! Origins of pages, as browsers state them and as they are allowed.

use std::fmt;
use std::str::FromStr;

use http::uri::Authority;

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
pub(super) struct Origin {
    scheme: String,
    pub(super) host: String,
    port: Option<u16>,
}

impl Origin {
    pub(super) fn parse(text: &str) -> Option<Self> {
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
