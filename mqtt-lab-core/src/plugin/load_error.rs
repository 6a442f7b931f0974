//! Why a plugin cannot be loaded.

use std::path::PathBuf;
use std::time::Duration;

/// Why a plugin cannot be loaded. [`hint`](LoadError::hint) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file.
    #[error("plugin `{}`: there is no such file{}", .path.display(), listed(.near))]
    Missing {
        /// The file.
        path: PathBuf,
        /// Plugins in the same folder.
        near: Vec<String>,
    },
    /// The file cannot be read or copied.
    #[error("plugin `{}`: cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A crate's folder without a built library.
    #[error("plugin `{}`: the crate is not built yet, there is no `{library}` below `target`", .path.display())]
    NotBuilt {
        /// The crate's folder.
        path: PathBuf,
        /// The file that was looked for.
        library: String,
    },
    /// Some other file: a text, a program, a picture.
    #[error("plugin `{}`: is no library", .path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
    },
    /// A library for another computer.
    #[error("plugin `{}`: is built for {found}, this program needs {needed}", .path.display())]
    OtherPlatform {
        /// The file.
        path: PathBuf,
        /// What it is built for.
        found: String,
        /// What this program can load.
        needed: String,
    },
    /// A library that exports no plugin.
    #[error("plugin `{}`: is a library, but exports no mqtt-lab plugin", .path.display())]
    NotAPlugin {
        /// The file.
        path: PathBuf,
    },
    /// A library of another version of the ABI.
    #[error("plugin `{}`: speaks version {found} of the plugin ABI, this program speaks {needed}", .path.display())]
    OtherAbi {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Ours.
        needed: u32,
    },
    /// The system's loader refuses it.
    #[error("plugin `{}`: cannot be loaded: {reason}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the system's loader says.
        reason: String,
    },
    /// It was loaded or started, and failed to say what it offers.
    #[error("plugin `{}`: {reason}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// It was loaded or started, and does not answer.
    #[error("plugin `{}`: did not list its kinds within {} s", .path.display(), .limit.as_secs())]
    Hangs {
        /// The file.
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A library shall run in a process of its own, and this program names no host for it.
    #[error("plugin `{}`: cannot run in a process of its own: this program names no host for it", .path.display())]
    NoHost {
        /// The file.
        path: PathBuf,
    },
}

fn listed(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; the folder has: {}", near.join(", ")) }
}

impl LoadError {
    /// What to do, in one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "paths start at the folder of the configuration file; a crate's folder will do once `cargo build \
                 --release` has run in it"
            }
            Self::Unreadable { .. } => "check the rights of the file and the free space for temporary files",
            Self::NotBuilt { .. } => "run `cargo build --release` in it",
            Self::NotALibrary { .. } => {
                "name the crate's folder, its .so, .dylib or .dll, a .py script, or a program as \
                 `plugin = [\"program\", \"argument\"]`; a crate needs `crate-type = [\"cdylib\", \"rlib\"]` below `[lib]`"
            }
            Self::OtherPlatform { .. } => "build it on this computer",
            Self::NotAPlugin { .. } => "does the crate call `export_plugin! { sensor \"kind\" => Type }`?",
            Self::OtherAbi { .. } => "build it with the mqtt-lab-core that belongs to this program",
            Self::Refused { .. } => {
                "where the folder for temporary files forbids execution (noexec), set TMPDIR to another one"
            }
            Self::Failed { .. } => "`mqtt-lab plugin check FILE` shows what it says",
            Self::Hangs { .. } => {
                "a library must not wait while it is loaded; a program must answer the request `manifest` with one line and \
                 flush its output"
            }
            Self::NoHost { .. } => "`PluginLoader::host` names the program that runs `plugin::host`",
        }
    }
}
