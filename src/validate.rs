//! A file against the schema: every mistake, where it stands, what was expected, and what was probably meant.

use crate::locate::Step;
use mqtt_lab_core::config::{AddressError, bind_address, check_broker_address, check_page_address, nearest};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mistake {
    /// The key that is wrong, or the table in which one is missing.
    pub(crate) way: Vec<Step>,
    /// Where it stands.
    pub(crate) byte: usize,
    /// What was expected, and found.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

/// All mistakes of a document, in the order in which they stand.
pub(crate) fn mistakes(document: &DeTable<'_>, schema: &Value) -> Vec<Mistake> {
    let mut walk = Walk { schema, way: Vec::new(), mistakes: Vec::new() };
    walk.table(document, 0, schema);
    walk.mistakes.sort_by_key(|mistake| mistake.byte);
    walk.mistakes
}

/// Checks a text that must be an address; which one, its schema says.
fn address(text: &str, schema: &Value) -> Result<(), AddressError> {
    match schema["format"].as_str() {
        Some("bind-address") => bind_address(text).map(drop),
        Some("page-address") => check_page_address(text),
        Some("broker-address") => check_broker_address(text),
        _ => Ok(()),
    }
}

/// What to write instead of a table that there is not.
fn table_elsewhere(name: &str) -> Option<&'static str> {
    match name {
        "device" | "devices" => Some("what measures is a `[[sensor]]`, what acts is an `[[actuator]]`"),
        "inputs" | "will" | "channels" | "settings" => Some(
            "it belongs to one device: write it below its `[[sensor]]` or `[[actuator]]`, as `[sensor.…]`",
        ),
        _ => None,
    }
}

/// What to write instead of a key that other programs have for an address.
fn address_elsewhere(table: &str, name: &str) -> Option<&'static str> {
    if !["url", "address", "addresses", "host", "hosts", "port", "server", "bind"].contains(&name) {
        return None;
    }
    match table {
        "broker" => Some(
            "this program's own broker listens at `bind = \"address:port\"`; to use another broker write \
             `brokers = [\"address:port\"]` in `[mqtt]`",
        ),
        "mqtt" => Some("the broker is `brokers = [\"address:port\"]`"),
        "web" => Some("the page is served at `bind = \"address:port\"`"),
        _ => None,
    }
}

struct Walk<'a> {
    schema: &'a Value,
    way: Vec<Step>,
    mistakes: Vec<Mistake>,
}

impl<'a> Walk<'a> {
    fn wrong(&mut self, byte: usize, message: String, hint: Option<String>) {
        self.mistakes.push(Mistake { way: self.way.clone(), byte, message, hint });
    }

