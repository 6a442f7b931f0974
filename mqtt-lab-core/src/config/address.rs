//! Addresses with a port: where to listen, and where a broker is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A text that is no address of the kind that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What is wrong with which text.
    pub message: String,
    /// What to write.
    pub hint: String,
}

impl AddressError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl std::error::Error for AddressError {}

/// Reads the address at which a program listens: `127.0.0.1:1883`, `[::1]:1883` or `localhost:1883`, which is
/// 127.0.0.1. Port 0 stands for a free one.
///
/// ```
/// # use mqtt_lab_core::config::bind_address;
/// assert_eq!(bind_address("localhost:1883"), bind_address("127.0.0.1:1883"));
/// assert!(bind_address("1883").is_err());
/// ```
///
/// # Errors
///
/// [`AddressError`] says what is wrong, and what to write instead.
pub fn bind_address(text: &str) -> Result<SocketAddr, AddressError> {
    let (host, port) = split(text, "127.0.0.1", 1883)?;
    match host {
        "localhost" => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => ip(host).map(|ip| SocketAddr::from((ip, port))).ok_or_else(|| {
            let message = format!("`{host}` in `{text}` is not an IP address");
            AddressError::new(
                message,
                format!("write an address of this computer, such as `127.0.0.1:{port}`"),
            )
        }),
    }
}

/// Checks the address at which a page is served: as [`bind_address`], or a name of this computer with a port.
///
/// # Errors
///
/// As [`bind_address`].
pub fn check_page_address(text: &str) -> Result<(), AddressError> {
    let (host, _) = split(text, "127.0.0.1", 8080)?;
    is_host(host).then_some(()).ok_or_else(|| no_host(host, text))
}

/// Checks the address of a broker: `host:port`, where the host may be an IPv6 address in brackets.
///
/// ```
/// # use mqtt_lab_core::config::check_broker_address;
/// assert!(check_broker_address("broker.example.org:1883").is_ok());
/// assert!(check_broker_address("mqtt://broker.example.org").is_err());
/// ```
///
/// # Errors
///
/// As [`bind_address`].
pub fn check_broker_address(text: &str) -> Result<(), AddressError> {
    let (host, port) = split(text, "broker.example.org", 1883)?;
    if !is_host(host) {
        return Err(no_host(host, text));
    }
    if port == 0 {
        let message = format!("`{text}` has port 0, at which no broker is");
        return Err(AddressError::new(message, format!("write the broker's port: `{host}:1883`")));
    }
    Ok(())
}

/// Splits `host:port`. An IPv6 address keeps its brackets.
fn split<'a>(text: &'a str, example: &str, usual: u16) -> Result<(&'a str, u16), AddressError> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return Err(of_url(scheme, rest));
    }
    if text.contains('@') {
        // The text is not repeated: it holds a password.
        let hint = "write `host:port`; user and password have options of their own";
        return Err(AddressError::new("there is an `@` in the address", hint));
    }
    let no_port = || {
        let host = if text.is_empty() || text.parse::<u16>().is_ok() { example } else { text };
        let port = text.parse::<u16>().unwrap_or(usual);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        AddressError::new(
            format!("`{text}` is not of the form `host:port`"),
            format!("write host and port: `{host}:{port}`"),
        )
    };
    if text.parse::<Ipv6Addr>().is_ok() {
        // The last group may be meant as the port.
        let parts = text.rsplit_once(':').filter(|(host, port)| {
            host.parse::<Ipv6Addr>().is_ok() && port.len() > 2 && port.parse::<u16>().is_ok()
        });
        return Err(match parts {
            Some((host, port)) => AddressError {
                hint: format!("an IPv6 address stands in brackets: `[{host}]:{port}`"),
                ..no_port()
            },
            None => no_port(),
        });
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
    if host.is_empty() {
        let message = format!("there is no host in `{text}`");
        return Err(AddressError::new(message, format!("write `{example}:{port}`")));
    }
    if host.contains(':') && ip(host).is_none() {
        let message = format!("`{text}` is not of the form `host:port`");
        return Err(AddressError::new(
            message,
            "write one host and one port; an IPv6 address stands in brackets: `[::1]:1883`",
        ));
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { port.parse::<u16>().ok() } else { None };
    let number = number.ok_or_else(|| {
        let message = format!("`{port}` in `{text}` is not a port");
        AddressError::new(message, "a port is a number from 0 to 65535; MQTT usually has 1883")
    })?;
    Ok((host, number))
}

/// What to write instead of a URL.
fn of_url(scheme: &str, rest: &str) -> AddressError {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        "mqtts" | "ssl" | "tls" => ":8883",
        _ => ":1883",
    };
    let place = format!("{place}{}", if has_port { "" } else { port });
    let mut hint = format!("write `{place}`");
    if authority.contains('@') {
        hint.push_str("; user and password have options of their own");
    }
    AddressError::new(format!("`{scheme}://` does not belong in an address"), hint)
}

