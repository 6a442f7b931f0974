//! What a web needs to know before it is started.

use std::fmt;
use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use crate::error::StartError;
use crate::guard::{Proxies, Token, is_usable};
use crate::store::StoreError;
use crate::store::sqlite::SqliteStore;
use mqtt_lab_core::config::{OptionProblem, check_page_address};
use mqtt_lab_core::link::{LinkConfig, Qos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[web]` table: where the dashboard is served, and to whom.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Whether to serve the dashboard and to store samples.
    pub enabled: bool,
    /// Address and port of the dashboard. Port 0: the system chooses.
    #[schemars(extend("format" = "page-address"))]
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
    /// Returns everything that [`Web::start`](crate::Web::start) would refuse before it opens a port, and names in
    /// `allowed_hosts` that no browser can send. Names of computers are looked up.
    #[must_use]
    pub fn validate(&self) -> Vec<OptionProblem> {
        let problem = |(key, error): (&str, StartError)| {
            OptionProblem::new(&[key], mqtt_lab_core::Error::with_causes(&error)).hint(error.hint())
        };
        let mut problems: Vec<OptionProblem> = self.errors().map(problem).collect();
        for (at, host) in self.allowed_hosts.iter().enumerate() {
            let hint = match host.split_once("://") {
                Some((_, rest)) => rest.split('/').next().unwrap_or_default().to_owned(),
                None => "lab.example.org".to_owned(),
            };
            if host.is_empty()
                || host.contains(['/', '@', '*', '?', '#'])
                || host.contains(char::is_whitespace)
            {
                let message = format!("`{host}` is not a name that a browser sends as `Host`");
                let problem = OptionProblem::new(&["allowed_hosts", &at.to_string()], message);
                problems.push(problem.hint(format!("write the name, with a port or without: `{hint}`")));
            }
        }
        problems
    }

    /// What is wrong before a port is opened, each with its key.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&'static str, StartError)> + use<> {
        let proxies = self.proxies().err().map(|error| ("trusted_proxies", error));
        let limits = [
            ("max_connections_per_address", self.max_connections_per_address, 1_024),
            ("max_pages_per_address", self.max_pages_per_address, 512),
        ];
        let limits = limits
            .into_iter()
            .filter(|(_, value, most)| !(1..=*most).contains(value))
            .map(|(option, value, most)| (option, StartError::BadLimit { option, value, most }));
        let address = match check_page_address(&self.bind) {
            Ok(()) => self.unreachable_or_unprotected(),
            Err(error) => Some(StartError::Address { error }),
        };
        let token = self.token.as_ref().filter(|token| !is_usable(token));
        let token = token.map(|_| ("token", StartError::BadToken));
        address.map(|error| ("bind", error)).into_iter().chain(token).chain(proxies).chain(limits)
    }

    /// Why the page cannot be served there: a name that is unknown, or others could reach it.
    fn unreachable_or_unprotected(&self) -> Option<StartError> {
        let found = match self.bind.to_socket_addrs() {
            Ok(found) => found,
            Err(source) => return Some(StartError::Listen { address: self.bind.clone(), source }),
        };
        let is_local = found.into_iter().all(|address| address.ip().is_loopback());
        let is_protected = self.token.is_some() && self.allow_remote;
        (!is_protected && !is_local).then(|| StartError::Unprotected { address: self.bind.clone() })
    }

    /// The token, and the proxies that are believed.
    pub(crate) fn access(&self) -> Result<(Option<Token>, Proxies), StartError> {
        let token = match &self.token {
            Some(secret) => Some(Token::new(secret).ok_or(StartError::BadToken)?),
            None => None,
        };
        Ok((token, self.proxies()?))
    }

    fn proxies(&self) -> Result<Proxies, StartError> {
        Proxies::new(&self.trusted_proxies).map_err(|address| StartError::BadProxy { address })
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
    /// The database: `sqlite:` and the path of a file. Folder and file are made if need be. A relative path starts at the
    /// folder of the file that contains it; the default, at the working folder.
    pub url: String,
}

impl StoreConfig {
    /// Returns what is wrong with the database's address, or with what is there already. Nothing is made or changed.
    #[must_use]
    pub fn validate(&self) -> Vec<OptionProblem> {
        let problem = |error: StoreError| {
            let cause = match &error {
                StoreError::NotADatabase { .. } => error.to_string(),
                error => error.cause(),
            };
            let message = format!("cannot keep samples: {cause}");
            OptionProblem::new(&["url"], message).hint(error.hint())
        };
        SqliteStore::validate(&self.url).err().map(problem).into_iter().collect()
    }
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut WebConfig), expected: &[&str]) {
        let mut config = WebConfig { bind: "127.0.0.1:0".into(), ..WebConfig::default() };
        change(&mut config);
        let keys: Vec<String> = config.validate().iter().map(|problem| problem.key.join(".")).collect();
        assert_eq!(keys, expected, "{:?}", config.validate());
    }

    #[test]
    fn what_a_start_would_refuse_is_found_before() {
        check(|_| {}, &[]);
        check(|c| c.bind = "localhost:0".into(), &[]);
        check(|c| c.bind = "8080".into(), &["bind"]);
        check(|c| c.bind = "no-such-host.invalid:8080".into(), &["bind"]);
        check(|c| c.bind = "0.0.0.0:0".into(), &["bind"]);
        check(|c| (c.bind, c.allow_remote) = ("0.0.0.0:0".into(), true), &["bind"]);
        let protect = |c: &mut WebConfig| {
            (c.bind, c.allow_remote, c.token) = ("0.0.0.0:0".into(), true, Some("secret".into()));
        };
        check(protect, &[]);
        check(|c| c.token = Some(String::new()), &["token"]);
        check(
            |c| c.allowed_hosts = vec!["lab".into(), "http://lab/".into(), " ".into()],
            &["allowed_hosts.1", "allowed_hosts.2"],
        );
        let proxies = |c: &mut WebConfig, proxies: &[&str]| {
            c.trusted_proxies = proxies.iter().map(|&proxy| proxy.to_owned()).collect();
        };
        check(|c| proxies(c, &["127.0.0.1", "10.0.0.0/8", "::1"]), &[]);
        check(|c| proxies(c, &["127.0.0.1", "proxy.example"]), &["trusted_proxies"]);
        check(|c| c.max_pages_per_address = 0, &["max_pages_per_address"]);
        check(|c| c.max_connections_per_address = 1_025, &["max_connections_per_address"]);
    }

    #[test]
    fn a_database_is_judged_without_being_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        std::fs::write(folder.path().join("text"), "no database at all").expect("writable");
        for (url, refused) in [
            (place("new/lab.db"), false),
            (place("text"), true),
            (place("text/lab.db"), true),
            (place(""), true),
            ("postgres://host/lab".to_owned(), true),
        ] {
            assert_eq!(!StoreConfig { url: url.clone() }.validate().is_empty(), refused, "{url}");
        }
        assert!(!folder.path().join("new").exists());
    }
}
