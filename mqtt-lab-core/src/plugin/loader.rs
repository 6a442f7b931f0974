//! Finds, loads and reloads plugins.

use super::source::{Found, PluginSource, is_library};
use super::spawn::Launch;
use super::{LoadError, library, process};
use crate::config::{Isolation, PluginsConfig};
use crate::{Error, FileStamp, Plugin};
use mqtt_lab_wire::{PluginForm, PluginInfo};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time to say what it offers, for a library or process.
const LIMIT: Duration = Duration::from_secs(10);

/// Most plugins of a folder.
const MAX_FOLDER: usize = 1000;

/// Loads plugins from files and remembers them, so that the same file is loaded once for all devices.
///
/// A library runs inside this program: fast, but an exit, abort, segmentation fault or stack overflow in
/// it ends the whole program. With `isolation = "process"` every device has a process of its own, which
/// survives all of them.
#[derive(Debug)]
pub struct PluginLoader {
    config: PluginsConfig,
    base: PathBuf,
    host: Option<Vec<OsString>>,
    loaded: BTreeMap<(PluginSource, Isolation), Loaded>,
}

#[derive(Debug)]
struct Loaded {
    plugin: Plugin,
    file: Option<PathBuf>,
    /// As the file was when it was loaded.
    stamp: Option<FileStamp>,
    /// As it was at the last look: a file that still changes is being written.
    last: Option<FileStamp>,
    loads: u32,
    stale: bool,
}

impl PluginLoader {
    /// A loader; relative paths start at `base`, the folder of the configuration file.
    #[must_use]
    pub fn new(config: PluginsConfig, base: impl Into<PathBuf>) -> Self {
        Self { config, base: base.into(), host: None, loaded: BTreeMap::new() }
    }

    /// Sets the program, with its arguments, that runs [`host`](super::host()) for the file named by its
    /// last argument. Without it `isolation = "process"` is refused for libraries.
    #[must_use]
    pub fn host(mut self, command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.host = Some(command.into_iter().map(Into::into).collect());
        self
    }

    /// The plugin of a source, loaded now or before. `isolation` none: that of the configuration.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says what was tried, on what; its hint what to do.
    pub async fn load(
        &mut self,
        source: &PluginSource,
        isolation: Option<Isolation>,
    ) -> Result<Plugin, LoadError> {
        let key = (source.clone(), isolation.unwrap_or(self.config.isolation));
        let before = self.loaded.get(&key);
        if let Some(loaded) = before.filter(|loaded| !loaded.stale) {
            return Ok(loaded.plugin.clone());
        }
        let loads = before.map_or(0, |loaded| loaded.loads) + 1;
        let found = source.find(&self.base)?;
        let file = found.file().map(Path::to_path_buf);
        // Before loading: a build that ends meanwhile is noticed as a change.
        let stamp = file.as_deref().and_then(FileStamp::of);
        let (plugin, form) = self.load_found(found, key.1).await?;
        let name = plugin.name().to_owned().into();
        let version = plugin.version().to_owned().into();
        let plugin = plugin.came_from(&PluginInfo { name, version, form, loads });
        let loaded = Loaded { plugin: plugin.clone(), file, stamp, last: stamp, loads, stale: false };
        self.loaded.insert(key, loaded);
        Ok(plugin)
    }

