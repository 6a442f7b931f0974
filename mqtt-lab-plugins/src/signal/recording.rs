//! A column of a CSV file, replayed.

use mqtt_lab_core::prelude::*;
use mqtt_lab_core::read_text;
use serde::Serialize;
use std::fs;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Which column of a file: its number, counted from 1, or its heading.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Column {
    /// Its number, counted from 1. A first line without a number there is a heading.
    Number(usize),
    /// What stands in the first line.
    Heading(String),
}

/// What comes after the last value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AtEnd {
    /// The first one again.
    #[default]
    Loop,
    /// Nothing more.
    Stop,
}

/// The values of a column, in the order of the file.
#[derive(Debug)]
pub(super) struct Recording {
    values: Vec<f64>,
    next: usize,
    at_end: AtEnd,
}

impl Recording {
    /// Reads a column of a file.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is too large, has no such column or something else than numbers in it.
    pub(super) fn open(file: &str, column: &Column, separator: char, at_end: AtEnd) -> Result<Self> {
        let cannot =
            |error: std::io::Error| Error::new(format_args!("cannot read the recording `{file}`: {error}"));
        let about = fs::metadata(file).map_err(cannot)?;
        if !about.is_file() || about.len() > MAX_BYTES {
            let what = format_args!("the recording `{file}` must be a file of at most {MAX_BYTES} bytes");
            return Err(Error::new(what));
        }
        let text = read_text(file).map_err(cannot)?;
        let values = values(&text, column, separator);
        let values = values.map_err(|error| Error::new(format_args!("the recording `{file}`: {error}")))?;
        Ok(Self { values, next: 0, at_end })
    }

    /// The next value; `None` behind the last one.
    pub(super) fn next(&mut self) -> Option<f64> {
        if self.next == self.values.len() && self.at_end == AtEnd::Loop {
            self.next = 0;
        }
        let value = self.values.get(self.next).copied()?;
        self.next += 1;
        Some(value)
    }

    /// Goes back to the first value.
    pub(super) const fn rewind(&mut self) {
        self.next = 0;
    }
}

/// The numbers of a column. Empty lines and those that begin with `#` do not count.
fn values(text: &str, column: &Column, separator: char) -> Result<Vec<f64>> {
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    let mut lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')).peekable();
    let Some((first, heading)) = lines.peek().copied() else {
        return Err(Error::new("there is nothing in it"));
    };
    let index = index(&cells(heading, separator), column).map_err(|error| at(first, &error))?;
    let heading_cells = cells(heading, separator);
    let is_heading = heading_cells.get(index).is_some_and(|cell| number(cell, separator).is_none());
    if is_heading || matches!(column, Column::Heading(_)) {
        lines.next();
    }
    let values: Vec<f64> = lines.map(|(n, line)| value(n, line, index, separator)).collect::<Result<_>>()?;
    if values.is_empty() {
        return Err(Error::new("there are no values below the heading"));
    }
    Ok(values)
}

/// The place of the column in a line, counted from 0.
fn index(heading: &[String], column: &Column) -> Result<usize> {
    let n = heading.len();
    match column {
        Column::Number(number) if (1..=n).contains(number) => Ok(number - 1),
        Column::Number(number) => Err(Error::new(format_args!("there is no column {number}, there are {n}"))),
        Column::Heading(wanted) => heading.iter().position(|cell| cell == wanted).ok_or_else(|| {
            let there = heading.join("`, `");
            Error::new(format_args!("there is no column `{wanted}`, there are: `{there}`"))
        }),
    }
}

fn value(n: usize, line: &str, index: usize, separator: char) -> Result<f64> {
    let cells = cells(line, separator);
    let cell = cells.get(index).ok_or_else(|| {
        let there = cells.len();
        at(n, &format_args!("there is no column {}, the line has {there}", index + 1))
    })?;
    let number = number(cell, separator);
    number.ok_or_else(|| at(n, &format_args!("`{cell}` in column {} is no number", index + 1)))
}

/// A finite number; behind semicolons it may have a decimal comma.
fn number(cell: &str, separator: char) -> Option<f64> {
    let number = if separator == ';' { cell.replace(',', ".").parse() } else { cell.parse() };
    number.ok().filter(|number: &f64| number.is_finite())
}

/// The cells of a line, without the quotes around them; a separator within quotes does not separate.
fn cells(line: &str, separator: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match (c, cells.last_mut()) {
            ('"', _) => quoted = !quoted,
            (c, _) if c == separator && !quoted => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn at(line: usize, what: &impl std::fmt::Display) -> Error {
    Error::new(format_args!("line {line}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(text: &str) -> Column {
        Column::Heading(text.into())
    }

    #[track_caller]
    fn check(text: &str, column: &Column, separator: char, expected: &[f64]) {
        assert_eq!(values(text, column, separator), Ok(expected.to_vec()));
    }

    #[track_caller]
    fn refused(text: &str, column: &Column, expected: &str) {
        assert_eq!(values(text, column, ',').expect_err("a mistake").to_string(), expected);
    }

    #[test]
    fn a_column_is_found_by_number_and_by_heading() {
        let text = "time,\"room, north\"\n# calibrated\n0,20.5\n\n1,21\r\n";
        check(text, &Column::Number(2), ',', &[20.5, 21.0]);
        check(text, &heading("room, north"), ',', &[20.5, 21.0]);
        check("1\n2\n", &Column::Number(1), ',', &[1.0, 2.0]);
        check("\u{feff}Zeit;°C\n0;20,5\n", &heading("°C"), ';', &[20.5]);
    }

    #[test]
    fn a_mistake_has_its_line() {
        let text = "time,room\n0,20.5\n1,warm\n";
        refused(text, &heading("room"), "line 3: `warm` in column 2 is no number");
        refused(text, &heading("rom"), "line 1: there is no column `rom`, there are: `time`, `room`");
        refused(text, &Column::Number(3), "line 1: there is no column 3, there are 2");
        refused("a,b\n1,2\n3\n", &heading("b"), "line 3: there is no column 2, the line has 1");
        refused("a\nNaN\n", &heading("a"), "line 2: `NaN` in column 1 is no number");
        refused("a\n", &heading("a"), "there are no values below the heading");
        refused("\n", &heading("a"), "there is nothing in it");
    }
}
