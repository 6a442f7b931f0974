//! What a web needs to know before it is started.

use std::fmt;
use std::sync::Arc;

use mqtt_lab_core::link::{LinkConfig, Qos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::StartError;
use crate::guard::{Proxies, Token};

/// The `[web]` table: where the dashboard is served, and to whom.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Whether to serve the dashboard and to store samples.
    pub enabled: bool,
    /// Address and port of the dashboard. Port 0: the system chooses.
    pub bind: String,
    /// Whether other computers may open the dashboard; needs a `token`.
    pub allow_remote: bool,
    /// What a visitor must know; 1 to 256 visible ASCII characters without `"`, `,`, `;` and `\`.
    /// Not set: everyone who reaches the address.
    pub token: Option<String>,
    /// Further names under which the dashboard is reached, such as `lab.example.org` or
    /// `localhost:9000`. Against DNS rebinding, other names in the header `Host` are refused.
    pub allowed_hosts: Vec<String>,
    /// Reverse proxies in front of the dashboard: addresses, or networks such as `10.0.0.0/8`. From them alone
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are believed; else all visitors behind a proxy share its
    /// address, and its limits.
    pub trusted_proxies: Vec<String>,
    /// Most connections of one address (1 to 1024). The default is that of a class of forty behind one
    /// router, whose browsers have six connections and a few pages each. The lab's own computer has no such limit.
    #[schemars(range(min = 1, max = 1024))]
    pub max_connections_per_address: usize,
    /// Most pages with live values open at one address (1 to 512).
    #[schemars(range(min = 1, max = 512))]
    pub max_pages_per_address: usize,
    /// What the page calls the lab.
    pub name: String,
    /// The broker's address as the page shows it; not set: the one the link uses.
    #[serde(skip)]
    pub public_broker_address: Option<String>,
    /// Whether the broker runs in this program.
    #[serde(skip)]
    pub embedded_broker: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            bind: "127.0.0.1:8080".to_owned(),
            allow_remote: false,
            token: None,
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            max_connections_per_address: 480,
            max_pages_per_address: 200,
            name: "mqtt-lab".to_owned(),
            public_broker_address: None,
            embedded_broker: false,
        }
    }
}

impl WebConfig {
    /// Checks what can be checked without opening a port: token, proxies and limits.
    ///
    /// # Errors
    ///
    /// [`StartError`], as [`Web::start`](crate::Web::start) would return it.
    pub fn check(&self) -> Result<(), StartError> {
        self.access()?;
        for (option, value, most) in [
            ("max_connections_per_address", self.max_connections_per_address, 1_024),
            ("max_pages_per_address", self.max_pages_per_address, 512),
        ] {
            if !(1..=most).contains(&value) {
                return Err(StartError::BadLimit { option, value, most });
            }
        }
        Ok(())
    }

    /// The token, and the proxies that are believed.
    pub(crate) fn access(&self) -> Result<(Option<Token>, Proxies), StartError> {
        let token = match &self.token {
            Some(secret) => Some(Token::new(secret).ok_or(StartError::BadToken)?),
            None => None,
        };
        let bad = |address| StartError::BadProxy { address };
        Ok((token, Proxies::new(&self.trusted_proxies).map_err(bad)?))
    }
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("bind", &self.bind)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("allowed_hosts", &self.allowed_hosts)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The `[store]` table: where samples are kept.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The database: `sqlite:` and the path of a file. Folder and file are made if need be.
    pub url: String,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: "sqlite:mqtt-lab-data/lab.sqlite".to_owned() }
    }
}

/// Where samples come from.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// The link to the broker: addresses, credentials, limits. Client id, session and subscription
    /// are set by [`Web::start`](crate::Web::start).
    pub link: LinkConfig,
    /// First level of the lab's topics.
    pub root: String,
}

/// How a message entered the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The publisher's QoS, which a subscriber cannot know.
    pub qos: Qos,
    /// Whether it was published retained.
    pub retain: bool,
}

/// Asks an embedded broker how the last message on a topic entered it. It must answer at once and
/// not call the web back.
pub type PublishLog = Arc<dyn Fn(&str) -> Option<Seen> + Send + Sync>;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_found_without_opening_a_port() {
        assert!(WebConfig::default().check().is_ok());
        let proxies = |proxies: &[&str]| WebConfig {
            trusted_proxies: proxies.iter().map(|&proxy| proxy.to_owned()).collect(),
            ..WebConfig::default()
        };
        assert!(proxies(&["127.0.0.1", "10.0.0.0/8", "::1"]).check().is_ok());
        let limit = |pages, connections| WebConfig {
            max_pages_per_address: pages,
            max_connections_per_address: connections,
            ..WebConfig::default()
        };
        for (config, expected) in [
            (proxies(&["127.0.0.1", "proxy.example"]), "`proxy.example` in `web.trusted_proxies`"),
            (limit(0, 480), "`web.max_pages_per_address = 0` is not a whole number from 1 to 512"),
            (limit(200, 1_025), "`web.max_connections_per_address = 1025`"),
            (WebConfig { token: Some("a b".to_owned()), ..WebConfig::default() }, "the web token"),
        ] {
            let error = config.check().unwrap_err();
            assert!(error.to_string().contains(expected) && !error.hint().is_empty(), "{error}");
        }
    }
}
