//! Every option of a lab's file, told from its schema: for `mqtt-lab kinds` and `docs/options.md`.

use crate::config::built_in;
use crate::failure::Failure;
use crate::schema::{schema, settings};
use crate::terminal;
use mqtt_lab_core::Kind;
use serde_json::Value;
use std::fmt::Write as _;

/// One option.
struct Told {
    /// Tables and key, with dots between them.
    name: String,
    /// As TOML writes it; empty: left out.
    default: String,
    unit: String,
    /// What values there are, where not all of its datatype.
    range: String,
    datatype: String,
    text: String,
}

/// `mqtt-lab options`: the reference in `docs/`.
pub(crate) fn print() -> Result<(), Failure> {
    terminal::print(&markdown())
}

/// Every option of one kind, below its sample: those of its settings, and those of every device.
pub(crate) fn of_kind(kind: &Kind) -> String {
    let mut text = "\n## Every option, its default, unit and range:\n##\n".to_owned();
    let own = options("settings.", &settings(kind));
    let device = &schema()["$defs"]["DeviceConfig"];
    let common =
        options("", device).into_iter().filter(|option| !["kind", "settings"].contains(&&*option.name));
    let all: Vec<Told> = own.into_iter().chain(common).collect();
    let widest = |of: fn(&Told) -> usize| all.iter().map(of).max().unwrap_or(0);
    let (name, default) = (widest(|it| it.name.chars().count()), widest(|it| it.default.chars().count()));
    let unit = widest(|it| it.unit.chars().count());
    for it in &all {
        let line =
            format!("##  {:name$}  {:default$}  {:unit$}  {}", it.name, it.default, it.unit, values(it));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What values an option takes: its range, else its datatype.
fn values(option: &Told) -> &str {
    if option.range.is_empty() { &option.datatype } else { &option.range }
}

const INTRODUCTION: &str = "# Options of a lab's file

Every table and key of the TOML file that `mqtt-lab run FILE` starts, made of the same source as the schema from which editors
complete (`mqtt-lab schema`), and what `mqtt-lab check FILE` goes by. This page is what `mqtt-lab options` prints.

An option without a default may be left out, unless it says *required*.
";

/// The tables, in the order in which a reader needs them, with their heading.
const TABLES: [(&str, &str); 8] = [
    ("lab", "`[lab]`"),
    ("mqtt", "`[mqtt]`"),
    ("broker", "`[broker]`"),
    ("web", "`[web]`"),
    ("store", "`[store]`"),
    ("spool", "`[spool]`"),
    ("plugins", "`[plugins]`"),
    ("include", "`include`, above all tables"),
];

fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    let top = &schema()["properties"];
    section(&mut out, "`[[sensor]]` and `[[actuator]]`", &options("", &schema()["$defs"]["DeviceConfig"]));
    for kind in built_in().kinds() {
        let heading = format!("`settings` of `{}`", kind.name());
        section(&mut out, &heading, &options("", &settings(kind)));
    }
    let known = TABLES.iter().map(|(key, heading)| (*key, (*heading).to_owned()));
    let further = top.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let listed =
        |key: &str| TABLES.iter().any(|(table, _)| *table == key) || ["sensor", "actuator"].contains(&key);
    let further = further.filter(|key| !listed(key)).map(|key| (key, format!("`[[{key}]]`")));
    for (key, heading) in known.chain(further) {
        let table = resolve(&top[key]);
        let items = if table["type"] == "array" { resolve(&table["items"]) } else { table };
        let told = if items["properties"].is_object() {
            options("", items)
        } else {
            vec![told(key, &top[key], false)]
        };
        section(&mut out, &heading, &told);
    }
    out
}

fn section(out: &mut String, heading: &str, options: &[Told]) {
    if options.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "\n## {heading}\n\n| Option | Values | Unit | Default | Meaning |\n| --- | --- | --- | --- | --- |\n"
    );
    for it in options {
        let default = match it.default.as_str() {
            "" => String::new(),
            "required" => "*required*".into(),
            default => format!("`{default}`"),
        };
        let cells = [&format!("`{}`", it.name), values(it), &it.unit, &default, &it.text];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

/// The options of a table, those of tables in it among them.
fn options(prefix: &str, table: &Value) -> Vec<Told> {
    let required = |key: &str| table["required"].as_array().is_some_and(|all| all.iter().any(|it| it == key));
    let mut options = Vec::new();
    for (key, property) in table["properties"].as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}");
        let inner = resolve(property);
        if inner["properties"].is_object() {
            options.extend(self::options(&format!("{name}."), inner));
        } else if resolve(&inner["additionalProperties"])["properties"].is_object() {
            let each = resolve(&inner["additionalProperties"]);
            options.extend(self::options(&format!("{name}.NAME."), each));
        } else if resolve(&inner["items"])["properties"].is_object() {
            options.extend(self::options(&format!("{name}[]."), resolve(&inner["items"])));
        } else {
            options.push(told(&name, property, required(key)));
        }
    }
    options
}

