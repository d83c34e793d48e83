//! Who may use the control plane: whoever reaches an open server, and whoever has the token of
//! another one, but no page of another origin.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::error::AdminError;
use crate::server::browsers::{BrowserPolicy, is_from_browser};

/// The header that no page of another origin can send.
const DELIBERATE: &str = "x-lookalike-admin";

/// The secret that opens the control plane, as a digest.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

impl FromStr for AdminToken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_header = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_header {
            Ok(Self(Sha256::digest(text).into()))
        } else {
            Err("a token has one or more printable ASCII characters and no spaces".to_owned())
        }
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl AdminToken {
    /// Takes the same time for every text of the same length.
    fn is(&self, text: &[u8]) -> bool {
        self.0.ct_eq(&Sha256::digest(text)).into()
    }
}

/// The rules of one listener.
pub struct Access {
    pub token: Option<AdminToken>,
    /// Whether the server takes any signature.
    pub is_open: bool,
    pub browsers: Arc<BrowserPolicy>,
}

impl Access {
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), AdminError> {
        let own = self.browsers.admit_own(uri, headers);
        own.map_err(|refusal| AdminError::Page(refusal.to_string()))?;
        if !method.is_safe() && is_from_browser(headers) && !headers.contains_key(DELIBERATE) {
            return Err(AdminError::NotDeliberate);
        }
        let Some(token) = &self.token else {
            return if self.is_open { Ok(()) } else { Err(AdminError::TokenNotConfigured) };
        };
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        match given.and_then(bearer) {
            Some(given) if token.is(given) => Ok(()),
            Some(_) => Err(AdminError::WrongToken),
            None => Err(AdminError::NoToken),
        }
    }
}

/// What follows the scheme `Bearer`, whose letters may be of either case.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Lets the requests pass that may.
pub async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.admit(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::info!(error = %refusal, path = request.uri().path(), "request refused");
            refusal.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::browsers::AllowedOrigin;

    fn access(token: Option<&str>, is_open: bool) -> Access {
        let listen = "127.0.0.1:9340".parse().expect("an address");
        let browsers = BrowserPolicy::new(vec![AllowedOrigin::Any], vec![], listen, is_open);
        let token = token.map(|token| token.parse().expect("a token"));
        Access { token, is_open, browsers: Arc::new(browsers) }
    }

    fn admit(access: &Access, method: &Method, headers: &[(&'static str, &str)]) -> u16 {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), value.parse().expect("a value"))
        });
        let admitted = access.admit(method, &Uri::from_static("/"), &headers.collect());
        admitted.map_or_else(|refusal| refusal.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn a_configured_token_is_needed_in_every_mode() {
        for is_open in [true, false] {
            let access = access(Some("s3cret"), is_open);
            assert_eq!(admit(&access, &Method::GET, &[]), 401);
            for wrong in ["Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "s3cret", "Bearer "] {
                assert_eq!(
                    admit(&access, &Method::GET, &[("authorization", wrong)]),
                    401,
                    "{wrong}"
                );
            }
            for right in ["Bearer s3cret", "bearer s3cret"] {
                assert_eq!(admit(&access, &Method::POST, &[("authorization", right)]), 200);
            }
        }
        assert_eq!(admit(&access(None, true), &Method::POST, &[]), 200);
        assert_eq!(admit(&access(None, false), &Method::GET, &[]), 403);
    }

    #[test]
    fn no_page_of_another_origin_is_let_in_even_with_the_token() {
        let access = access(Some("s3cret"), true);
        let token = ("authorization", "Bearer s3cret");
        let here = ("host", "localhost:9340");
        for headers in [
            &[token, here, ("origin", "http://localhost:3000")][..],
            &[token, here, ("origin", "null")],
            &[token, here, ("sec-fetch-site", "cross-site")],
            &[token, here, ("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(admit(&access, &Method::GET, headers), 403, "{headers:?}");
        }
        let rebound = [token, ("host", "evil.example"), ("origin", "http://evil.example")];
        assert_eq!(admit(&access, &Method::GET, &rebound), 403);
        let own =
            [token, here, ("origin", "http://localhost:9340"), ("sec-fetch-site", "same-origin")];
        assert_eq!(admit(&access, &Method::GET, &own), 200);
        assert_eq!(admit(&access, &Method::POST, &own), 403, "it has to say that it means it");
        let deliberate = [&own[..], &[(DELIBERATE, "1")]].concat();
        assert_eq!(admit(&access, &Method::POST, &deliberate), 200);
    }

    #[test]
    fn a_token_is_not_shown() {
        let token: AdminToken = "s3cret".parse().expect("a token");
        assert!(!format!("{token:?}").contains("s3cret"));
        for wrong in ["", " ", "a b", "é"] {
            assert!(wrong.parse::<AdminToken>().is_err(), "{wrong}");
        }
    }
}
