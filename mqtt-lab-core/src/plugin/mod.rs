//! Plugins that are not compiled into the program: libraries and processes.
//!
//! The same crate works in three forms, without a change:
//!
//! | Form | Asked for by | Cost of a reading | Survives |
//! | --- | --- | --- | --- |
//! | static | `LabBuilder::plugin(&my_sensor::plugin())` | a function call | errors, panics, endless waiting |
//! | library | `plugin = "my-sensor"` | a call through a C table | the same |
//! | process | the same with `isolation = "process"`; scripts always | a line each way | also exit, abort, segmentation fault, stack overflow, memory hog |
//!
//! Libraries speak the C ABI of `include/mqtt_lab_plugin.h`: no Rust type, future or panic crosses the
//! border, so compiler and tokio features of both sides may differ. Processes speak JSON lines. Both are
//! described in `docs/plugins.md`.

#[allow(unsafe_code)]
pub mod abi;
#[allow(unsafe_code)]
mod guest;
#[allow(unsafe_code)]
mod guest_log;
mod manifest;

#[cfg(feature = "plugins")]
mod child;
#[allow(unsafe_code)]
#[cfg(feature = "plugins")]
mod collect;
#[cfg(all(feature = "plugins", unix))]
mod host;
#[allow(unsafe_code)]
#[cfg(feature = "plugins")]
mod host_table;
#[cfg(feature = "plugins")]
mod inspect;
#[allow(unsafe_code)]
#[cfg(feature = "plugins")]
mod library;
#[cfg(feature = "plugins")]
mod library_copy;
#[cfg(feature = "plugins")]
mod line_protocol;
#[cfg(feature = "plugins")]
mod lines;
#[cfg(feature = "plugins")]
mod load_error;
#[cfg(feature = "plugins")]
mod loader;
#[cfg(feature = "plugins")]
mod log;
#[cfg(feature = "plugins")]
mod process;
#[cfg(feature = "plugins")]
mod source;
#[allow(unsafe_code)]
#[cfg(feature = "plugins")]
mod spawn;

pub use guest::entry;
#[cfg(all(feature = "plugins", unix))]
pub use host::host;
#[cfg(feature = "plugins")]
pub use load_error::LoadError;
#[cfg(feature = "plugins")]
pub use loader::PluginLoader;
#[cfg(feature = "plugins")]
pub use source::PluginSource;
