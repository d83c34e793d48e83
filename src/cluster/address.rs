//! Where other nodes reach this one.

use std::fmt;

use reqwest::Url;

/// The URL of a node, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress(Url);

/// A URL that other nodes can send their searches to.
pub fn parse_address(text: &str) -> Result<NodeAddress, String> {
    match text.parse::<Url>() {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.query().or(url.fragment()).is_none() =>
        {
            Ok(NodeAddress(url))
        }
        _ => {
            Err(format!("`{text}` is no address of a node; write for example http://10.0.0.5:9340"))
        }
    }
}

impl NodeAddress {
    /// Port 0 stands for the one that the server took.
    pub fn at_port(mut self, port: u16) -> String {
        if self.0.port() == Some(0) {
            let _ = self.0.set_port(Some(port));
        }
        self.to_string()
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_with_a_host() {
        for (text, address) in [
            ("http://10.0.0.5:9340", "http://10.0.0.5:9340"),
            ("http://node-1.nodes/", "http://node-1.nodes"),
            ("https://proxy:443/one/", "https://proxy/one"),
            ("http://127.0.0.1:0", "http://127.0.0.1:9600"),
            ("http://[::1]:0/", "http://[::1]:9600"),
        ] {
            let parsed = parse_address(text).expect(text);
            assert_eq!(parsed.at_port(9600), address, "{text}");
        }
        for text in ["", "10.0.0.5:9340", "ftp://a", "http://", "http://a:b@c", "http://a?b"] {
            assert!(parse_address(text).expect_err(text).contains("http://10.0.0.5"));
        }
    }
}
