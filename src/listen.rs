//! The address to listen on, as people write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

const DEFAULT_PORT: u16 = 9340;

/// `9600` and `localhost:9600` are on loopback; an address or a name without a port gets 9340.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok((address, DEFAULT_PORT).into());
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong(text))?),
        None => (text, DEFAULT_PORT),
    };
    if host.is_empty()
        || host.contains([':', '/'])
        || host.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(wrong(text));
    }
    let addresses = (host, port).to_socket_addrs();
    let addresses = addresses.map_err(|error| format!("`{host}` has no address: {error}"))?;
    // Clients of either family try both where the name has both.
    addresses.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| format!("`{host}` has no address"))
}

/// The address to call a server at that listens on this one: where it listens everywhere, loopback.
pub fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listen
}

fn wrong(text: &str) -> String {
    format!(
        "`{text}` is no address to listen on; write for example 9600 or localhost:9600 for this machine \
         alone, 0.0.0.0:9600 for every network"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_names_and_addresses_are_understood() {
        for (text, address) in [
            ("9600", "127.0.0.1:9600"),
            ("0", "127.0.0.1:0"),
            ("localhost:9600", "127.0.0.1:9600"),
            ("localhost", "127.0.0.1:9340"),
            ("0.0.0.0", "0.0.0.0:9340"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:9600", "[::1]:9600"),
            ("[::1]", "[::1]:9340"),
            ("::1", "[::1]:9340"),
        ] {
            assert_eq!(parse_listen(text), Ok(address.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in
            ["", ":9600", "70000", "localhost:", "localhost:x", "http://localhost:9600", "a b:c"]
        {
            let refusal = parse_listen(text).expect_err(text);
            assert!(refusal.contains("localhost:9600"), "{refusal}");
        }
    }
}
