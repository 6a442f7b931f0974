//! Where a plugin comes from: a file, a crate's folder, or a command.

use super::LoadError;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What `plugin = …` of a device's table names.
///
/// ```toml
/// plugin = "my-sensor"                  # a crate's folder: the library that was built last below `target`
/// plugin = "target/release/libtank.so"  # a library
/// plugin = "sensor.py"                  # a Python script, run by `python3`
/// plugin = ["node", "sensor.js"]        # any program that speaks the line protocol
/// ```
///
/// Relative paths start at the folder of the configuration file.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, schemars::JsonSchema,
)]
#[serde(untagged, expecting = "a path, or a list with a program and its arguments")]
pub enum PluginSource {
    /// A library, a crate's folder, or a script.
    Path(PathBuf),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// A source that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A library.
    Library(PathBuf),
    /// A program with its arguments, and the file that it is made of where there is one.
    Program { command: Vec<OsString>, file: Option<PathBuf> },
}

impl Found {
    /// The file that it is made of.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Library(file) => Some(file),
            Self::Program { file, .. } => file.as_deref(),
        }
    }
}

impl From<&Path> for PluginSource {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl std::fmt::Display for PluginSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Command(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// Whether a file has the name of a library of this or another platform.
pub(crate) fn is_library(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("so" | "dylib" | "dll"))
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

impl PluginSource {
    /// Whether it names nothing at all.
    #[cfg(feature = "plugins")]
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Path(path) => path.as_os_str().is_empty(),
            Self::Command(words) => words.first().is_none_or(String::is_empty),
        }
    }

    /// Finds the file; paths start at `base`.
    pub(crate) fn find(&self, base: &Path) -> Result<Found, LoadError> {
        match self {
            Self::Command(words) => {
                let file = words.iter().skip(1).map(|word| base.join(word)).find(|path| path.is_file());
                Ok(Found::Program { command: words.iter().map(Into::into).collect(), file })
            }
            Self::Path(path) => find(&base.join(path)),
        }
    }
}

/// The process runs in another folder.
fn in_full(path: &Path) -> OsString {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into()
}

fn find(path: &Path) -> Result<Found, LoadError> {
    if path.is_dir() {
        return built_library(path).map(Found::Library);
    }
    if is_python(path) && path.exists() {
        let command = vec!["python3".into(), "-u".into(), in_full(path)];
        return Ok(Found::Program { command, file: Some(path.into()) });
    }
    if !is_library(path) && is_executable(path) {
        return Ok(Found::Program { command: vec![in_full(path)], file: Some(path.into()) });
    }
    Ok(Found::Library(path.into()))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "exe")
}

/// The library that a crate's build made last.
fn built_library(folder: &Path) -> Result<PathBuf, LoadError> {
    let manifest = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest)
        .map_err(|source| LoadError::Unreadable { path: manifest.clone(), source })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| LoadError::Failed {
        path: manifest.clone(),
        reason: error.message().to_owned(),
    })?;
    let name = |section: &str| table.get(section)?.get("name")?.as_str().map(|name| name.replace('-', "_"));
    let name = name("lib").or_else(|| name("package")).unwrap_or_default();
    let library = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    // A member of a workspace is built into the workspace's folder.
    let targets = folder.ancestors().take(4).map(|above| above.join("target"));
    // Where Cargo builds instead, if it was told so in the environment.
    let targets = targets.chain(std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from));
    let built =
        targets.flat_map(|target| ["release", "debug"].map(|profile| target.join(profile).join(&library)));
    let built = built.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file)));
    let newest = built.max_by_key(|(modified, _)| *modified).map(|(_, file)| file);
    newest.ok_or_else(|| LoadError::NotBuilt { path: folder.into(), library })
}
