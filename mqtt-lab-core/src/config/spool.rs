//! The `[spool]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The `[spool]` table: where messages of QoS 1 and 2 wait for the broker's acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// Folder in which they are kept as well, so that they survive a kill of the program. A relative path starts at
    /// the folder of the file that contains it. None: in memory alone.
    pub folder: Option<PathBuf>,
    /// Whether every message is forced to the disk, so that it survives a power cut, too. Costs
    /// milliseconds for each.
    pub sync: bool,
}
