//! The address of a database that several hosts may serve.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::open_error::OpenError;

/// Where a database is: `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?OPTION=VALUE`, as
/// libpq reads it.
#[derive(Clone)]
pub struct Address {
    /// One for each host.
    pub(super) hosts: Vec<PgConnectOptions>,
    /// Without user, password and options.
    shown: String,
}

impl Address {
    /// Whether a location is the address of a database, and not a folder.
    pub fn is_one(location: &str) -> bool {
        location.starts_with("postgres://") || location.starts_with("postgresql://")
    }
}

/// Shows hosts and database, and no password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        let (_, rest) = text.split_once("://").unwrap_or(("", text));
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        // The primary is always wanted, and found.
        let options: Vec<&str> = query
            .split('&')
            .filter(|option| !option.is_empty() && !option.starts_with("target_session_attrs="))
            .collect();
        let query = options.join("&");
        let hosts = hosts
            .split(',')
            .map(|host| format!("postgres://{user}{host}{path}?{query}").parse())
            .collect::<Result<Vec<PgConnectOptions>, _>>()
            .map_err(OpenError::Address)?;
        let named: Vec<String> =
            hosts.iter().map(|host| format!("{}:{}", host.get_host(), host.get_port())).collect();
        Ok(Self { shown: format!("postgres://{}{path}", named.join(",")), hosts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_of_an_address_gets_the_rest_of_it() {
        let address: Address =
            "postgresql://ann:p%40ss@one,two:5433,[::1]:5434/faces?target_session_attrs=read-write&sslmode=require"
                .parse()
                .unwrap();
        let hosts: Vec<_> = address
            .hosts
            .iter()
            .map(|host| {
                (host.get_host(), host.get_port(), host.get_username(), host.get_database())
            })
            .collect();
        assert_eq!(
            hosts,
            [("one", 5432), ("two", 5433), ("[::1]", 5434)].map(|(host, port)| (
                host,
                port,
                "ann",
                Some("faces")
            ))
        );
        assert_eq!(address.to_string(), "postgres://one:5432,two:5433,[::1]:5434/faces");
        assert!(!format!("{address:?}").contains("ss@"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for text in
            ["postgres://ann:secret@one:port/faces", "postgres://ann:secret@one/f?sslmode=?"]
        {
            let error = text.parse::<Address>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        assert!(Address::is_one("postgres://h/d") && !Address::is_one("data/postgres"));
    }
}
