//! What `run` refuses before it opens a port, and what `check` tells: one judgement of one configuration.

use super::told::Told;
use super::{Config, Source};
use crate::identity::WordFolder;
use crate::locate::{self, Step};
use mqtt_lab_core::config::{MqttVersion, OptionProblem};
use mqtt_lab_wire::check_word;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

impl Source {
    /// What is wrong with the tables that stand alone, and with what they demand of each other.
    pub(super) fn wrong_options(&self) -> Vec<Told> {
        let Config { lab, mqtt, broker, web, store, .. } = &self.config;
        let mut wrong = Wrong { source: self, told: Vec::new() };
        wrong.add(
            "lab",
            [word("root", &lab.root, lab.root.split('/')), word("group", &lab.group, [&*lab.group])].concat(),
        );
        wrong.add("mqtt", mqtt.validate());
        if self.has_own_broker() {
            wrong.add("broker", broker.validate());
        }
        if web.enabled {
            wrong.add("web", web.validate());
            wrong.add("store", store.validate());
        }
        wrong.same_addresses();
        wrong.folders();
        wrong.told.extend(self.damaged_identity());
        wrong.told
    }

    /// What may be meant, and is probably not.
    pub(crate) fn warnings(&self) -> Vec<Told> {
        let mut told = self.layers.warnings.clone();
        told.extend(self.readable_secrets());
        told.extend(self.ignored_delays());
        told.extend(self.ignored_broker());
        if !self.config.web.enabled && !self.config.variable.is_empty() {
            let text = "without the web nothing is stored: after a restart variables have their first value";
            let problem = OptionProblem::new(&["enabled"], text);
            told.push(self.of_option("web", &problem.hint("remove this line, or expect it")));
        }
        if self.config.spool.sync && self.config.spool.folder.is_none() {
            let problem = OptionProblem::new(&["sync"], "it has no effect without `spool.folder`");
            told.push(self.of_option("spool", &problem.hint("add a line `folder = …`, or remove this one")));
        }
        told
    }

    /// Options of a broker that is not started, and a login that its own one does not ask for.
    fn ignored_broker(&self) -> Vec<Told> {
        let set = |table: &str| self.layers.table.get(table).and_then(toml::Value::as_table);
        let own = self.has_own_broker();
        let brokers = || !self.config.mqtt.brokers.is_empty();
        let keys = set("broker").into_iter().flat_map(|table| table.keys()).filter(|key| *key != "enabled");
        let unused = keys.filter(|_| !own && brokers()).map(|key| {
            let problem = OptionProblem::new(&[key], "it has no effect: `mqtt.brokers` names another broker");
            self.of_option("broker", &problem.hint("remove one of the two"))
        });
        let login = self.config.mqtt.user.as_ref().filter(|_| own).map(|_| {
            let problem = OptionProblem::new(&["user"], "it has no effect: the broker is this program's own");
            self.of_option("mqtt", &problem.hint("who may connect to it stands in `broker.users`"))
        });
        unused.chain(login).collect()
    }

    /// MQTT 3.1.1 has no will delay.
    fn ignored_delays(&self) -> Vec<Told> {
        let Config { mqtt, sensor, actuator, .. } = &self.config;
        let devices = sensor.iter().chain(actuator).enumerate();
        let delayed = devices.filter(|(_, device)| {
            device.will.delay_s > 0 && device.version.unwrap_or(mqtt.version) == MqttVersion::V311
        });
        let told = delayed.map(|(at, _)| {
            let problem = "MQTT 3.1.1 has no will delay: the will is published at once";
            let (byte, message) = self.at(at, &["will", "delay_s"], problem);
            (byte, message, Some("add a line `version = \"5\"`, or remove this one".to_owned()))
        });
        told.collect()
    }

    /// Files with a password or a token that every user of this computer can read.
    #[cfg(unix)]
    fn readable_secrets(&self) -> Vec<Told> {
        use std::os::unix::fs::PermissionsExt as _;
        let files = self.layers.files.iter().filter_map(|file| Some((file, file.path.as_ref()?)));
        let told = files.filter_map(|(file, path)| {
            let mode = path.metadata().ok()?.permissions().mode() & 0o777;
            let byte = locate::first_secret(&file.text).filter(|_| mode & 0o004 != 0)?;
            let message = format!(
                "{}: this file has a secret in it, and every user of this computer can read it (mode {mode:o})",
                file.at(byte)
            );
            Some((byte, message, Some(format!("`chmod 600 {}`", path.display()))))
        });
        told.collect()
    }

