//! Looks into a library before any of its code runs.

use super::LoadError;
use super::abi;
use object::{Architecture, BinaryFormat, Object as _, ObjectKind, ObjectSymbol as _};
use std::io::ErrorKind;
use std::path::Path;

/// A file that is a plugin for this platform and ABI.
pub(crate) struct Inspected {
    pub(crate) bytes: Vec<u8>,
    /// The one symbol to call.
    pub(crate) symbol: String,
}

/// Reads a library and finds its symbol.
pub(crate) fn inspect(path: &Path) -> Result<Inspected, LoadError> {
    let not_a_library = || LoadError::NotALibrary { path: path.into() };
    // A device or a pipe would be read without end.
    if path.metadata().is_ok_and(|of| !of.is_file()) {
        return Err(not_a_library());
    }
    let bytes = std::fs::read(path).map_err(|source| unreadable(path, source))?;
    let file = object::File::parse(&*bytes).map_err(|_| not_a_library())?;
    if file.kind() != ObjectKind::Dynamic {
        return Err(not_a_library());
    }
    let found = (file.architecture(), file.format());
    if found != OWN {
        return Err(LoadError::OtherPlatform { path: path.into(), found: words(found), needed: words(OWN) });
    }
    let symbol = symbol(&file, path).map_err(|other| match other {
        Some(found) => LoadError::OtherAbi { path: path.into(), found, needed: abi::ABI },
        None => LoadError::NotAPlugin { path: path.into() },
    })?;
    Ok(Inspected { bytes, symbol })
}

/// The plugin's symbol; else the version in a symbol of another ABI.
fn symbol(file: &object::File<'_>, path: &Path) -> Result<String, Option<String>> {
    let names: Vec<String> = if file.format() == BinaryFormat::Elf {
        let defined = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
        defined.filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect()
    } else {
        let exports = file.exports().into_iter().flatten().flatten();
        let names = exports
            .filter_map(|export| Some(String::from_utf8_lossy(export.name().into_name()?).into_owned()));
        // macOS puts an underscore before every symbol.
        names.map(|name| name.strip_prefix('_').map_or(name.clone(), str::to_owned)).collect()
    };
    // A crate that depends on another plugin's crate exports both: the file is named after its own.
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let own = format!("{}{}", abi::SYMBOL, stem.strip_prefix("lib").unwrap_or(&stem));
    let ours = || names.iter().filter(|name| name.starts_with(abi::SYMBOL));
    if let Some(symbol) = ours().find(|name| **name == own).or_else(|| ours().min()) {
        return Ok(symbol.clone());
    }
    let other = names.iter().find_map(|name| name.strip_prefix("mqtt_lab_plugin_v")?.split("__").next());
    Err(other.map(str::to_owned))
}

fn unreadable(path: &Path, source: std::io::Error) -> LoadError {
    if source.kind() != ErrorKind::NotFound {
        return LoadError::Unreadable { path: path.into(), source };
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut near: Vec<_> = names.filter(|name| super::source::is_library(Path::new(name))).collect();
    near.sort();
    near.truncate(5);
    LoadError::Missing { path: path.into(), near }
}

const OWN: (Architecture, BinaryFormat) = (
    if cfg!(target_arch = "x86_64") {
        Architecture::X86_64
    } else if cfg!(target_arch = "aarch64") {
        Architecture::Aarch64
    } else if cfg!(target_arch = "x86") {
        Architecture::I386
    } else if cfg!(target_arch = "arm") {
        Architecture::Arm
    } else if cfg!(target_arch = "riscv64") {
        Architecture::Riscv64
    } else {
        Architecture::Unknown
    },
    if cfg!(windows) {
        BinaryFormat::Pe
    } else if cfg!(target_vendor = "apple") {
        BinaryFormat::MachO
    } else {
        BinaryFormat::Elf
    },
);

fn words((architecture, format): (Architecture, BinaryFormat)) -> String {
    let system = match format {
        BinaryFormat::Elf => "Linux",
        BinaryFormat::MachO => "macOS",
        BinaryFormat::Pe | BinaryFormat::Coff => "Windows",
        _ => "an unknown system",
    };
    let architecture = match architecture {
        Architecture::X86_64 => "x86-64".to_owned(),
        Architecture::I386 => "x86 (32 bit)".to_owned(),
        Architecture::Aarch64 => "ARM64".to_owned(),
        Architecture::Arm => "ARM (32 bit)".to_owned(),
        Architecture::Riscv64 => "RISC-V (64 bit)".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{system} on {architecture}")
}
