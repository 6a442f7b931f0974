//! What users of comparable programs report as faults, done to the real program. `docs/faults.md` lists them, and each
//! row of its table names a test below.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/plugin_files.rs"]
mod plugin_files;

mod disks;
mod files;
mod parts;
mod processes;
mod stopping;
mod streams;
mod table;