    #[cfg(not(unix))]
    fn readable_secrets(&self) -> Vec<Told> {
        Vec::new()
    }

    /// The word of the lab's client ids, if the folder that keeps it holds something else.
    fn damaged_identity(&self) -> Option<Told> {
        let folder = WordFolder::of(self).filter(|_| !self.config.web.enabled)?;
        let message = folder.damage()?;
        let hint = "a damaged file may be deleted, then the client ids are other ones";
        let (table, key) = match self.config.spool.folder {
            Some(_) => ("spool", "folder"),
            None => ("broker", "storage"),
        };
        Some(self.of_option(table, &OptionProblem::new(&[key], message).hint(hint)))
    }

    /// A problem of an option with the place that set it: the command line, a variable, or a line of a file.
    fn of_option(&self, table: &str, problem: &OptionProblem) -> Told {
        let mut way = vec![Step::Key(table.to_owned())];
        way.extend(problem.key.iter().map(|part| match part.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(part.clone()),
        }));
        let keys: Vec<&str> = way.iter().filter_map(Step::key).collect();
        let (byte, place) = self.layers.place_of(&way);
        let place =
            self.option_of_command_line(&keys).or_else(|| self.layers.variable_of(&keys)).unwrap_or(place);
        let message = format!("{place}: `{}`: {}", keys.join("."), problem.message);
        (byte, message, problem.hint.clone())
    }

    fn option_of_command_line(&self, keys: &[&str]) -> Option<String> {
        let options = &self.options;
        let (name, is_set) = match keys {
            ["web", "bind"] => ("--web", options.web.is_some()),
            ["broker", "bind"] => ("--broker", options.broker.is_some()),
            ["store", "url"] => ("--store", options.store.is_some()),
            _ => return None,
        };
        is_set.then(|| format!("option `{name}`"))
    }
}

/// Longest root, in bytes: with what follows it, a topic has at most 65,535.
const LONGEST: usize = 4096;

/// Names that no topic can have.
fn word<'a>(key: &str, whole: &str, words: impl IntoIterator<Item = &'a str>) -> Vec<OptionProblem> {
    if whole.len() > LONGEST {
        return vec![OptionProblem::new(&[key], format!("it is longer than {LONGEST} bytes"))];
    }
    let is_wrong = |word: &str| check_word(word).is_err() || word.starts_with('$');
    if !words.into_iter().any(is_wrong) {
        return Vec::new();
    }
    let message = format!(
        "`{whole}` cannot be part of a topic: a name has 1 to 64 of the characters `a-z`, `0-9` and `-`"
    );
    let right: Vec<String> = whole.split('/').map(plain).filter(|word| !word.is_empty()).collect();
    let problem = OptionProblem::new(&[key], message);
    match right.join(if key == "root" { "/" } else { "-" }) {
        right if right.is_empty() => vec![problem],
        right => vec![problem.hint(format!("write `{key} = \"{right}\"`"))],
    }
}

/// A word of a topic that is like a text.
fn plain(text: &str) -> String {
    let mut word = String::new();
    for c in text.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => word.push(c),
            'ä' => word.push_str("ae"),
            'ö' => word.push_str("oe"),
            'ü' => word.push_str("ue"),
            'ß' => word.push_str("ss"),
            _ if !word.ends_with('-') => word.push('-'),
            _ => {}
        }
    }
    let word: String = word.trim_matches('-').chars().take(64).collect();
    word
}

/// Collects mistakes with their places.
struct Wrong<'a> {
    source: &'a Source,
    told: Vec<Told>,
}

