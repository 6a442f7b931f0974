//! Relative paths start at the folder of the file that contains them.

use super::layers::File;
use super::told::Told;
use crate::config::built_in;
use crate::locate::{self, Step};
use crate::schema;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Options with a path that started at the working folder until version 0.1.0.
const MOVED: [[&str; 2]; 3] = [["store", "url"], ["spool", "folder"], ["broker", "storage"]];

/// Puts `folder` before the relative paths of a file. Returns those whose data is elsewhere now.
///
/// The loader of plugins puts the folder of the first file before theirs, so only those of `included` files change here.
pub(super) fn anchor(table: &mut Table, file: &File, folder: &Path, included: bool) -> Vec<Told> {
    let mut moved = Vec::new();
    for [name, key] in MOVED {
        let Some(Value::String(text)) = table.get_mut(name).and_then(|table| table.get_mut(key)) else {
            continue;
        };
        let way = [Step::Key(name.into()), Step::Key(key.into())];
        moved.extend(rebase(text, file, folder, &way));
    }
    if included
        && let Some(Value::String(text)) = table.get_mut("plugins").and_then(|table| table.get_mut("folder"))
    {
        *text = absolute(&folder.join(&*text));
    }
    for list in ["sensor", "actuator"] {
        for (at, device) in
            table.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().enumerate()
        {
            let Some(device) = device.as_table_mut() else { continue };
            for key in path_settings(device) {
                let settings = device.get_mut("settings").and_then(|settings| settings.get_mut(&key));
                let Some(Value::String(text)) = settings.filter(|value| value.as_str() != Some("")) else {
                    continue;
                };
                let way = [list, "settings", &key].map(|key| Step::Key(key.into()));
                let [list, settings, key] = way;
                moved.extend(rebase(text, file, folder, &[list, Step::Index(at), settings, key]));
            }
            if included {
                anchor_plugin(device, folder);
            }
        }
    }
    moved
}

/// The settings of a device that are paths.
fn path_settings(device: &Table) -> Vec<String> {
    let name = device.get("kind").and_then(Value::as_str).filter(|_| device.get("plugin").is_none());
    let kind = built_in().kinds().iter().find(|kind| Some(kind.name()) == name);
    let Some(schema) = kind.map(schema::settings) else { return Vec::new() };
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, property)| property["x-path"] == true).map(|(key, _)| key.clone()).collect()
}

fn rebase(text: &mut String, file: &File, folder: &Path, way: &[Step]) -> Option<Told> {
    let scheme = if text.starts_with("sqlite://") { "sqlite://" } else { "sqlite:" };
    let (scheme, path) = match text.strip_prefix(scheme) {
        Some(path) => (scheme, path.to_owned()),
        None => ("", text.clone()),
    };
    let is_path = !path.is_empty() && !path.starts_with(':') && !path.contains("://");
    if !is_path || Path::new(&path).is_absolute() || folder.as_os_str().is_empty() {
        return None;
    }
    let joined = folder.join(&path);
    *text = format!("{scheme}{}", joined.display());
    // Where the data of an earlier version may be.
    let elsewhere = Path::new(&path).exists() && !joined.exists();
    elsewhere.then(|| {
        let byte = locate::exactly(&file.text, way).map_or(0, |span| span.start);
        let key: Vec<&str> = way.iter().filter_map(Step::key).collect();
        let message = format!(
            "{}: `{}`: `{path}` starts at the folder of this file now, and `{}` does not exist; version 0.1.0 used `{path}` \
             in the working folder, which exists",
            file.at(byte),
            key.join("."),
            joined.display()
        );
        (byte, message, Some(format!("move it to `{}`, or write an absolute path", joined.display())))
    })
}

/// A plugin's path, and the files among the words of its command.
fn anchor_plugin(device: &mut Table, folder: &Path) {
    match device.get_mut("plugin") {
        Some(Value::String(path)) => *path = absolute(&folder.join(&*path)),
        Some(Value::Array(words)) => {
            for word in words.iter_mut().skip(1) {
                let file = word.as_str().map(|word| folder.join(word)).filter(|path| path.is_file());
                if let Some(file) = file {
                    *word = absolute(&file).into();
                }
            }
        }
        _ => {}
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)).display().to_string()
}
