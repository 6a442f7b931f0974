//! The `[plugins]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The `[plugins]` table: how plugins are loaded.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// Folder whose libraries and Python scripts are all loaded; their kinds are then known by name.
    pub folder: Option<PathBuf>,
    /// Whether a plugin that is built anew replaces the running one.
    pub watch: bool,
    /// Where a device chooses none: `"none"` (libraries run inside the lab) or `"process"`.
    pub isolation: Isolation,
    /// Most memory of a plugin's process, in MiB (16 to 1048576).
    #[schemars(range(min = 16, max = 1_048_576))]
    pub memory_mb: u32,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self { folder: None, watch: false, isolation: Isolation::None, memory_mb: 1024 }
    }
}

/// Whether a plugin is kept apart from the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A library runs inside the lab. Scripts always have a process.
    #[default]
    None,
    /// Every device has a process of its own.
    Process,
}
