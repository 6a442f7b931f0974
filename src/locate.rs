//! Where in a TOML file a key stands.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// One step on the way to a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A key of a table.
    Key(String),
    /// An element of an array, counted from 0.
    Index(usize),
}

impl Step {
    /// The key, unless it is an element.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

/// Removes what stands at the end of the way: the last key on it, with whatever it holds.
pub(crate) fn remove(document: &mut toml::Table, way: &[Step]) {
    let Some(last) = way.iter().rposition(|step| step.key().is_some()) else { return };
    let mut table = document;
    let mut steps = way[..last].iter().peekable();
    while let Some(step) = steps.next() {
        let Some(value) = step.key().and_then(|key| table.get_mut(key)) else { return };
        let inner = match (value, steps.peek()) {
            (toml::Value::Array(elements), Some(Step::Index(index))) => {
                steps.next();
                elements.get_mut(*index).and_then(toml::Value::as_table_mut)
            }
            (value, _) => value.as_table_mut(),
        };
        let Some(inner) = inner else { return };
        table = inner;
    }
    if let Some(key) = way[last].key() {
        table.remove(key);
    }
}

/// Line and column of a byte, both counted from 1; columns count characters.
pub(crate) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The bytes of the deepest key on the way that exists.
pub(crate) fn find(text: &str, way: &[Step]) -> Option<Range<usize>> {
    follow(text, way).map(|(found, _)| found)
}

/// The bytes of the key at the end of the way, if it is there.
pub(crate) fn exactly(text: &str, way: &[Step]) -> Option<Range<usize>> {
    follow(text, way).filter(|(_, steps)| *steps == way.len()).map(|(found, _)| found)
}

/// The bytes of the last thing on the way that exists, and how many steps lead there.
fn follow(text: &str, way: &[Step]) -> Option<(Range<usize>, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut place: Option<&DeValue<'_>> = None;
    for (at, step) in way.iter().enumerate() {
        let next = match (place, step) {
            (None, Step::Key(name)) => member(document.get_ref(), name),
            (Some(DeValue::Table(table)), Step::Key(name)) => member(table, name),
            (Some(DeValue::Array(elements)), Step::Index(index)) => {
                elements.get(*index).map(|element| (element.span(), element.get_ref()))
            }
            _ => None,
        };
        let Some((span, value)) = next else { break };
        (found, place) = (Some((span, at + 1)), Some(value));
    }
    found
}

/// A key's bytes, and its value.
fn member<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<(Range<usize>, &'a DeValue<'i>)> {
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some((key.span(), value.get_ref()))
}

/// The byte of the first key that holds a secret.
pub(crate) fn first_secret(text: &str) -> Option<usize> {
    fn in_value(value: &DeValue<'_>) -> Option<usize> {
        match value {
            DeValue::Table(table) => in_table(table),
            DeValue::Array(elements) => elements.iter().find_map(|element| in_value(element.get_ref())),
            _ => None,
        }
    }
    fn in_table(table: &DeTable<'_>) -> Option<usize> {
        let secret = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
            let is_text = matches!(value.get_ref(), DeValue::String(text) if !text.is_empty());
            let own = (is_text && is_secret(key.get_ref())).then(|| key.span().start);
            own.or_else(|| in_value(value.get_ref()))
        };
        table.iter().filter_map(secret).min()
    }
    in_table(DeTable::parse(text).ok()?.get_ref())
}

/// Whether a key holds a secret.
pub(crate) fn is_secret(key: &str) -> bool {
    key == "password" || key == "token"
}

/// The key at a byte, with all that lead to it: `sensor.settings.seed`.
pub(crate) fn key_at(text: &str, byte: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    descend(document.get_ref(), byte, &mut path);
    (!path.is_empty()).then(|| path.join("."))
}

fn descend(table: &DeTable<'_>, byte: usize, path: &mut Vec<String>) -> bool {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let here = key.span().contains(&byte);
        if inside(value.get_ref(), byte, path) || here || value.span().contains(&byte) {
            return true;
        }
        path.pop();
    }
    false
}

fn inside(value: &DeValue<'_>, byte: usize, path: &mut Vec<String>) -> bool {
    match value {
        DeValue::Table(table) => descend(table, byte, path),
        DeValue::Array(elements) => elements.iter().any(|element| inside(element.get_ref(), byte, path)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[lab]\nname = \"x\"\n\n[[sensor]]\nkind = \"a\"\n\n[[sensor]]\nkind = \"b\"\n\
                        [sensor.settings]\n\"stüp\" = 1\n";

    fn position(way: &[Step]) -> Option<(usize, usize)> {
        find(FILE, way).map(|span| line_and_column(FILE, span.start))
    }

    fn way(sensor: usize, keys: &[&str]) -> Vec<Step> {
        let keys = keys.iter().map(|key| Step::Key((*key).into()));
        [Step::Key("sensor".into()), Step::Index(sensor)].into_iter().chain(keys).collect()
    }

    #[test]
    fn a_key_is_found_in_its_own_table_of_the_array() {
        assert_eq!(position(&way(0, &["kind"])), Some((5, 1)));
        assert_eq!(position(&way(1, &["kind"])), Some((8, 1)));
        assert_eq!(position(&way(1, &["settings", "stüp"])), Some((10, 1)));
    }

    #[test]
    fn a_missing_key_is_shown_at_its_table() {
        assert_eq!(position(&way(1, &["id"])).map(|(line, _)| line), Some(7));
        assert_eq!(position(&way(1, &["settings", "seed"])), Some((9, 9)));
    }

    #[test]
    fn a_byte_tells_its_key() {
        let byte = FILE.find("= 1").expect("it is there") + 2;
        assert_eq!(key_at(FILE, byte).as_deref(), Some("sensor.settings.stüp"));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("ä = 1\nöö = 2", "ä = 1\nöö".len()), (2, 3));
    }
}
