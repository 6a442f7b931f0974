//! The names under which the dashboard is reached.

use std::net::{IpAddr, SocketAddr};

/// The names under which the dashboard is reached, lower case, port included unless it is 80.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    names: Vec<String>,
    /// Bound to all addresses of the machine: any address literal with this port is one of them,
    /// and no name that a foreign page could have made point here.
    any_address: Option<u16>,
}

impl Hosts {
    /// The names of `bound`, of this machine itself, and the `allowed` ones (without port: with any).
    pub(crate) fn new(bind: &str, bound: SocketAddr, allowed: &[String]) -> Self {
        let port = bound.port();
        let configured = bind.rsplit_once(':').map_or(bind, |(name, _)| name);
        let own = ["localhost", "127.0.0.1", "[::1]", configured].map(|name| format!("{name}:{port}"));
        let names = own.into_iter().chain([bound.to_string()]).chain(allowed.iter().cloned());
        let names = names.map(|name| normal(&name)).collect();
        Self { names, any_address: bound.ip().is_unspecified().then_some(port) }
    }

    /// Whether `host`, as the header has it, is a name of the lab.
    pub(crate) fn allow(&self, host: &str) -> bool {
        let host = normal(host);
        let name = split_port(&host).0;
        let named =
            |allowed: &String| *allowed == host || (split_port(allowed).1.is_none() && allowed == name);
        let literal = || {
            let (name, port) = split_port(&host);
            let name = name.trim_start_matches('[').trim_end_matches(']');
            name.parse::<IpAddr>().is_ok() && self.any_address == Some(port.unwrap_or(80))
        };
        self.names.iter().any(named) || literal()
    }
}

/// Whether an `Origin` is that of the page served at `host`.
pub(super) fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, of)) = origin.split_once("://") else { return false };
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.strip_suffix(default).map(str::to_owned).unwrap_or(name)
    };
    bare(of) == bare(host)
}

fn normal(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    match host.strip_suffix(":80") {
        // `[::80` is no port.
        Some(name) if !name.ends_with(':') => name.to_owned(),
        _ => host,
    }
}

/// Name and port; brackets of an IPv6 address stay with the name.
fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bind: &str, bound: &str, allowed: &[&str], host: &str, expected: bool) {
        let allowed: Vec<_> = allowed.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(Hosts::new(bind, bound.parse().unwrap(), &allowed).allow(host), expected, "{host}");
    }

    #[test]
    fn loopback_names_are_allowed_with_the_bound_port() {
        for host in ["localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"] {
            check("127.0.0.1:8080", "127.0.0.1:8080", &[], host, true);
        }
        for host in
            ["localhost", "localhost:8081", "evil.example:8080", "127.0.0.1.evil.example:8080", "", ":8080"]
        {
            check("127.0.0.1:8080", "127.0.0.1:8080", &[], host, false);
        }
    }

    #[test]
    fn port_80_needs_not_be_said() {
        check("127.0.0.1:80", "127.0.0.1:80", &[], "localhost", true);
        check("127.0.0.1:80", "127.0.0.1:80", &[], "localhost:80", true);
        check("127.0.0.1:80", "127.0.0.1:80", &[], "[::1]", true);
    }

    #[test]
    fn a_bound_address_is_allowed_and_a_wildcard_allows_literals_only() {
        check("10.0.0.5:8080", "10.0.0.5:8080", &[], "10.0.0.5:8080", true);
        check("10.0.0.5:8080", "10.0.0.5:8080", &[], "10.0.0.6:8080", false);
        check("0.0.0.0:8080", "0.0.0.0:8080", &[], "10.0.0.6:8080", true);
        check("0.0.0.0:8080", "0.0.0.0:8080", &[], "[fe80::1]:8080", true);
        check("0.0.0.0:8080", "0.0.0.0:8080", &[], "10.0.0.6:9090", false);
        check("0.0.0.0:8080", "0.0.0.0:8080", &[], "evil.example:8080", false);
    }

    #[test]
    fn a_configured_name_is_allowed_with_its_port_or_with_any() {
        check("127.0.0.1:8080", "127.0.0.1:8080", &["lab.example.org"], "lab.example.org", true);
        check("127.0.0.1:8080", "127.0.0.1:8080", &["lab.example.org"], "Lab.Example.org:444", true);
        check("127.0.0.1:8080", "127.0.0.1:8080", &["localhost:9000"], "localhost:9000", true);
        check("127.0.0.1:8080", "127.0.0.1:8080", &["localhost:9000"], "localhost:9001", false);
    }

    #[test]
    fn an_origin_is_the_same_by_scheme_name_and_port() {
        assert!(is_same("http://localhost:8080", "localhost:8080"));
        assert!(is_same("https://lab.example.org", "lab.example.org"));
        assert!(is_same("http://lab.example.org", "lab.example.org:80"));
        for origin in
            ["null", "http://evil.example", "http://localhost:8081", "ftp://localhost:8080", "localhost:8080"]
        {
            assert!(!is_same(origin, "localhost:8080"), "{origin}");
        }
    }
}
