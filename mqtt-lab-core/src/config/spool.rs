//! The `[spool]` table.

use crate::link::SpoolPolicy;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The `[spool]` table: where messages of QoS 1 and 2 wait for the broker's acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// Folder in which they are kept as well, so that they survive a kill of the program. Paths start at
    /// the working folder. None: in memory alone.
    pub folder: Option<PathBuf>,
    /// Whether every message is forced to the disk, so that it survives a power cut, too. Costs
    /// milliseconds for each.
    pub sync: bool,
}

/// What a device does when its spool is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It waits for room and measures less often.
    #[default]
    Block,
    /// The oldest message that was not sent yet is dropped, and counted.
    DropOldest,
    /// The new message is dropped, and counted.
    Error,
}

impl From<WhenFull> for SpoolPolicy {
    fn from(when_full: WhenFull) -> Self {
        match when_full {
            WhenFull::Block => Self::Block,
            WhenFull::DropOldest => Self::DropOldest,
            WhenFull::Error => Self::Error,
        }
    }
}