fn told(name: &str, property: &Value, required: bool) -> Told {
    let default = match property.get("default").filter(|default| !default.is_null()) {
        _ if required => "required".to_owned(),
        Some(default) => default.to_string(),
        None => String::new(),
    };
    let inner = resolve(property);
    Told {
        name: name.to_owned(),
        default,
        unit: unit(name, property),
        range: range(inner),
        datatype: datatype(inner),
        text: property["description"]
            .as_str()
            .unwrap_or_default()
            .split("\n\n")
            .next()
            .unwrap_or_default()
            .replace('\n', " "),
    }
}

/// Follows a reference, and takes what an option that may be left out is otherwise.
fn resolve(property: &Value) -> &Value {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return resolve(&schema()["$defs"][name]);
    }
    match alternatives(property).as_slice() {
        [only] => resolve(only),
        _ => property,
    }
}

/// What an option may be, beside left out.
fn alternatives(property: &Value) -> Vec<&Value> {
    let all = property["anyOf"].as_array().into_iter().flatten();
    all.filter(|alternative| alternative["type"] != "null").collect()
}

/// Said in the schema, or by the end of the name.
fn unit(name: &str, property: &Value) -> String {
    const ENDS: [(&str, &str); 11] = [
        ("_joules_per_kelvin", "J/K"),
        ("_watts_per_kelvin", "W/K"),
        ("_celsius", "°C"),
        ("_kelvin", "K"),
        ("_watts", "W"),
        ("_percent", "%"),
        ("_lux", "lx"),
        ("_hour", "h"),
        ("_bytes", "B"),
        ("_mb", "MiB"),
        ("_s", "s"),
    ];
    let said = property["x-unit"].as_str();
    said.or_else(|| ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, unit)| *unit))
        .unwrap_or("")
        .to_owned()
}

fn range(property: &Value) -> String {
    if let Some(values) = words(property) {
        return values;
    }
    let number = |key: &str| property[key].as_f64().map(|number| number.to_string());
    // What the type alone allows says nothing to a reader.
    let least =
        number("minimum").filter(|least| least != "0" || property["format"].as_str() == Some("double"));
    match (
        least.or_else(|| property["maximum"].is_number().then(|| number("minimum")).flatten()),
        number("maximum"),
    ) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => String::new(),
    }
}

/// The words of a choice.
fn words(property: &Value) -> Option<String> {
    let constants = |all: &Value| -> Option<Vec<String>> {
        all.as_array()?.iter().map(|it| it.get("const").map(ToString::to_string)).collect()
    };
    let listed =
        property["enum"].as_array().map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
    let words = listed.or_else(|| constants(&property["oneOf"]))?;
    Some(words.join(", "))
}

fn datatype(property: &Value) -> String {
    let alternatives = alternatives(property);
    if !alternatives.is_empty() {
        return alternatives.into_iter().map(datatype).collect::<Vec<_>>().join(" or ");
    }
    let name = property["type"].as_str().or_else(|| property["type"][0].as_str());
    match name {
        Some("number") => "number",
        Some("integer") => "whole number",
        Some("boolean") => "true, false",
        Some("array") => "list",
        Some("object") => "table",
        Some("string") => "text",
        _ => "any",
    }
    .to_owned()
}
