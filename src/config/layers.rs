//! What a configuration is made of: a file, those that it includes, and the environment.

use super::told::{Told, told};
use super::{environment, paths, syntax};
use crate::failure::Failure;
use crate::locate::{self, Step};
use crate::schema;
use crate::validate::{self, Mistake};
use mqtt_lab_core::{NotUtf8, read_text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use toml::{Table, Value};

/// Lists of tables that add up over the files, and what a table of each must have.
const NEEDED: [(&str, &[&str]); 3] =
    [("sensor", &["kind"]), ("actuator", &["kind"]), ("variable", &["id", "datatype", "value"])];

/// Their names.
pub(crate) const LISTS: [&str; 3] = [NEEDED[0].0, NEEDED[1].0, NEEDED[2].0];

/// Files that include each other to this depth.
const DEPTH: usize = 8;

/// One file, or what stands for one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct File {
    /// As messages name it.
    pub(crate) name: String,
    /// Where it is; none for the lab that is compiled in.
    pub(crate) path: Option<PathBuf>,
    pub(crate) text: String,
}

/// Where the table of a device or variable stands: the file's number, and its place among the tables of that name there.
pub(crate) type Place = (usize, usize);

/// Everything that a configuration is made of, put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The file itself comes first.
    pub(crate) files: Vec<File>,
    /// What they say together: a file wins over those it includes, the environment over all.
    pub(crate) table: Table,
    /// Of each list: where its tables stand.
    pub(crate) places: BTreeMap<&'static str, Vec<Place>>,
    /// Options that came from the environment, with the names of the variables.
    pub(crate) environment: Vec<(Vec<String>, String)>,
    /// The numbers of the files, the one that wins over all others last.
    pub(crate) order: Vec<usize>,
    /// What the schema refuses; it is not in `table`.
    pub(crate) mistakes: Vec<Told>,
    /// What may be meant, and is probably not.
    pub(crate) warnings: Vec<Told>,
}

