//! Who a request comes from, as limits and delays count it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::AtomicBool;

/// The address that limits and delays are counted for: an IPv4 address, or the /64 network of an IPv6 address, because
/// everybody who has one IPv6 address has a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// The lab's own computer.
    pub(crate) const OWN_COMPUTER: Self = Self(IpAddr::V4(Ipv4Addr::LOCALHOST));

    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Self::OWN_COMPUTER,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }

    /// Only `127.0.0.1` and `::1`, the addresses that a browser on the lab's own computer has.
    pub(crate) fn is_own_computer(self) -> bool {
        self == Self::OWN_COMPUTER
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// The connection on which a request arrived.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) address: IpAddr,
    /// Whether the web token was presented on it: whoever holds it does not guess.
    pub(crate) proven: AtomicBool,
}

impl Connection {
    pub(crate) const fn new(address: IpAddr) -> Self {
        Self { address, proven: AtomicBool::new(false) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::of(address.parse().unwrap())
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_address_count_as_one() {
        assert_eq!(peer("2001:db8:1:2::3"), peer("2001:db8:1:2:ffff::9"));
        assert_ne!(peer("2001:db8:1:2::3"), peer("2001:db8:1:3::3"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
        assert_eq!(peer("2001:db8:1:2::3").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn only_two_addresses_are_the_own_computer() {
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(peer(own).is_own_computer(), "{own}");
        }
        for foreign in ["127.0.0.2", "::2", "::", "192.168.0.1"] {
            assert!(!peer(foreign).is_own_computer(), "{foreign}");
        }
    }
}
