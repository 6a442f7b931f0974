//! The plugins of `tests/plugins` as files, whole and broken.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};

/// The folder in which Cargo puts the libraries that this test depends on.
fn built() -> PathBuf {
    let program = std::env::current_exe().expect("a path");
    program.parent().expect("a folder").to_owned()
}

fn library(name: &str) -> PathBuf {
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder = built();
    let places = [folder.join(&file), folder.join("..").join(&file)];
    let found = places.iter().find(|place| place.exists());
    found
        .unwrap_or_else(|| panic!("`{file}` is built as a dependency of this test, below {folder:?}"))
        .clone()
}

/// The plugin that misbehaves.
pub(crate) fn bad_plugin() -> PathBuf {
    library("bad_plugin")
}

/// The plugin that speaks the C ABI by hand.
pub(crate) fn raw_plugin() -> PathBuf {
    library("raw_plugin")
}

/// Some library that is no plugin.
pub(crate) fn some_proc_macro() -> Option<PathBuf> {
    let files = std::fs::read_dir(built()).ok()?.flatten().map(|entry| entry.path());
    let mut files = files.filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.contains("serde_derive") && name.ends_with(std::env::consts::DLL_SUFFIX)
    });
    files.next()
}

/// A changed copy of a plugin.
pub(crate) struct Patched {
    pub(crate) file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Patched {
    fn of(original: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = std::fs::read(original).expect("the plugin is built");
        change(&mut bytes);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(original.file_name().expect("a name"));
        std::fs::write(&file, bytes).expect("written");
        Self { file, _folder: folder }
    }

    pub(crate) fn bad(change: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::of(&bad_plugin(), change)
    }

    /// The plugin by hand with another table: see its `entry`.
    pub(crate) fn raw(variant: u8) -> Self {
        Self::of(&raw_plugin(), |bytes| {
            replace(bytes, b"raw-plugin-variant:0", &[b"raw-plugin-variant:", &[variant][..]].concat());
        })
    }
}

/// Replaces every occurrence by bytes of the same length.
pub(crate) fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> =
        bytes.windows(from.len()).enumerate().filter(|(_, part)| *part == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "there is something to replace");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

/// The head of a library for macOS on ARM64.
pub(crate) fn mach_o() -> Vec<u8> {
    // Magic, CPU type and subtype, MH_DYLIB, no commands, flags, reserved.
    let words: [u32; 8] = [0xfeed_facf, 0x0100_000c, 0, 6, 0, 0, 0, 0];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The heads of a library for Windows on x86-64.
pub(crate) fn pe() -> Vec<u8> {
    let mut bytes = vec![0_u8; 64];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[60] = 64;
    bytes.extend(b"PE\0\0");
    // Machine, no sections, no time, no symbols; size of the optional header; executable, DLL.
    let header: [u16; 10] = [0x8664, 0, 0, 0, 0, 0, 0, 0, 112, 0x2002];
    bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
    let mut optional = vec![0_u8; 112];
    optional[..2].copy_from_slice(&0x20b_u16.to_le_bytes());
    bytes.extend(optional);
    bytes
}