impl Layers {
    /// Reads a file with what it includes, and the environment.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no TOML.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let mut layers = Self::default();
        let table = layers.add_path(path, &mut Vec::new()).map_err(|problem| {
            let hint = "`mqtt-lab run` without a file runs the default lab";
            problem.unwrap_or_else(|message| Failure::config(message, Some(hint.into())))
        })?;
        layers.table = table;
        layers.add_environment(environment::variables());
        Ok(layers)
    }

    /// The lab that is compiled in, and the environment.
    ///
    /// # Errors
    ///
    /// None, unless it was compiled in wrongly.
    pub(crate) fn built_in(name: &str, text: &str) -> Result<Self, Failure> {
        let mut layers = Self::default();
        let file = File { name: name.into(), path: None, text: text.into() };
        layers.table = layers.add_file(file, Path::new(""), &mut Vec::new())?;
        layers.add_environment(environment::variables());
        Ok(layers)
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().filter_map(|file| file.path.clone()).collect()
    }

    /// Reads a file; the inner error says that this file itself cannot be read.
    fn add_path(
        &mut self,
        path: &Path,
        including: &mut Vec<PathBuf>,
    ) -> Result<Table, Result<Failure, String>> {
        let name = path.display().to_string();
        let text = read_text(path).map_err(|error| unreadable(&name, &error))?;
        let file = File { name, path: Some(path.into()), text };
        including.push(canonical(path));
        let folder = path.parent().unwrap_or(Path::new(""));
        let table = self.add_file(file, folder, including).map_err(Ok)?;
        including.pop();
        Ok(table)
    }

    fn add_file(
        &mut self,
        file: File,
        folder: &Path,
        including: &mut Vec<PathBuf>,
    ) -> Result<Table, Failure> {
        let (document, errors) = DeTable::parse_recoverable(&file.text);
        if !errors.is_empty() {
            let wrong = syntax::mistakes(&file.text, &errors).into_iter();
            let message = |(byte, words, hint)| (byte, format!("{}: {words}", file.at(byte)), hint);
            return Err(told(wrong.map(message).collect()));
        }
        let mistakes = validate::mistakes(document.get_ref(), schema::schema());
        let mut table: Table = toml::from_str(&file.text).map_err(|error| too_large(&file, &error))?;
        self.mistakes.extend(mistakes.iter().map(|mistake| file.told(mistake)));
        remove(&mut table, &mistakes);
        let includes = match table.remove("include") {
            Some(Value::Array(includes)) => includes,
            _ => Vec::new(),
        };
        let number = self.files.len();
        self.warnings.extend(paths::anchor(&mut table, &file, folder, number > 0));
        self.files.push(file);
        let mut merged = Table::new();
        for (at, include) in includes.iter().enumerate() {
            let path = folder.join(include.as_str().unwrap_or_default());
            merge(&mut merged, self.include(number, at, &path, including)?);
        }
        self.note_lists(number, &mut table);
        self.order.push(number);
        merge(&mut merged, table);
        Ok(merged)
    }

    /// Reads an included file; a mistake is told at the place that names it.
    fn include(
        &mut self,
        file: usize,
        at: usize,
        path: &Path,
        including: &mut Vec<PathBuf>,
    ) -> Result<Table, Failure> {
        let added = if including.contains(&canonical(path)) {
            Err(Err(format!("`{}` includes itself", path.display())))
        } else if including.len() >= DEPTH {
            Err(Err(format!("`{}` is included more than {DEPTH} files deep", path.display())))
        } else {
            self.add_path(path, including)
        };
        added.or_else(|problem| {
            let message = problem.map_or_else(Ok, Err)?;
            let file = &self.files[file];
            let way = [Step::Key("include".into()), Step::Index(at)];
            let byte = locate::find(&file.text, &way).map_or(0, |span| span.start);
            let hint = match path.to_string_lossy().contains(['*', '?']) {
                true => "name each file: patterns are not expanded".to_owned(),
                false => "the path starts at the folder of the file that names it".to_owned(),
            };
            self.mistakes.push((byte, format!("{}: `include`: {message}", file.at(byte)), Some(hint)));
            Ok(Table::new())
        })
    }

    /// Notes where the devices and variables of a file stand; those that lack what they need are left out.
    fn note_lists(&mut self, file: usize, table: &mut Table) {
        for (name, needed) in NEEDED {
            let Some(Value::Array(tables)) = table.get_mut(name) else { continue };
            let is_whole = |table: &Value| needed.iter().all(|key| table.get(*key).is_some());
            let kept = tables.iter().enumerate().filter(|(_, table)| is_whole(table));
            self.places.entry(name).or_default().extend(kept.map(|(place, _)| (file, place)));
            tables.retain(is_whole);
        }
    }

    /// Where an option stands that counts: the byte and `file:line:column`. One that stands nowhere is missed in its
    /// table, or in the file itself.
    pub(crate) fn place_of(&self, way: &[Step]) -> (usize, String) {
        let files = || self.order.iter().rev().map(|number| &self.files[*number]);
        let found = files().find_map(|file| Some((file, locate::exactly(&file.text, way)?.start)));
        let found =
            found.or_else(|| files().find_map(|file| Some((file, locate::find(&file.text, way)?.start))));
        match found.or_else(|| self.files.first().map(|file| (file, 0))) {
            Some((file, byte)) => (byte, file.at(byte)),
            None => (0, "the configuration".to_owned()),
        }
    }

    /// The variable that sets an option.
    pub(crate) fn variable_of(&self, keys: &[&str]) -> Option<String> {
        let mut set = self.environment.iter();
        let (_, name) =
            set.find(|(way, _)| way.iter().zip(keys).all(|(a, b)| a == b) && way.len() <= keys.len())?;
        Some(format!("environment variable `{name}`"))
    }
}