impl Wrong<'_> {
    fn add(&mut self, table: &str, problems: Vec<OptionProblem>) {
        self.told.extend(problems.iter().map(|problem| self.source.of_option(table, problem)));
    }

    /// One address for two listeners.
    fn same_addresses(&mut self) {
        let Config { web, broker, .. } = &self.source.config;
        let mut all = Vec::new();
        if self.source.has_own_broker() {
            all.push(("broker", "bind", broker.bind));
            all.extend(broker.websocket.map(|address| ("broker", "websocket", address)));
        }
        if web.enabled {
            all.extend(
                web.bind.to_socket_addrs().into_iter().flatten().map(|address| ("web", "bind", address)),
            );
        }
        for (at, (table, key, address)) in all.iter().enumerate() {
            let other = all[..at]
                .iter()
                .find(|other| (other.0, other.1) != (*table, *key) && collide(*address, other.2));
            let Some((other_table, other_key, _)) = other else { continue };
            let message = format!("`{address}` is the address of `{other_table}.{other_key}`, too");
            let problem = OptionProblem::new(&[key], message).hint("give one of them another port");
            self.add(table, vec![problem]);
            return;
        }
    }

    /// Folders that are files, or one place for two parts.
    fn folders(&mut self) {
        let Config { spool, broker, web, store, .. } = &self.source.config;
        let storage = broker.storage.as_ref().filter(|_| self.source.has_own_broker());
        let mut all: Vec<(&str, &str, PathBuf)> = Vec::new();
        all.extend(spool.folder.iter().map(|path| ("spool", "folder", path.clone())));
        all.extend(storage.map(|path| ("broker", "storage", path.clone())));
        for (table, key, path) in &all.clone() {
            let exists = path.ancestors().find(|above| above.exists() && !above.as_os_str().is_empty());
            if path.as_os_str().is_empty() {
                let problem = OptionProblem::new(&[key], "the path is empty");
                self.add(table, vec![problem.hint("name a folder, or remove the line")]);
            } else if let Some(file) = exists.filter(|above| !above.is_dir()) {
                let message =
                    format!("`{}` cannot be a folder: `{}` is a file", path.display(), file.display());
                self.add(table, vec![OptionProblem::new(&[key], message).hint("name another folder")]);
            }
        }
        if web.enabled {
            let path = store.url.strip_prefix("sqlite:").unwrap_or(&store.url);
            let path: PathBuf = path.strip_prefix("//").unwrap_or(path).into();
            all.push(("store", "url", path));
        }
        for (table, key, path) in &all {
            if let Some(above) = not_writable(path) {
                let message =
                    format!("`{}` cannot be made: `{}` is not writable", path.display(), above.display());
                let hint = "choose a path that this user may write, or change the folder's permissions";
                self.add(table, vec![OptionProblem::new(&[key], message).hint(hint)]);
            }
        }
        if let Some(folder) = self.source.missing_plugins() {
            let message = match self.source.config.plugins.folder.as_deref() {
                Some(path) if path.as_os_str().is_empty() => "the path is empty".to_owned(),
                _ => format!("there is no folder `{}`", folder.display()),
            };
            let problem = OptionProblem::new(&["folder"], message);
            self.add(
                "plugins",
                vec![problem.hint("the path starts at the folder of the file that contains it")],
            );
        }
        for (at, (table, key, path)) in all.iter().enumerate() {
            let Some((other_table, other_key, _)) = all[..at].iter().find(|other| same(&other.2, path))
            else {
                continue;
            };
            let message = format!("`{}` is the place of `{other_table}.{other_key}`, too", path.display());
            self.add(table, vec![OptionProblem::new(&[key], message).hint("each needs a place of its own")]);
        }
    }
}

/// Whether two listeners cannot have these addresses at once.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let any = |address: SocketAddr| address.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (one.ip() == other.ip() || any(one) || any(other))
}

/// The first folder above a path that exists, if nothing can be made in it.
#[cfg(unix)]
fn not_writable(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let above = path.ancestors().find(|above| above.exists()).filter(|above| above.is_dir())?;
    rustix::fs::access(above, rustix::fs::Access::WRITE_OK).is_err().then(|| above.to_owned())
}

#[cfg(not(unix))]
const fn not_writable(_: &Path) -> Option<PathBuf> {
    None
}

fn same(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.canonicalize().unwrap_or(path)
    };
    plain(one) == plain(other)
}
