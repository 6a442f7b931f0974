//! `mqtt-lab config`: what holds, and where it came from.

use super::Source;
use super::layers::Layers;
use crate::failure::Failure;
use crate::locate::{self, Step, is_secret};
use std::path::Path;
use toml::{Table, Value};

/// What is shown of a secret.
const HIDDEN: &str = "\"…\"";

/// Prints the configuration that holds: every option with its value and where that came from.
pub(crate) fn print(file: Option<&Path>) -> Result<(), Failure> {
    let source = Source::read(file)?;
    let table = Table::try_from(&source.config).map_err(|error| Failure::of(&error, None))?;
    crate::terminal::print(&text(&table, &source.layers))
}

/// The options, each with its origin as a comment.
fn text(config: &Table, layers: &Layers) -> String {
    let mut text = String::new();
    let (lists, tables): (Vec<_>, Vec<_>) = config.iter().partition(|(_, value)| value.is_array());
    for (name, value) in tables {
        text += &format!("\n[{name}]\n");
        lines(value, &mut vec![Step::Key(name.clone())], &mut Vec::new(), 0, layers, &mut text);
    }
    for (name, devices) in lists {
        for (at, device) in devices.as_array().into_iter().flatten().enumerate() {
            let place = layers.places.get(name.as_str()).and_then(|places| places.get(at));
            let (file, index) = place.copied().unwrap_or_default();
            let mut way = vec![Step::Key(name.clone()), Step::Index(index)];
            text += &format!("\n[[{name}]]{}\n", origin(&way, file, layers).unwrap_or_default());
            lines(device, &mut way, &mut Vec::new(), file, layers, &mut text);
        }
    }
    text.trim_start().to_owned()
}

/// One line per option; those of inner tables with dots.
fn lines(
    value: &Value,
    way: &mut Vec<Step>,
    keys: &mut Vec<String>,
    file: usize,
    layers: &Layers,
    text: &mut String,
) {
    let Some(table) = value.as_table() else { return };
    for (key, value) in table {
        way.push(Step::Key(key.clone()));
        keys.push(key.clone());
        match value {
            Value::Table(_) => lines(value, way, keys, file, layers, text),
            _ => {
                let shown = if is_secret(key) { HIDDEN.to_owned() } else { hide_inside(value).to_string() };
                let line = format!("{} = {shown}", keys.join("."));
                let origin = origin(way, file, layers).unwrap_or_else(|| "  # default".into());
                *text += &format!("{line:38}{origin}\n");
            }
        }
        way.pop();
        keys.pop();
    }
}

/// A list whose tables may hold secrets, such as the broker's users.
fn hide_inside(value: &Value) -> Value {
    let mut value = value.clone();
    for table in value.as_array_mut().into_iter().flatten().filter_map(Value::as_table_mut) {
        for (_, secret) in table.iter_mut().filter(|(key, _)| is_secret(key)) {
            *secret = "…".into();
        }
    }
    value
}

/// Where an option was set: a variable, a line of a file; none: nowhere.
fn origin(way: &[Step], file: usize, layers: &Layers) -> Option<String> {
    let keys: Vec<&str> = way.iter().filter_map(Step::key).collect();
    let variable = layers.environment.iter().find(|(way, _)| *way == keys);
    if let Some((_, name)) = variable {
        return Some(format!("  # {name}"));
    }
    let is_device = way.iter().any(|step| matches!(step, Step::Index(_)));
    let order: Vec<usize> = if is_device { vec![file] } else { layers.order.iter().rev().copied().collect() };
    order.iter().find_map(|number| {
        let file = &layers.files[*number];
        let place = locate::exactly(&file.text, way)?;
        let (line, _) = locate::line_and_column(&file.text, place.start);
        Some(format!("  # {}:{line}", file.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_wins_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writable");
        write("deep.toml", "[lab]\nseed = 1\nroot = \"deep\"\ngroup = \"deep\"\n");
        write("a.toml", "include = [\"deep.toml\"]\n[lab]\nseed = 2\nroot = \"a\"\n");
        write("b.toml", "[lab]\n\nseed = 3\n");
        write("lab.toml", "include = [\"a.toml\", \"b.toml\"]\n[[sensor]]\nkind = \"host\"\n");
        let source = Source::read(Some(&folder.path().join("lab.toml"))).expect("right");
        let shown = text(&Table::try_from(&source.config).expect("TOML"), &source.layers);
        for (begin, end) in
            [("seed = 3", "b.toml:3"), ("root = \"a\"", "a.toml:4"), ("group = \"deep\"", "deep.toml:4")]
        {
            let line = shown.lines().find(|line| line.starts_with(begin));
            assert!(line.is_some_and(|line| line.ends_with(end)), "{begin}\n{shown}");
        }
    }

    #[test]
    fn every_option_is_shown_with_where_it_came_from_and_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lab.toml");
        let toml = "[web]\ntoken = \"secret\"\n[broker]\nusers = [{ name = \"ann\", password = \"secret\" }]\n\
                    [[sensor]]\nkind = \"temperature\"\nwill.qos = 2\n";
        std::fs::write(&path, toml).expect("writable");
        let mut source = Source::read(Some(&path)).expect("right");
        source.layers.environment.push((vec!["lab".into(), "group".into()], "MQTT_LAB_LAB__GROUP".into()));
        let shown = text(&Table::try_from(&source.config).expect("TOML"), &source.layers);
        let find = |begin: &str| {
            let line = shown.lines().find(|line| line.starts_with(begin));
            line.unwrap_or_else(|| panic!("no `{begin}` in\n{shown}")).to_owned()
        };
        assert!(!shown.contains("secret") && find("users = ").contains("ann"), "{shown}");
        for (begin, end) in [
            ("root = \"lab\"", "# default"),
            ("group = \"demo\"", "# MQTT_LAB_LAB__GROUP"),
            ("token = \"…\"", "lab.toml:2"),
            ("[[sensor]]", "lab.toml:5"),
            ("kind = \"temperature\"", "lab.toml:6"),
            ("will.qos = 2", "lab.toml:7"),
            ("will.delay_s = 0", "# default"),
        ] {
            assert!(find(begin).ends_with(end), "{begin}: {}", find(begin));
        }
    }
}