    /// The schema itself, not a reference to it, and without the alternative that it is missing.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.resolve(&self.schema["$defs"][name]);
        }
        let mut present = alternatives(schema).filter(|alternative| alternative["type"] != "null");
        match (present.next(), present.next()) {
            (Some(only), None) => self.resolve(only),
            _ => schema,
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, schema: &'a Value) {
        let schema = self.resolve(schema);
        let byte = value.span().start;
        match value.get_ref() {
            DeValue::Table(table) if is_object(schema) => self.table(table, byte, schema),
            DeValue::Array(elements) if has_type(schema, "array") => {
                for (index, element) in elements.iter().enumerate() {
                    self.way.push(Step::Index(index));
                    self.value(element, &schema["items"]);
                    self.way.pop();
                }
            }
            found if !self.fits(found, schema) => {
                let message = format!("expected {}, found {}", self.describe(schema), in_words(found));
                let hint = self.hint(found, schema);
                self.wrong(byte, message, hint);
            }
            DeValue::String(text) => {
                if let Err(error) = address(text, schema) {
                    self.wrong(byte, error.message, Some(error.hint));
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, table: &DeTable<'_>, byte: usize, schema: &'a Value) {
        let rule = rule_of(schema, table);
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name == "settings" && rule.is_some() {
                // The kind's own schema says more.
                continue;
            }
            self.way.push(Step::Key(name.to_owned()));
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(inner), _) => self.value(value, inner),
                (None, Value::Bool(false)) => self.unknown(name, key.span().start, schema, table),
                (None, others @ Value::Object(_)) => self.value(value, others),
                _ => {}
            }
            self.way.pop();
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if table.keys().all(|key| key.get_ref() != name) {
                let hint = match name {
                    "kind" => "add a line `kind = \"…\"`; `mqtt-lab kinds` lists the kinds".into(),
                    _ => format!("add a line `{name} = …`"),
                };
                self.wrong(byte, format!("the key `{name}` is missing"), Some(hint));
            }
        }
        if let Some(then) = rule
            && let Some((_, settings)) = table.iter().find(|(key, _)| key.get_ref() == "settings")
        {
            let outer = std::mem::replace(&mut self.schema, then);
            self.way.push(Step::Key("settings".into()));
            self.value(settings, then);
            self.way.pop();
            self.schema = outer;
        }
    }

    fn unknown(&mut self, name: &str, byte: usize, schema: &'a Value, written: &DeTable<'_>) {
        let known: Vec<&str> = keys(schema).collect();
        let table = match self.way.as_slice() {
            [Step::Key(table), Step::Key(_)] => table,
            _ => "",
        };
        if let Some(hint) = address_elsewhere(table, name) {
            return self.wrong(byte, format!("unknown key `{name}`"), Some(hint.to_owned()));
        }
        let at_top = self.way.len() == 1;
        let elsewhere = table_elsewhere(name).filter(|_| at_top).map(str::to_owned);
        let included = || {
            (name == "include" && !at_top).then(|| "write `include = […]` above the first table".to_owned())
        };
        let inside = || {
            let way = self.inner_way(name, schema, written);
            way.map(|way| format!("write `{way} = …`"))
        };
        if let Some(hint) = elsewhere.or_else(included).or_else(inside) {
            return self.wrong(byte, format!("unknown key `{name}`"), Some(hint));
        }
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match self.home_of(name) {
                Some(table) => format!("`{name}` is an option of {table}"),
                None if known.is_empty() => "there are no options here".into(),
                None => format!("the options here are: {}", known.join(", ")),
            },
        };
        self.wrong(byte, format!("unknown key `{name}`"), Some(hint));
    }

    /// The way to an option that is one level further in: `settings.start_celsius`, `will.topic`.
    fn inner_way(&self, name: &str, schema: &'a Value, written: &DeTable<'_>) -> Option<String> {
        let own = schema["properties"].as_object().into_iter().flatten();
        let mut tables: Vec<(&str, &Value)> = own
            .map(|(key, inner)| (key.as_str(), self.resolve(inner)))
            .filter(|(_, inner)| is_object(inner))
            .collect();
        if let Some(then) = rule_of(schema, written) {
            tables.push(("settings", then));
        }
        let has = |(_, inner): &&(&str, &Value)| keys(inner).any(|key| key == name);
        tables.iter().find(has).map(|(table, _)| format!("{table}.{name}"))
    }

    /// The tables that have such an option.
    fn home_of(&self, name: &str) -> Option<String> {
        let tables = self.schema["properties"].as_object()?;
        let homes = tables.iter().filter_map(|(table, schema)| {
            let (schema, written) = match schema.get("items") {
                Some(items) => (items, format!("`[[{table}]]`")),
                None => (schema, format!("`[{table}]`")),
            };
            keys(self.resolve(schema)).any(|key| key == name).then_some(written)
        });
        let homes: Vec<String> = homes.collect();
        (!homes.is_empty()).then(|| either(&homes))
    }

    fn fits(&self, value: &DeValue<'_>, schema: &'a Value) -> bool {
        if let Some(allowed) = allowed(schema) {
            return allowed.iter().any(|allowed| equal(value, allowed));
        }
        let mut several = alternatives(schema).peekable();
        if several.peek().is_some() {
            return several.any(|alternative| self.fits(value, self.resolve(alternative)));
        }
        match value {
            DeValue::String(_) => has_type(schema, "string"),
            DeValue::Boolean(_) => has_type(schema, "boolean"),
            DeValue::Integer(_) => {
                (has_type(schema, "integer") || has_type(schema, "number")) && in_range(value, schema)
            }
            DeValue::Float(_) => has_type(schema, "number") && in_range(value, schema),
            DeValue::Array(_) => has_type(schema, "array"),
            DeValue::Table(_) => is_object(schema),
            DeValue::Datetime(_) => schema.get("type").is_none(),
        }
    }

    /// What a schema asks for, in words.
    fn describe(&self, schema: &'a Value) -> String {
        if let Some(allowed) = allowed(schema) {
            return either(&allowed.iter().map(|value| value.to_string()).collect::<Vec<_>>());
        }
        let several: Vec<_> = alternatives(schema).map(|one| self.describe(self.resolve(one))).collect();
        if !several.is_empty() {
            return either(&several);
        }
        let range = match (bound(schema, "minimum"), bound(schema, "maximum")) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        };
        let names = [
            ("integer", "a whole number"),
            ("number", "a number"),
            ("string", "a text in quotes"),
            ("boolean", "true or false"),
            ("array", "a list"),
            ("object", "a table"),
        ];
        if let Some(several) = schema["type"].as_array().filter(|types| types.len() > 1) {
            let named = names.iter().filter(|(name, _)| several.iter().any(|one| one == name));
            return either(&named.map(|name| format!("{}{range}", name.1)).collect::<Vec<_>>());
        }
        let name =
            names.iter().find(|(name, _)| has_type(schema, name)).map_or("something else", |name| name.1);
        format!("{name}{range}")
    }

    fn hint(&self, found: &DeValue<'_>, schema: &'a Value) -> Option<String> {
        let name = self.way.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        let twin = allowed(schema).unwrap_or_default().into_iter().find(|value| is_twin(found, value));
        if let Some(twin) = twin {
            return Some(format!("write `{twin}`"));
        }
        match found {
            DeValue::String(text) => {
                let allowed = allowed(schema).unwrap_or_default();
                let words: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
                if let Some(near) = nearest(text, words) {
                    return Some(format!("did you mean `\"{near}\"`?"));
                }
                if let Some(first) = inner_text(schema) {
                    return Some(format!("it is a table: write `{}.{first} = {text:?}`", name?));
                }
                if has_type(schema, "array") {
                    let list = format!("[{text:?}]");
                    let listed = DeTable::parse(&format!("v = {list}")).is_ok_and(|document| {
                        document.get_ref().values().any(|value| self.fits(value.get_ref(), schema))
                    });
                    return listed.then(|| format!("put it in brackets: `{list}`"));
                }
                let bare = format!("v = {text}");
                let document = DeTable::parse(&bare).ok()?;
                let mut values = document.get_ref().values();
                let fits = values.any(|value| self.fits(value.get_ref(), schema));
                fits.then(|| format!("write it without quotes: `{text}`"))
            }
            DeValue::Array(_) if is_table(schema) && self.way.len() == 1 => {
                Some(format!("write `[{}]`, with one bracket on each side: there is one such table", name?))
            }
            DeValue::Integer(number) if is_table(schema) && keys(schema).any(|key| key == "qos") => {
                let way: Vec<&str> = self.way.iter().filter_map(Step::key).skip(1).collect();
                (!way.is_empty())
                    .then(|| format!("it is a table: write `{}.qos = {}`", way.join("."), number.as_str()))
            }
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if is_table(schema) => {
                let known: Vec<&str> = keys(schema).collect();
                (!known.is_empty()).then(|| format!("it is a table with the options: {}", known.join(", ")))
            }
            DeValue::Table(_) if has_type(schema, "array") && self.way.len() == 1 => {
                Some(format!("write `[[{}]]`, with two brackets", name?))
            }
            _ if schema.get("type").is_some()
                && has_type(schema, "string")
                && !matches!(found, DeValue::Table(_) | DeValue::Array(_)) =>
            {
                Some("put it in quotes".into())
            }
            _ => None,
        }
    }
}

