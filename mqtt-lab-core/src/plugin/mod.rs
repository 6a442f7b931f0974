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
#[cfg(feature = "plugins")]
mod group;
#[cfg(all(feature = "plugins", unix))]
mod guard;
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

/// Waits until every plugin process of this program has ended with all that it started, at most 3 seconds.
///
/// Dropping a device closes its process's input, which then has 2 seconds to end by itself. A program that
/// ends meanwhile cuts that short: call this as the last thing in `main`, after the runtime has ended.
#[cfg(feature = "plugins")]
pub fn wait_for_processes() {
    group::wait_for_all(child::FAREWELL + child::LAST_WORDS);
}