fn no_host(host: &str, text: &str) -> AddressError {
    let message = format!("`{host}` in `{text}` is not a host");
    AddressError::new(message, "write a name such as `localhost`, or an IP address")
}

/// An IP address, an IPv6 one in brackets.
fn ip(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

/// Whether it is an IP address, or can be a name.
fn is_host(host: &str) -> bool {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') || byte >= 0x80;
    // What looks like an IPv4 address and is none is no name either.
    let numbers = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    ip(host).is_some() || (!numbers && host.bytes().all(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: fmt::Debug>(checked: Result<T, AddressError>, message: &str, hint: &str) {
        let error = checked.expect_err("refused");
        assert!(error.message.contains(message) && error.hint.contains(hint), "{error:?}");
    }

    #[test]
    fn one_listens_at_an_ip_address_or_at_localhost() {
        for (text, address) in [
            ("127.0.0.1:1883", "127.0.0.1:1883"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:1883", "[::1]:1883"),
            ("0.0.0.0:65535", "0.0.0.0:65535"),
        ] {
            assert_eq!(bind_address(text), Ok(address.parse().expect("an address")), "{text}");
        }
        refused(bind_address("8080"), "`8080` is not of the form `host:port`", "`127.0.0.1:8080`");
        refused(bind_address(""), "`` is not of the form", "`127.0.0.1:1883`");
        refused(bind_address(":1883"), "there is no host in `:1883`", "`127.0.0.1:1883`");
        refused(bind_address("127.0.0.1:70000"), "`70000` in `127.0.0.1:70000` is not a port", "0 to 65535");
        refused(bind_address("127.0.0.1:+80"), "`+80`", "0 to 65535");
        refused(bind_address("::1"), "`::1` is not of the form `host:port`", "`[::1]:1883`");
        refused(bind_address("::1:1883"), "is not of the form", "`[::1]:1883`");
        refused(bind_address("here:1883"), "`here` in `here:1883` is not an IP address", "`127.0.0.1:1883`");
        refused(bind_address("http://127.0.0.1:80"), "`http://`", "write `127.0.0.1:80`");
    }

    #[test]
    fn a_broker_has_a_host_and_a_port_and_no_scheme() {
        for right in
            ["localhost:1883", "10.0.0.1:1", "[fe80::1]:1883", "bücher.example:1883", "my_broker:1883"]
        {
            assert_eq!(check_broker_address(right), Ok(()), "{right}");
        }
        refused(check_broker_address("host"), "`host` is not of the form", "`host:1883`");
        refused(check_broker_address("host:0"), "has port 0", "`host:1883`");
        refused(check_broker_address("mqtt://host"), "`mqtt://` does not belong in", "write `host:1883`");
        refused(check_broker_address("mqtts://u:p@host/x"), "`mqtts://`", "write `host:8883`; user");
        refused(check_broker_address("me:secret@host:1883"), "an `@`", "user and password");
        refused(check_broker_address("a b:1883"), "`a b` in `a b:1883` is not a host", "localhost");
        refused(check_broker_address("10.0.0:1883"), "`10.0.0`", "IP address");
        let told = check_broker_address("mqtt://me:secret@host:1883").expect_err("refused").to_string();
        assert!(!told.contains("secret"), "{told}");
    }
}
