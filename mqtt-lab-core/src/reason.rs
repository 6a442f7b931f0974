//! MQTT 5 reason codes in words (MQTT 5.0 section 2.4).

/// No matching subscribers: a success that tells the publisher nobody listens.
pub(crate) const NO_SUBSCRIBERS: u8 = 0x10;
/// Reason codes from here on are failures.
pub(crate) const FAILURE: u8 = 0x80;
#[cfg(feature = "broker")]
pub(crate) use brokers::*;
pub(crate) const UNSUPPORTED_VERSION: u8 = 0x84;
pub(crate) const CLIENT_ID: u8 = 0x85;
pub(crate) const BAD_LOGIN: u8 = 0x86;
pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
pub(crate) const TAKEN_OVER: u8 = 0x8E;
pub(crate) const ID_NOT_FOUND: u8 = 0x92;
pub(crate) const PACKET_TOO_LARGE: u8 = 0x95;
pub(crate) const RETAIN_NOT_SUPPORTED: u8 = 0x9A;
pub(crate) const QOS_NOT_SUPPORTED: u8 = 0x9B;

/// Those that only a broker gives.
#[cfg(feature = "broker")]
mod brokers {
    pub(crate) const NO_SUBSCRIPTION: u8 = 0x11;
    pub(crate) const MALFORMED: u8 = 0x81;
    pub(crate) const PROTOCOL_ERROR: u8 = 0x82;
    pub(crate) const SERVER_BUSY: u8 = 0x89;
    pub(crate) const SHUTTING_DOWN: u8 = 0x8B;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x8C;
    pub(crate) const KEEP_ALIVE: u8 = 0x8D;
    pub(crate) const TOPIC_FILTER: u8 = 0x8F;
    pub(crate) const TOPIC_NAME: u8 = 0x90;
    pub(crate) const TOPIC_ALIAS: u8 = 0x94;
    pub(crate) const QUOTA_EXCEEDED: u8 = 0x97;

    /// The 3.1.1 CONNACK return code of an MQTT 5 reason code (MQTT 3.1.1 section 3.2.2.3).
    pub(crate) fn to_connack_311(code: u8) -> u8 {
        match code {
            0 => 0,
            super::UNSUPPORTED_VERSION => 1,
            super::CLIENT_ID => 2,
            super::BAD_LOGIN => 4,
            super::NOT_AUTHORIZED => 5,
            _ => 3,
        }
    }
}

/// The meaning of a reason code.
pub(crate) fn text(code: u8) -> &'static str {
    match code {
        0x00 => "normal disconnection",
        0x04 => "disconnected with will",
        NO_SUBSCRIBERS => "no matching subscribers",
        0x80 => "unspecified error",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "implementation specific error",
        UNSUPPORTED_VERSION => "unsupported protocol version",
        0x85 => "client identifier not valid",
        BAD_LOGIN => "bad user name or password",
        NOT_AUTHORIZED => "not authorized",
        0x88 => "server unavailable",
        0x89 => "server busy",
        0x8A => "banned",
        0x8B => "server shutting down",
        0x8C => "bad authentication method",
        0x8D => "keep-alive timeout",
        TAKEN_OVER => "session taken over by another client with the same client id",
        0x8F => "topic filter invalid",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        ID_NOT_FOUND => "packet identifier not found",
        0x93 => "receive maximum exceeded",
        0x94 => "topic alias invalid",
        PACKET_TOO_LARGE => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        0x99 => "payload format invalid",
        RETAIN_NOT_SUPPORTED => "retain not supported",
        QOS_NOT_SUPPORTED => "QoS not supported",
        0x9C => "use another server",
        0x9D => "server moved",
        0x9E => "shared subscriptions not supported",
        0x9F => "connection rate exceeded",
        0xA0 => "maximum connect time",
        0xA1 => "subscription identifiers not supported",
        0xA2 => "wildcard subscriptions not supported",
        _ => "unknown reason",
    }
}

/// The MQTT 5 reason code of a 3.1.1 CONNACK return code (MQTT 3.1.1 section 3.2.2.3).
pub(crate) fn from_connack_311(code: u8) -> u8 {
    match code {
        0 => 0,
        1 => UNSUPPORTED_VERSION,
        2 => 0x85,
        3 => 0x88,
        4 => BAD_LOGIN,
        5 => NOT_AUTHORIZED,
        _ => FAILURE,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_3_1_1_have_the_same_words() {
        assert_eq!(text(from_connack_311(4)), "bad user name or password");
        assert_eq!(text(from_connack_311(1)), "unsupported protocol version");
        assert_eq!(text(from_connack_311(77)), "unspecified error");
    }
}