/// A table and nothing else.
fn is_table(schema: &Value) -> bool {
    schema["type"] == "object"
}

/// The first option of a table that takes a text.
fn inner_text(schema: &Value) -> Option<&str> {
    let properties = schema["properties"].as_object().filter(|_| is_table(schema))?;
    let texts =
        || properties.iter().filter(|(_, inner)| inner.get("type").is_some() && has_type(inner, "string"));
    let first = texts().find(|(key, _)| *key == "topic").or_else(|| texts().next());
    first.map(|(key, _)| key.as_str())
}

fn keys(schema: &Value) -> impl Iterator<Item = &str> {
    schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().map(String::as_str))
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten())
}

fn is_object(schema: &Value) -> bool {
    has_type(schema, "object") || schema.get("properties").is_some() || schema == &Value::Bool(true)
}

/// Whether a schema names a type; one that names none takes all.
fn has_type(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => true,
    }
}

/// The values that a schema lists.
fn allowed(schema: &Value) -> Option<Vec<Value>> {
    if let Some(values) = schema["enum"].as_array() {
        return Some(values.iter().filter(|value| !value.is_null()).cloned().collect());
    }
    let constants: Option<Vec<Value>> = alternatives(schema).map(|one| one.get("const").cloned()).collect();
    constants
        .filter(|constants| !constants.is_empty())
        .or_else(|| schema.get("const").map(|one| vec![one.clone()]))
}