impl File {
    /// `name:line:column` of a byte.
    pub(crate) fn at(&self, byte: usize) -> String {
        let (line, column) = locate::line_and_column(&self.text, byte);
        format!("{}:{line}:{column}", self.name)
    }

    fn told(&self, mistake: &Mistake) -> Told {
        let path: Vec<&str> = mistake.way.iter().filter_map(Step::key).collect();
        let key = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
        let message = format!("{}: {key}{}", self.at(mistake.byte), mistake.message);
        (mistake.byte, message, mistake.hint.clone())
    }
}

/// A whole number with more than 64 bits, the only value that is TOML and cannot be held.
fn too_large(file: &File, error: &toml::de::Error) -> Failure {
    let place = error.span().unwrap_or_default();
    let number = file.text.get(place.clone()).unwrap_or_default();
    let message = format!("{}: `{number}` is too large", file.at(place.start));
    Failure::config(message, Some(format!("the largest whole number is {}", i64::MAX)))
}

/// Why a file cannot be read. In another encoding, it has a line to look at.
fn unreadable(name: &str, error: &std::io::Error) -> Result<Failure, String> {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<NotUtf8>()) {
        Some(encoding) => {
            let hint = "most editors do that by \"Save as\", where one chooses the encoding";
            Ok(Failure::config(format!("{name}:{}:1: {encoding}", encoding.line), Some(hint.into())))
        }
        None => Err(format!("cannot read configuration file `{name}`: {error}")),
    }
}

/// The same for all spellings of a path.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Removes what is wrong. A device that lacks its kind stays: it is left out as a whole later.
fn remove(table: &mut Table, mistakes: &[Mistake]) {
    let is_listed =
        |way: &[Step]| matches!(way, [Step::Key(table), Step::Index(_)] if LISTS.contains(&table.as_str()));
    for mistake in mistakes.iter().filter(|mistake| !is_listed(&mistake.way)) {
        locate::remove(table, &mistake.way);
    }
}

/// Puts `over` upon `under`: tables key by key, lists of devices and variables one after the other.
pub(super) fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (Some(Value::Array(under)), Value::Array(over)) if LISTS.contains(&key.as_str()) => {
                under.extend(over);
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_wins_over_those_it_includes_and_devices_add_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writable");
        write("base.toml", "[lab]\nroot = \"a\"\ngroup = \"b\"\n[[sensor]]\nkind = \"x\"\n");
        write("lab.toml", "include = [\"base.toml\"]\n[lab]\ngroup = \"c\"\n[[sensor]]\nkind = \"y\"\n");
        let layers = Layers::read(&folder.path().join("lab.toml")).expect("readable");
        assert_eq!(layers.mistakes, []);
        let kinds: Vec<_> = layers.table["sensor"].as_array().into_iter().flatten().collect();
        assert_eq!(
            kinds.iter().map(|device| device["kind"].as_str()).collect::<Vec<_>>(),
            [Some("x"), Some("y")]
        );
        assert_eq!(
            (layers.table["lab"]["root"].as_str(), layers.table["lab"]["group"].as_str()),
            (Some("a"), Some("c"))
        );
        assert_eq!(layers.places["sensor"], [(1, 0), (0, 0)]);
    }

    #[test]
    fn an_include_that_cannot_be_read_or_goes_in_a_circle_is_told_where_it_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lab.toml");
        std::fs::write(&path, "include = [\"lab.toml\",\n \"no.toml\"]\n").expect("writable");
        let layers = Layers::read(&path).expect("readable");
        let told: Vec<_> = layers.mistakes.iter().map(|(_, message, _)| message).collect();
        assert!(
            told[0].contains("lab.toml:1:12: `include`: ") && told[0].contains("includes itself"),
            "{told:?}"
        );
        assert!(told[1].contains("lab.toml:2:2: `include`: cannot read"), "{told:?}");
    }
}
