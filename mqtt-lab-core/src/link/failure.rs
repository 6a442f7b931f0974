//! Why a connection was not made, or was lost.

use std::io;
use std::time::Duration;

use super::contest::Evidence;
use super::outgoing::Violation;
use super::{LinkConfig, Version};
use crate::frame::Malformed;
use crate::reason;

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot connect")]
    Unreachable(#[source] io::Error),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The code is one of MQTT 5, also for 3.1.1.
    #[error("{}", reason::text(*.code))]
    Refused { version: Version, code: u8 },
    /// Perhaps a broker that does not know this version.
    #[error("closed without an answer to CONNECT")]
    NoAnswer,
    #[error("connection lost")]
    Lost(#[source] io::Error),
    #[error("closed by the broker")]
    Closed,
    #[error("broker disconnects: {}", reason::text(*.0))]
    Disconnected(u8),
    #[error("protocol error")]
    Malformed(#[from] Malformed),
    #[error("protocol error")]
    Violation(#[from] Violation),
    #[error("protocol error: {0}")]
    Unexpected(&'static str),
    #[error("cannot write packet: {0}")]
    Encode(String),
    #[error("silent for longer than the keep-alive of {0:?}")]
    Silent(Duration),
    #[error("nothing acknowledged for {0:?}")]
    Stalled(Duration),
    /// By the program that has the link.
    #[error("reconnecting, so that the broker redelivers what was not acknowledged")]
    Reconnecting,
    /// Some were left unacknowledged because there was no room for them.
    #[error("reconnecting to get the messages that found no room")]
    Overrun,
    /// By a person.
    #[error("the connection was cut by hand")]
    Unplugged,
    #[error("link is being closed")]
    Stopped,
}

impl Failure {
    /// One sentence for people, with everything they need to mend it.
    pub(super) fn describe(&self, broker: &str, config: &LinkConfig) -> String {
        match self {
            Self::Refused { code: code @ (reason::BAD_LOGIN | reason::NOT_AUTHORIZED), .. } => {
                let who = match &config.credentials {
                    Some(login) => format!("user `{}`", login.user),
                    None => format!("client `{}` without user name", config.client_id),
                };
                format!("broker {broker} refuses {who}: {}", reason::text(*code))
            }
            Self::Refused { code: reason::CLIENT_ID, .. } => format!(
                "broker {broker} refuses the client id `{}` ({} bytes): choose one that it takes with the option \
                 `client_id`; some brokers of 3.1.1 take at most 23 of the characters `0-9 a-z A-Z`",
                config.client_id,
                config.client_id.len()
            ),
            Self::Refused { code, .. } => {
                format!("broker {broker} refuses client `{}`: {}", config.client_id, reason::text(*code))
            }
            Self::Disconnected(reason::TAKEN_OVER) => {
                Evidence::ReasonCode.describe(broker, &config.client_id)
            }
            other => format!("broker {broker}: {}", crate::Error::with_causes(other)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::link::Credentials;

    #[test]
    fn a_refusal_names_the_user_and_not_the_password() {
        let mut config = LinkConfig::new("127.0.0.1:1883", "lamp");
        let refused = Failure::Refused { version: Version::V5, code: reason::BAD_LOGIN };
        let text = refused.describe("127.0.0.1:1883", &config);
        assert_eq!(
            text,
            "broker 127.0.0.1:1883 refuses client `lamp` without user name: bad user name or password"
        );
        config.credentials = Some(Credentials::new("x", "secret"));
        let text = refused.describe("127.0.0.1:1883", &config);
        assert_eq!(text, "broker 127.0.0.1:1883 refuses user `x`: bad user name or password");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn a_refused_client_id_comes_with_what_to_do() {
        let config = LinkConfig::new("b:1", "lab_demo_temperature_1a2b3c4d");
        let text =
            Failure::Refused { version: Version::V311, code: reason::CLIENT_ID }.describe("b:1", &config);
        assert!(
            text.starts_with("broker b:1 refuses the client id `lab_demo_temperature_1a2b3c4d` (29 bytes)")
        );
        assert!(text.contains("`client_id`"), "{text}");
    }

    #[test]
    fn causes_are_told() {
        let config = LinkConfig::new("b:1", "lamp");
        let failure = Failure::Malformed(Malformed::Head(0x48));
        let text = failure.describe("b:1", &config);
        assert_eq!(text, "broker b:1: protocol error: `0x48` begins no packet that the other side may send");
    }
}
