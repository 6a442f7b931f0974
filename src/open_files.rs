//! How many files and connections the system lets this program open.

use crate::config::Config;

/// What the program needs beside its devices: standard streams, database, web, listeners, pages.
const BASE: u64 = 128;
/// A device of a plugin that runs on a thread or in a process of its own.
const OF_PLUGIN: u64 = 6;

/// Raises the limit to the highest that is allowed without further rights, and returns it. Desktops start programs with
/// 1,024, whatever the computer could do.
#[cfg(unix)]
pub(crate) fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

#[cfg(not(unix))]
pub(crate) const fn raise() -> Option<u64> {
    None
}

/// Why a lab may not run under `limit`, and what to do.
pub(crate) fn shortage(
    config: &Config,
    has_own_broker: bool,
    limit: Option<u64>,
) -> Option<(String, String)> {
    let needed = needed(config, has_own_broker);
    let limit = limit.filter(|limit| *limit < needed)?;
    let problem =
        format!("this lab needs about {needed} open files and connections, and the system allows {limit}");
    let hint = "raise the hard limit (`ulimit -Hn`, `LimitNOFILE=` of a systemd unit), or use fewer devices";
    Some((problem, hint.to_owned()))
}

/// A connection is one at each end, if both are in this program.
fn needed(config: &Config, has_own_broker: bool) -> u64 {
    let of_connection = if has_own_broker { 2 } else { 1 };
    let devices = config.sensor.iter().chain(&config.actuator);
    let devices = devices.map(|device| {
        let own = if device.plugin.is_some() { OF_PLUGIN } else { 0 };
        u64::from(device.count) * (of_connection + own)
    });
    BASE + devices.sum::<u64>()
}
