//! `mqtt-lab new`: a plugin to begin with.

mod files;
mod name;

use crate::arguments::NewOptions;
use crate::failure::Failure;
use crate::terminal::print_line;
use files::{Plan, quoted};
use mqtt_lab_core::Role;
use name::Name;
use std::path::{Path, PathBuf};

/// The language of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// A crate
    Rust,
    /// A script without dependencies
    Python,
    /// A library by the C ABI
    C,
}

/// What a plugin shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// Something that measures
    Sensor,
    /// Something that acts
    Actuator,
}

/// Writes a plugin that builds, passes its tests and runs, and says what to type next.
pub(crate) fn new(options: &NewOptions) -> Result<(), Failure> {
    let name = Name::new(&options.name)?;
    let role = match options.what {
        What::Sensor => Role::Sensor,
        What::Actuator => Role::Actuator,
    };
    let core = match options.lang {
        Language::Rust => find_core(options.core.as_deref())?,
        Language::Python | Language::C => PathBuf::new(),
    };
    let folder = options.dir.clone().unwrap_or_else(|| PathBuf::from(name.word()));
    let (here, anywhere) = program();
    let plan = Plan { name: &name, role, language: options.lang, core: &core, program: &anywhere };
    let mut files = plan.files();
    if let Some(lock) = lock(&core) {
        files.push(("Cargo.lock".into(), lock));
    }
    write(&folder, &files)?;
    let mut lines = vec![format!("{} `{}` in {}:", role.as_str(), name.word(), folder.display())];
    lines.extend(files.iter().map(|(file, _)| format!("  {file}")));
    lines.push("\nType next:".to_owned());
    lines.extend(plan.next(&folder, &here).into_iter().map(|command| format!("  {command}")));
    print_line(&lines.join("\n"))
}

/// The core that the plugin is built with: the given one, or that of the checkout which built this program.
fn find_core(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let core =
        given.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("mqtt-lab-core"), Path::to_path_buf);
    let missing = || {
        let hint = "name the folder `mqtt-lab-core` of a checkout of mqtt-lab: `--core PATH`";
        Failure::config(format!("there is no mqtt-lab-core in `{}`", core.display()), Some(hint.into()))
    };
    let manifest = std::fs::read_to_string(core.join("Cargo.toml")).map_err(|_| missing())?;
    let manifest: toml::Table = manifest.parse().map_err(|_| missing())?;
    let name = manifest.get("package").and_then(|package| package.get("name"));
    if name.and_then(toml::Value::as_str) != Some("mqtt-lab-core") {
        return Err(missing());
    }
    // What is wrong with the path has been told; it is only written in full here.
    Ok(core.canonicalize().unwrap_or(core))
}

/// The versions that the core's checkout is tested with: the first build needs no network where that one had
/// it. Cargo strikes out what the plugin does not need.
fn lock(core: &Path) -> Option<String> {
    std::fs::read_to_string(core.parent()?.join("Cargo.lock")).ok()
}

/// How this program was called, and how it can be called from any folder.
fn program() -> (String, String) {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = PathBuf::from(called);
    if called.components().count() <= 1 {
        // Found by the shell, which finds it from any folder.
        let word =
            if called.as_os_str().is_empty() { "mqtt-lab".into() } else { called.display().to_string() };
        return (quoted(&word), quoted(&word));
    }
    let full = std::path::absolute(&called).unwrap_or_else(|_| called.clone());
    (quoted(&called.display().to_string()), quoted(&full.display().to_string()))
}

/// Writes all files into a folder of their own; what exists is never touched.
fn write(folder: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    let shown = folder.display();
    if folder.symlink_metadata().is_ok() {
        let hint = "take another name, or another folder with `--dir FOLDER`; nothing was changed";
        return Err(Failure::config(format!("`{shown}` exists already"), Some(hint.into())));
    }
    let written = || {
        if let Some(above) = folder.parent() {
            std::fs::create_dir_all(above)?;
        }
        // Not `_all`: one that appeared meanwhile is not ours.
        std::fs::create_dir(folder)?;
        for (name, text) in files {
            let path = folder.join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))?;
        }
        Ok(())
    };
    written().map_err(|error: std::io::Error| {
        let hint = "name another folder with `--dir FOLDER`";
        Failure::failed(format!("cannot write `{shown}`: {error}"), Some(hint.into()))
    })
}
