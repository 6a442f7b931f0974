//! The `[broker]` table.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::users::User;
use crate::config::{OptionProblem, bind_address};
use crate::text::LONGEST_STRING;

/// The `[broker]` table: the broker inside this program.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Whether to start it. Not started when `[mqtt] brokers` names others.
    pub enabled: bool,
    /// Address and port to listen on; port 0 takes a free one.
    #[serde(deserialize_with = "bind_of")]
    #[schemars(schema_with = "bind_schema")]
    pub bind: SocketAddr,
    /// Address and port for MQTT over WebSocket; none: not offered.
    #[serde(deserialize_with = "bind_of_option")]
    #[schemars(schema_with = "bind_option_schema")]
    pub websocket: Option<SocketAddr>,
    /// Whether other computers may connect; needs `users`.
    pub allow_remote: bool,
    /// Who may connect. Empty: everybody on this computer.
    pub users: Vec<User>,
    /// Folder for sessions, their messages and retained messages: a restart or a kill of the program loses
    /// nothing that was acknowledged. A relative path starts at the folder of the file that contains it. None: in memory.
    pub storage: Option<PathBuf>,
    /// Largest packet, in bytes (1024 to 268435455).
    #[schemars(range(min = 1024, max = 268_435_455))]
    pub max_packet_bytes: u32,
    /// Most clients at a time.
    #[schemars(range(min = 1))]
    pub max_clients: usize,
    /// Most messages that wait for one client; above it the oldest are dropped.
    #[schemars(range(min = 1))]
    pub queue_messages: usize,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            bind: SocketAddr::from(([127, 0, 0, 1], 1883)),
            websocket: None,
            allow_remote: false,
            users: Vec::new(),
            storage: None,
            max_packet_bytes: 1024 * 1024,
            max_clients: 20_000,
            queue_messages: 100_000,
        }
    }
}

/// Why the broker could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The address cannot be bound.
    #[error("cannot listen for MQTT on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Another address than loopback without the consent and users that it needs.
    #[error("`{address}` can be reached from other computers, which needs {missing}")]
    Remote {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// An option is out of its range.
    #[error("broker option `{option}` {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The folder for sessions and retained messages cannot be used.
    #[error("cannot keep the broker's state in `{path}`")]
    Storage {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The broker itself refused.
    #[error("the embedded broker cannot start: {0}")]
    Start(String),
}

impl BrokerConfig {
    /// Checks what can be checked before anything starts.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Remote`] and [`BrokerError::Option`]: the first of all.
    pub fn check(&self) -> Result<(), BrokerError> {
        self.errors().into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Returns everything that [`Broker::start`](super::Broker::start) would refuse.
    #[must_use]
    pub fn validate(&self) -> Vec<OptionProblem> {
        let problem = |(key, error): (Vec<String>, BrokerError)| {
            let keys: Vec<&str> = key.iter().map(String::as_str).collect();
            let problem = match &error {
                BrokerError::Option { option, problem } => {
                    OptionProblem::new(&keys, format_args!("`{option}` {problem}"))
                }
                error => OptionProblem::new(&keys, error),
            };
            match error.hint() {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        };
        self.errors().into_iter().map(problem).collect()
    }

    /// All mistakes, each with its key.
    fn errors(&self) -> Vec<(Vec<String>, BrokerError)> {
        let mut errors = Vec::new();
        let mut wrong = |key: &[&str], error| {
            errors.push((key.iter().map(|part| (*part).to_owned()).collect(), error));
        };
        for (key, address) in [("bind", Some(self.bind)), ("websocket", self.websocket)] {
            let Some(address) = address.filter(|address| !address.ip().is_loopback()) else { continue };
            if !self.allow_remote {
                wrong(&[key], BrokerError::Remote { address, missing: "`allow_remote = true`" });
            } else if self.users.is_empty() {
                let missing = "at least one of `users` with a password";
                wrong(&[key], BrokerError::Remote { address, missing });
            }
        }
        let problem = |option, problem| BrokerError::Option { option, problem };
        if !(1024..=268_435_455).contains(&self.max_packet_bytes) {
            wrong(&["max_packet_bytes"], problem("max_packet_bytes", "must be from 1024 to 268435455"));
        }
        for (option, value) in [("queue_messages", self.queue_messages), ("max_clients", self.max_clients)] {
            if value == 0 {
                wrong(&[option], problem(option, "must be at least 1"));
            }
        }
        for (at, user) in self.users.iter().enumerate() {
            for (key, text) in [("name", &user.name), ("password", &user.password)] {
                if text.is_empty() {
                    wrong(
                        &["users", &at.to_string(), key],
                        problem("users", "must have a name and a password each"),
                    );
                } else if text.len() > LONGEST_STRING {
                    let error = problem("users", "must have names and passwords of at most 65535 bytes");
                    wrong(&["users", &at.to_string(), key], error);
                }
            }
            // The first of two would have both passwords.
            if self.users[..at].iter().any(|other| other.name == user.name) {
                let error = problem("users", "must have different names");
                wrong(&["users", &at.to_string(), "name"], error);
            }
        }
        errors
    }
}

impl BrokerError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Bind { address, .. } => Some(format!(
                "another broker may run there: use it with `mqtt.brokers = [\"{address}\"]`, or take another port \
                 with `--broker 127.0.0.1:1884` (0: a free one)"
            )),
            Self::Remote { .. } => Some(
                "set `broker.allow_remote = true` and `broker.users = [{ name = \"…\", password = \"…\" }]`, or \
                 bind to 127.0.0.1"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn bind_of<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    bind_address(&String::deserialize(from)?).map_err(D::Error::custom)
}

fn bind_of_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| bind_address(&text).map_err(D::Error::custom)).transpose()
}

/// A program that checks files by the schema knows the format.
fn bind_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "bind-address" })
}

fn bind_option_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "format": "bind-address" })
}
