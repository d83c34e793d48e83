use http::{HeaderMap, Uri, header};

use super::policy::{BrowserPolicy, Refusal};
use super::{AllowedOrigin, parse_host_name};

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
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a value")))
        .collect();
    match policy.admit(&Uri::from_static("/"), &headers) {
        Ok(allowed) => Ok(allowed.map_or_else(String::new, |value| value.to_str().unwrap().into())),
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
    for text in ["", "null", "app.example", "ftp://app.example", "https://app.example/", "https://"]
    {
        assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
    }
    for text in ["", "faces.example:9340", "http://faces.example", "a b"] {
        assert!(parse_host_name(text).is_err(), "{text}");
    }
}
