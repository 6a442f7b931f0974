//! Whom a trusted reverse proxy speaks for.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Network, Peer};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The reverse proxies whose headers are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<Network>);

/// Who sent a request, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) peer: Peer,
    /// Whether a trusted proxy says so. Its connection is shared by many visitors.
    pub(crate) forwarded: bool,
    /// Whether the visitor reached the proxy by https.
    pub(crate) https: bool,
}

impl Proxies {
    /// The first of `networks` that is none is the error.
    pub(crate) fn new(networks: &[String]) -> Result<Self, String> {
        let parsed = networks.iter().map(|text| text.trim().parse().map_err(|_| text.clone()));
        parsed.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The visitor on a connection from `address`.
    pub(crate) fn visitor(&self, address: IpAddr, headers: &HeaderMap) -> Visitor {
        if !self.trust(address) {
            return Visitor { peer: Peer::of(address), forwarded: false, https: false };
        }
        let plain = self.rightmost(values(headers, &X_FORWARDED_FOR, str::trim));
        let standard = self.rightmost(values(headers, &header::FORWARDED, |hop| parameter(hop, "for")));
        let seen = match (plain, standard) {
            // One of them may be the visitor's own invention, passed on by a proxy that sets the other.
            (Some(plain), Some(standard)) if plain != standard => None,
            (plain, standard) => plain.or(standard),
        };
        let https = |protocol: &str| protocol.eq_ignore_ascii_case("https");
        let protocol = values(headers, &X_FORWARDED_PROTO, str::trim).pop();
        let protocol = protocol
            .or_else(|| values(headers, &header::FORWARDED, |hop| parameter(hop, "proto")).pop())
            .unwrap_or_default();
        Visitor { peer: Peer::of(seen.unwrap_or(address)), forwarded: true, https: https(protocol) }
    }

    /// The last hop that is not a trusted proxy: what is left of it, anybody may have written.
    fn rightmost(&self, hops: Vec<&str>) -> Option<IpAddr> {
        let addresses = hops.into_iter().rev().map(address);
        addresses.take_while(Option::is_some).flatten().find(|address| !self.trust(*address))
    }
}

/// The elements of a header, in order; each header line and each comma begins another.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName, read: impl Fn(&'a str) -> &'a str) -> Vec<&'a str> {
    let lines = headers.get_all(name).into_iter().map(|line: &HeaderValue| line.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(read).collect()
}

/// A parameter of one element of `Forwarded` (RFC 7239); empty if it is missing.
fn parameter<'a>(hop: &'a str, name: &str) -> &'a str {
    let pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    found.next().map_or("", |(_, value)| value.trim().trim_matches('"'))
}

/// An address with or without port; one of IPv6 may be in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let with_port = || hop.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(HeaderName, &str)], expected: &str) -> Visitor {
        let proxies = Proxies::new(&["127.0.0.1".to_owned(), "10.0.0.0/8".to_owned()]).unwrap();
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        let headers = headers.fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value);
            all
        });
        let visitor = proxies.visitor("127.0.0.1".parse().unwrap(), &headers);
        assert_eq!(visitor.peer, Peer::of(expected.parse().unwrap()));
        visitor
    }

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        check(&[(X_FORWARDED_FOR, "192.0.2.7")], "192.0.2.7");
        check(&[(X_FORWARDED_FOR, "6.6.6.6, 192.0.2.7, 10.1.1.1")], "192.0.2.7");
        check(&[(X_FORWARDED_FOR, "6.6.6.6"), (X_FORWARDED_FOR, "192.0.2.7")], "192.0.2.7");
        check(&[(X_FORWARDED_FOR, "192.0.2.7:4711")], "192.0.2.7");
        check(&[(X_FORWARDED_FOR, "2001:db8::7")], "2001:db8::7");
        check(&[(header::FORWARDED, "for=6.6.6.6, for=\"[2001:db8::7]:80\";proto=https")], "2001:db8::7");
    }

    #[test]
    fn what_a_visitor_may_have_written_does_not_count() {
        check(&[], "127.0.0.1");
        check(&[(X_FORWARDED_FOR, "10.1.1.1")], "127.0.0.1");
        check(&[(X_FORWARDED_FOR, "192.0.2.7, unknown")], "127.0.0.1");
        check(&[(X_FORWARDED_FOR, "6.6.6.6"), (header::FORWARDED, "for=192.0.2.7")], "127.0.0.1");
        check(&[(X_FORWARDED_FOR, "192.0.2.7"), (header::FORWARDED, "for=192.0.2.7")], "192.0.2.7");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"));
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        let visitor = Proxies::default().visitor("203.0.113.1".parse().unwrap(), &headers);
        let expected =
            Visitor { peer: Peer::of("203.0.113.1".parse().unwrap()), forwarded: false, https: false };
        assert_eq!(visitor, expected);
    }

    #[test]
    fn https_is_known_from_either_header() {
        assert!(check(&[(X_FORWARDED_PROTO, "https")], "127.0.0.1").https);
        assert!(check(&[(header::FORWARDED, "for=192.0.2.7;proto=https")], "192.0.2.7").https);
        assert!(!check(&[(X_FORWARDED_PROTO, "https, http")], "127.0.0.1").https);
    }
}
