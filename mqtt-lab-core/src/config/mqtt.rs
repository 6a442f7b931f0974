//! The `[mqtt]` table.

use super::{OptionProblem, check_broker_address};
use crate::link::{Credentials, Version};
use crate::text::{LONGEST_STRING, text};
use mqtt_lab_wire::Qos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The `[mqtt]` table: how devices reach the broker.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MqttConfig {
    /// Addresses `host:port`, tried in this order. Empty: the broker inside this program.
    #[schemars(schema_with = "super::schema::broker_addresses")]
    pub brokers: Vec<String>,
    /// MQTT version where a device chooses none: `"5"` or `"3.1.1"`.
    pub version: MqttVersion,
    /// QoS of samples where a device chooses none: 0, 1 or 2.
    #[schemars(schema_with = "super::schema::qos")]
    pub qos: Qos,
    /// Longest silence of a device, and of the storage, in seconds (5 to 65535). After 1.5 times as much the broker
    /// closes the connection and publishes the last will (MQTT-3.1.2-24).
    #[schemars(range(min = 5))]
    pub keep_alive_s: u16,
    /// User name for an external broker.
    pub user: Option<String>,
    /// Password for an external broker.
    pub password: Option<String>,
}

impl Default for MqttConfig {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            version: MqttVersion::V5,
            qos: Qos::AtLeastOnce,
            keep_alive_s: 30,
            user: None,
            password: None,
        }
    }
}

impl MqttConfig {
    /// User name and password, if a user name is set.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        let user = self.user.as_ref()?;
        Some(Credentials::new(user, self.password.clone().unwrap_or_default()))
    }
}

impl MqttConfig {
    /// Returns everything that no device could connect with.
    #[must_use]
    pub fn validate(&self) -> Vec<OptionProblem> {
        let mut problems = Vec::new();
        for (at, broker) in self.brokers.iter().enumerate() {
            if let Err(error) = check_broker_address(broker) {
                let problem = OptionProblem::new(&["brokers", &at.to_string()], &error.message);
                problems.push(problem.hint(error.hint));
            }
        }
        if self.keep_alive_s < 5 {
            let message = format!("`{}` must be from 5 to 65535 seconds", self.keep_alive_s);
            problems.push(OptionProblem::new(&["keep_alive_s"], message));
        }
        match (&self.user, &self.password) {
            (Some(user), _) if text(user).is_err() => {
                let problem = text(user).err().unwrap_or_default();
                let hint = "leave the line out to log in without a name";
                problems.push(OptionProblem::new(&["user"], format!("the user name {problem}")).hint(hint));
            }
            (None, Some(_)) => {
                let problem = OptionProblem::new(&["password"], "there is a password and no user name");
                problems.push(problem.hint("add a line `user = …` to `[mqtt]`"));
            }
            _ => {}
        }
        if self.password.as_ref().is_some_and(|password| password.len() > LONGEST_STRING) {
            problems.push(OptionProblem::new(&["password"], "the password is longer than 65,535 bytes"));
        }
        problems
    }
}

impl fmt::Debug for MqttConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MqttConfig");
        debug.field("brokers", &self.brokers).field("version", &self.version).field("qos", &self.qos);
        debug.field("keep_alive_s", &self.keep_alive_s).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A version of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[default]
    #[serde(rename = "5")]
    V5,
}

impl From<MqttVersion> for Version {
    fn from(version: MqttVersion) -> Self {
        match version {
            MqttVersion::V311 => Self::V311,
            MqttVersion::V5 => Self::V5,
        }
    }
}
