//! What is wrong with a line that is no TOML, and what was probably meant.

use crate::locate;
use toml::de::DeTable;

/// Where the mistake stands, what it is, and what to do.
pub(super) type Wrong = (usize, String, Option<String>);

/// Every line of `errors` once: what follows from the first mistake of a line says nothing.
pub(super) fn mistakes(text: &str, errors: &[toml::de::Error]) -> Vec<Wrong> {
    let mut found: Vec<Wrong> = Vec::new();
    let mut lines = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let byte = span.start;
        let line = locate::line_and_column(text, byte).0;
        if lines.contains(&line) {
            continue;
        }
        lines.push(line);
        let written = text.lines().nth(line - 1).unwrap_or_default();
        let message = no_value(written).unwrap_or_else(|| error.message().replace('\n', ", "));
        let twice = (error.message() == "duplicate key").then(|| twice(written));
        found.push((byte, message, twice.or_else(|| advice(written))));
    }
    found
}

/// What is wrong with a value without quotes: the parser takes it for the beginning of something else.
fn no_value(line: &str) -> Option<String> {
    let (_, value) = line.split('#').next()?.split_once('=')?;
    let value = value.trim();
    let is_bare = |c: char| c.is_alphanumeric() || matches!(c, '.' | ',' | '-' | '_' | ' ' | '/' | ':');
    if !value.chars().all(is_bare) || DeTable::parse(&format!("v = {value}")).is_ok() {
        return None;
    }
    Some(if value.is_empty() { "there is no value".to_owned() } else { format!("`{value}` is not a value") })
}

/// What to do about a key or a table that stands twice.
fn twice(line: &str) -> String {
    match line.trim().starts_with('[') {
        true => "a table stands once: write these lines below the first one".to_owned(),
        false => "a key stands once in its table: remove one of the two lines".to_owned(),
    }
}

/// What to write instead of a line.
fn advice(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    if line.contains(['“', '”', '„', '‘', '’']) {
        let right = line.replace(['“', '”', '„', '‘', '’'], "\"");
        return Some(format!("use straight quotes: `{right}`"));
    }
    let Some((key, value)) = line.split_once('=') else {
        return without_equals(line);
    };
    let (key, value) = (key.trim(), value.trim());
    if let Some(number) = decimal_comma(value) {
        return Some(format!("write a decimal point: `{key} = {number}`"));
    }
    if ["true", "false"].contains(&value.to_lowercase().as_str()) {
        return Some(format!("write `{key} = {}`", value.to_lowercase()));
    }
    if key.contains(' ') && !key.contains(['"', '\'']) {
        return Some(format!("a key has no blanks: `{} = {value}`", key.replace(' ', "_")));
    }
    let quoted = format!("{key} = \"{value}\"");
    let is_bare = !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '\\']);
    if is_bare && DeTable::parse(&quoted).is_ok() && DeTable::parse(&format!("{key} = {value}")).is_err() {
        return Some(format!("put it in quotes: `{quoted}`"));
    }
    if value.contains('\\') && DeTable::parse(&format!("{key} = {value}")).is_err() {
        return Some(format!("a backslash needs single quotes: `{key} = '{}'`", value.trim_matches('"')));
    }
    None
}

fn without_equals(line: &str) -> Option<String> {
    if line.starts_with('[') {
        let name: String = line.chars().filter(|c| !matches!(c, '[' | ']')).collect();
        let brackets = if line.starts_with("[[") { ("[[", "]]") } else { ("[", "]") };
        let right = format!("{}{}{}", brackets.0, name.trim(), brackets.1);
        return (right != line).then(|| format!("write `{right}`"));
    }
    let (key, value) = line.split_once(':')?;
    if value.trim().is_empty() {
        return Some(format!("write a table as `[{}]`, and its options as `key = value`", key.trim()));
    }
    let right = format!("{} = {}", key.trim(), value.trim());
    let quoted = format!("{} = \"{}\"", key.trim(), value.trim());
    [right, quoted]
        .into_iter()
        .find(|line| DeTable::parse(line).is_ok())
        .map(|right| format!("write `{right}`"))
}

/// `0,5` as `0.5`.
fn decimal_comma(value: &str) -> Option<String> {
    let (whole, rest) = value.split_once(',')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    (digits(unsigned) && digits(rest.trim())).then(|| format!("{whole}.{}", rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let (_, errors) = DeTable::parse_recoverable(line);
        let found = mistakes(line, &errors);
        assert_eq!(found.first().and_then(|wrong| wrong.2.as_deref()), Some(expected), "{line}: {found:?}");
    }

    #[test]
    fn what_was_meant_by_a_line_is_told() {
        check("interval_s = 0,5", "write a decimal point: `interval_s = 0.5`");
        check("x = -12,25 # half", "write a decimal point: `x = -12.25`");
        check("kind = temperature", "put it in quotes: `kind = \"temperature\"`");
        check("retain = True", "write `retain = true`");
        check("kind = “led”", "use straight quotes: `kind = \"led\"`");
        check("kind: led", "write `kind = \"led\"`");
        check("lab:", "write a table as `[lab]`, and its options as `key = value`");
        check("qos: 1", "write `qos = 1`");
        check("[[sensor]", "write `[[sensor]]`");
        check("[lab", "write `[lab]`");
        check("interval s = 2", "a key has no blanks: `interval_s = 2`");
        check(r#"url = "C:\data\lab.db""#, r"a backslash needs single quotes: `url = 'C:\data\lab.db'`");
    }

    #[test]
    fn a_line_is_told_once() {
        let text = "a = 0,5\nb = 1\nc = 2,5\n";
        let (_, errors) = DeTable::parse_recoverable(text);
        let lines: Vec<_> =
            mistakes(text, &errors).iter().map(|wrong| locate::line_and_column(text, wrong.0).0).collect();
        assert_eq!(lines, [1, 3]);
    }
}