    async fn load_found(
        &self,
        found: Found,
        isolation: Isolation,
    ) -> Result<(Plugin, PluginForm), LoadError> {
        let (command, path) = match found {
            Found::Library(path) if isolation == Isolation::None => {
                return load_library(path).await.map(|plugin| (plugin, PluginForm::Library));
            }
            Found::Library(path) => {
                // What is no plugin is said here and in the same words, whatever the isolation.
                super::inspect::inspect(&path)?;
                let mut command =
                    self.host.clone().ok_or_else(|| LoadError::NoHost { path: path.clone() })?;
                command.push(std::path::absolute(&path).unwrap_or_else(|_| path.clone()).into());
                (command, path)
            }
            Found::Program { command, file } => {
                let path = file.or_else(|| command.first().map(PathBuf::from)).unwrap_or_default();
                (command, path)
            }
        };
        let folder = match path.parent().filter(|_| path.exists()) {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ if self.base.as_os_str().is_empty() => PathBuf::from("."),
            _ => self.base.clone(),
        };
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let command = command.into_iter().map(|word| in_full(word, &self.base)).collect();
        let launch = Launch { command, folder, memory_mb: self.config.memory_mb };
        let Ok(loaded) = tokio::time::timeout(LIMIT, process::load(launch)).await else {
            return Err(LoadError::Hangs { path, limit: LIMIT });
        };
        let failed = |error: Error| LoadError::Failed { path, reason: error.to_string() };
        loaded.map(|plugin| (plugin, PluginForm::Process)).map_err(failed)
    }

    /// All plugins of the configured folder: libraries, and Python scripts.
    ///
    /// # Errors
    ///
    /// For each file of its own; an unreadable folder counts as one.
    pub async fn load_folder(&mut self) -> Vec<Result<Plugin, LoadError>> {
        let Some(folder) = self.config.folder.clone() else { return Vec::new() };
        let entries = match std::fs::read_dir(self.base.join(&folder)) {
            Ok(entries) => entries,
            Err(source) => return vec![Err(LoadError::Unreadable { path: folder, source })],
        };
        let files = entries.flatten().map(|entry| entry.path()).filter(|path| {
            (is_library(path) || path.extension().is_some_and(|extension| extension == "py"))
                && path.is_file()
        });
        let mut files: Vec<_> = files.take(MAX_FOLDER).collect();
        files.sort();
        let mut loaded = Vec::new();
        for file in files {
            loaded.push(self.load(&PluginSource::Path(file), None).await);
        }
        loaded
    }

    /// Looks at the files of all loaded plugins; true when one was built anew, and is loaded again by the
    /// next [`load`](Self::load). A file that still changes from one look to the next is waited for.
    pub fn changed(&mut self) -> bool {
        let base = &self.base;
        let mut changed = false;
        for ((source, _), loaded) in &mut self.loaded {
            // A crate's library may be another file now: a release build after a debug one.
            let found = source.find(base).ok().and_then(|found| found.file().map(Path::to_path_buf));
            let now = found.as_deref().and_then(FileStamp::of);
            let settled = now.is_some() && now == loaded.last;
            loaded.last = now;
            if settled && (now != loaded.stamp || found != loaded.file) {
                // Also when it cannot be loaded: it is tried once, until it changes again.
                (loaded.stamp, loaded.file, loaded.stale) = (now, found, true);
                changed = true;
            }
        }
        changed
    }
}

/// A path of a command is meant from `base` on; a bare name is looked for by the system.
fn in_full(word: OsString, base: &Path) -> OsString {
    let path = base.join(&word);
    let is_path = path.exists() && !path.is_dir();
    if is_path { std::path::absolute(&path).unwrap_or(path).into() } else { word }
}

/// Loads a library on a thread of its own: its initializers may never return.
async fn load_library(path: PathBuf) -> Result<Plugin, LoadError> {
    let (done, loaded) = tokio::sync::oneshot::channel();
    let of = path.clone();
    let failed = |reason: &str| LoadError::Failed { path: path.clone(), reason: reason.into() };
    let load = move || drop(done.send(library::load(&of)));
    std::thread::Builder::new()
        .name("plugin-load".into())
        .spawn(load)
        .map_err(|error| failed(&format!("no thread to load it: {error}")))?;
    match tokio::time::timeout(LIMIT, loaded).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(_)) => Err(failed("panicked while it was loaded")),
        Err(_) => Err(LoadError::Hangs { path, limit: LIMIT }),
    }
}