fn equal(value: &DeValue<'_>, json: &Value) -> bool {
    match (value, json) {
        (DeValue::String(text), Value::String(json)) => text.as_ref() == json,
        (DeValue::Boolean(value), Value::Bool(json)) => value == json,
        (DeValue::Integer(_), Value::Number(json)) => number(value) == json.as_f64(),
        _ => false,
    }
}

/// Whether it is the same with quotes as without.
fn is_twin(value: &DeValue<'_>, json: &Value) -> bool {
    match (value, json) {
        (DeValue::String(text), Value::Number(number)) => *text == number.to_string(),
        (DeValue::Integer(number), Value::String(text)) => number.as_str() == text,
        (DeValue::Float(number), Value::String(text)) => number.as_str() == text,
        _ => false,
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) =>
        {
            #[allow(clippy::cast_precision_loss, reason = "compared with the ends of a range")]
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|integer| integer as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

fn bound(schema: &Value, key: &str) -> Option<String> {
    if key == "maximum" && schema.get(key).is_none() && schema["format"] == "uint32" {
        return Some(u32::MAX.to_string());
    }
    let bound = schema.get(key)?.as_f64()?;
    // The ends of a computer's own types are of no interest to a person.
    (bound.abs() < 5e9).then(|| bound.to_string())
}

fn in_range(value: &DeValue<'_>, schema: &Value) -> bool {
    let Some(number) = number(value) else { return false };
    let end = |key: &str| {
        let said = schema.get(key).and_then(Value::as_f64);
        said.or_else(|| (key == "maximum" && schema["format"] == "uint32").then_some(f64::from(u32::MAX)))
    };
    end("minimum").is_none_or(|min| number >= min) && end("maximum").is_none_or(|max| number <= max)
}

/// The schema of the settings that a device's kind has.
fn rule_of<'a>(schema: &'a Value, table: &DeTable<'_>) -> Option<&'a Value> {
    let mut rules = schema["allOf"].as_array()?.iter();
    rules.find(|rule| applies(&rule["if"], table)).map(|rule| &rule["then"]["properties"]["settings"])
}

/// Whether the condition of a rule holds: a property is what it must be, or is not there.
fn applies(condition: &Value, table: &DeTable<'_>) -> bool {
    let find =
        |name: &str| table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value.get_ref());
    let properties = condition["properties"].as_object().into_iter().flatten();
    properties.into_iter().all(|(name, wanted)| match (find(name), wanted) {
        (None, Value::Bool(false)) => true,
        (Some(value), Value::Object(_)) => equal(value, &wanted["const"]),
        _ => false,
    })
}

fn either(words: &[String]) -> String {
    match words {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn in_words(value: &DeValue<'_>) -> String {
    const LONGEST: usize = 40;
    match value {
        DeValue::String(text) => {
            let short: String = text.chars().take(LONGEST).collect();
            let more = if text.chars().count() > LONGEST { "…" } else { "" };
            format!("the text {:?}{more}", short)
        }
        DeValue::Integer(integer) => integer.as_str().to_owned(),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

#[cfg(test)]
mod tests;
