//! The `[broker]` table.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::users::User;

/// The `[broker]` table: the broker inside this program.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Whether to start it. Not started when `[mqtt] brokers` names others.
    pub enabled: bool,
    /// Address and port to listen on; port 0 takes a free one.
    #[schemars(with = "String")]
    pub bind: SocketAddr,
    /// Address and port for MQTT over WebSocket; none: not offered.
    #[schemars(with = "Option<String>")]
    pub websocket: Option<SocketAddr>,
    /// Whether other computers may connect; needs `users`.
    pub allow_remote: bool,
    /// Who may connect. Empty: everybody on this computer.
    pub users: Vec<User>,
    /// Folder for sessions, their messages and retained messages: a restart or a kill of the program loses
    /// nothing that was acknowledged. None: in memory.
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
    /// [`BrokerError::Remote`] and [`BrokerError::Option`].
    pub fn check(&self) -> Result<(), BrokerError> {
        for address in [Some(self.bind), self.websocket].into_iter().flatten() {
            if !address.ip().is_loopback() {
                let missing = if !self.allow_remote {
                    "`allow_remote = true`"
                } else if self.users.is_empty() {
                    "at least one of `users` with a password"
                } else {
                    continue;
                };
                return Err(BrokerError::Remote { address, missing });
            }
        }
        let problem = |option, problem| Err(BrokerError::Option { option, problem });
        if !(1024..=268_435_455).contains(&self.max_packet_bytes) {
            return problem("max_packet_bytes", "must be from 1024 to 268435455");
        }
        if self.queue_messages == 0 || self.max_clients == 0 {
            return problem("queue_messages", "and `max_clients` must be at least 1");
        }
        if self.users.iter().any(|user| user.name.is_empty() || user.password.is_empty()) {
            return problem("users", "need a name and a password each");
        }
        Ok(())
    }
}
