//! The `[[variable]]` tables.

use super::Problem;
use mqtt_lab_wire::{Channel, Datatype, Value, check_word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest label, in characters.
const MAX_LABEL: usize = 100;
/// Longest unit, in characters.
const MAX_UNIT: usize = 32;
/// Most choices, and the longest of them in characters.
const MAX_CHOICES: usize = 64;
const MAX_CHOICE: usize = 64;

/// A `[[variable]]` table: a control variable of the user's own, on `<root>/<group>/variables/<id>`. Its value is
/// kept over a restart where a database is, and devices follow it by `inputs`.
///
/// ```
/// # use mqtt_lab_core::{Datatype, config::VariableConfig};
/// let mut set_point = VariableConfig::new("set-point", Datatype::Float, 21.0);
/// (set_point.unit, set_point.min, set_point.max) = (Some("°C".into()), Some(5.0), Some(35.0));
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableConfig {
    /// Name of the variable in its topic, of `a-z 0-9 -`.
    pub id: String,
    /// Group of the variable, the second level of its topic. Default: the lab's.
    pub group: Option<String>,
    /// What a person calls it.
    pub label: Option<String>,
    /// What its values are: `"float"`, `"int"`, `"bool"`, `"text"`, `"choice"` or `"color"`.
    #[schemars(schema_with = "super::schema::datatype")]
    pub datatype: Datatype,
    /// Unit of a number as SI writes it: `"°C"`, `"%"`, `"W"`.
    pub unit: Option<String>,
    /// Lowest number, in `unit`.
    pub min: Option<f64>,
    /// Highest number, in `unit`.
    pub max: Option<f64>,
    /// Distance between two numbers that the page offers, in `unit`.
    pub step: Option<f64>,
    /// The texts that a choice takes.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The value at the first start; later the last one that was set.
    #[schemars(schema_with = "super::schema::value")]
    pub value: Value,
}

impl VariableConfig {
    /// A variable with its first value, without unit and range.
    #[must_use]
    pub fn new(id: impl Into<String>, datatype: Datatype, value: impl Into<Value>) -> Self {
        Self {
            id: id.into(),
            group: None,
            label: None,
            datatype,
            unit: None,
            min: None,
            max: None,
            step: None,
            choices: Vec::new(),
            value: value.into(),
        }
    }

    /// The channel by which it travels, without a value.
    pub(crate) fn channel(&self) -> Channel {
        let mut channel = Channel::new(self.id.clone(), self.datatype).settable();
        channel.label = self.label.clone().map(Into::into);
        channel.unit = self.unit.clone().map(Into::into);
        (channel.min, channel.max, channel.step) = (self.min, self.max, self.step);
        channel.choices = self.choices.iter().map(|choice| choice.clone().into()).collect();
        channel
    }

    /// `group/id`; the group is filled in.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.group.as_deref().unwrap_or_default(), self.id)
    }

    /// What is wrong with it, told of the table with the number `table`.
    pub(crate) fn check(&self, table: usize) -> Vec<Problem> {
        let mut wrong = Wrong { table, problems: Vec::new() };
        self.check_names(&mut wrong);
        self.check_numbers(&mut wrong);
        self.check_choices(&mut wrong);
        if wrong.problems.is_empty()
            && let Err(error) = self.channel().check(self.value.as_ref())
        {
            let value: String = self.value.to_string().chars().take(80).collect();
            wrong.add("value", format!("`{value}` is no value of this variable: {error}"));
        }
        wrong.problems
    }

    fn check_names(&self, wrong: &mut Wrong) {
        for (key, word) in [("id", Some(&self.id)), ("group", self.group.as_ref())] {
            let Some(word) = word else { continue };
            match check_word(word) {
                Err(error) => wrong.add(key, format!("`{word}` cannot be part of a topic: {error}")),
                Ok(()) if word.starts_with('$') => {
                    wrong
                        .add(key, format!("`{word}` begins with `$`, which marks the framework's own names"));
                }
                // They would read as commands to the device itself.
                Ok(()) if key == "id" && (word == "set" || word == "result") => {
                    wrong.add(key, format!("`{word}` cannot be the name of a variable: commands use it"));
                }
                Ok(()) => {}
            }
        }
        let texts = [("label", &self.label, MAX_LABEL), ("unit", &self.unit, MAX_UNIT)];
        for (key, text, longest) in texts {
            if let Some(text) = text.as_deref().filter(|text| !is_line(text, longest)) {
                let short: String = text.chars().take(40).collect();
                wrong.add(key, format!("`{short}` must have 1 to {longest} characters in one line"));
            }
        }
    }

    fn check_numbers(&self, wrong: &mut Wrong) {
        let is_number = matches!(self.datatype, Datatype::Float | Datatype::Int);
        let ends = [("min", self.min), ("max", self.max), ("step", self.step)];
        let given = ends.iter().filter(|(_, end)| end.is_some()).map(|(key, _)| *key);
        for key in given.chain(self.unit.as_ref().map(|_| "unit")).filter(|_| !is_number) {
            wrong.add(key, format!("only numbers have it, not the datatype `{}`", self.datatype));
        }
        for (key, end) in ends {
            if end.is_some_and(|end| !end.is_finite()) {
                wrong.add(key, "NaN and infinity are not numbers to measure with".into());
            }
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            wrong.add("max", format!("the range ends at {max}, below its start {min}"));
        }
        if self.step.is_some_and(|step| step <= 0.0) {
            wrong.add("step", "it must be above 0".into());
        }
    }

    fn check_choices(&self, wrong: &mut Wrong) {
        let many = self.choices.len();
        match self.datatype {
            Datatype::Choice if !(1..=MAX_CHOICES).contains(&many) => {
                wrong.add("choices", format!("a choice has 1 to {MAX_CHOICES} texts, not {many}"));
            }
            Datatype::Choice => {
                for (at, choice) in self.choices.iter().enumerate() {
                    if !is_line(choice, MAX_CHOICE) {
                        let rule = format!("a text has 1 to {MAX_CHOICE} characters in one line");
                        wrong.add("choices", format!("choice {}: {rule}", at + 1));
                    } else if self.choices[..at].contains(choice) {
                        wrong.add("choices", format!("`{choice}` is there twice"));
                    }
                }
            }
            _ if many > 0 => {
                wrong.add("choices", format!("only a choice has them, not the datatype `{}`", self.datatype));
            }
            _ => {}
        }
    }
}

/// Whether it is 1 to `longest` characters in one line.
fn is_line(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= longest && !text.contains(char::is_control)
}

/// Collects what is wrong with one table.
struct Wrong {
    table: usize,
    problems: Vec<Problem>,
}

impl Wrong {
    fn add(&mut self, key: &str, message: String) {
        self.problems.push(Problem::new(self.table, &[key], message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, expected: &[&str]) {
        let variable: VariableConfig = toml::from_str(toml).expect("a table");
        let told: Vec<_> = variable.check(0).iter().map(ToString::to_string).collect();
        assert_eq!(told, expected, "{toml}");
    }

    #[test]
    fn every_datatype_has_its_own_options() {
        for right in [
            "id = \"a\"\ndatatype = \"float\"\nunit = \"°C\"\nmin = 5\nmax = 35\nstep = 0.5\nvalue = 21",
            "id = \"a\"\ndatatype = \"int\"\nmin = -1\nvalue = 0",
            "id = \"a\"\ndatatype = \"bool\"\nvalue = true",
            "id = \"a\"\ndatatype = \"text\"\nvalue = \"\"\nlabel = \"What it says\"",
            "id = \"a\"\ndatatype = \"choice\"\nchoices = [\"on\", \"off\"]\nvalue = \"off\"",
            "id = \"a\"\ndatatype = \"color\"\nvalue = \"#ff8000\"",
        ] {
            check(right, &[]);
        }
        check(
            "id = \"a\"\ndatatype = \"bool\"\nunit = \"V\"\nmin = 0\nchoices = [\"x\"]\nvalue = true",
            &[
                "`min`: only numbers have it, not the datatype `bool`",
                "`unit`: only numbers have it, not the datatype `bool`",
                "`choices`: only a choice has them, not the datatype `bool`",
            ],
        );
    }

    #[test]
    fn a_value_must_fit() {
        check(
            "id = \"a\"\ndatatype = \"float\"\nmin = 5\nmax = 35\nvalue = 40.5",
            &["`value`: `40.5` is no value of this variable: expected a number from 5 to 35"],
        );
        check(
            "id = \"a\"\ndatatype = \"choice\"\nchoices = [\"on\"]\nvalue = \"off\"",
            &["`value`: `off` is no value of this variable: expected one of the channel's choices"],
        );
        check(
            "id = \"a\"\ndatatype = \"int\"\nvalue = 2.5",
            &["`value`: `2.5` is no value of this variable: expected a whole number"],
        );
    }

    #[test]
    fn names_ranges_and_choices_are_bounded() {
        check(
            "id = \"Set Point\"\ngroup = \"$x\"\nlabel = \"\"\ndatatype = \"float\"\nmin = 2\nmax = 1\nstep = 0\nvalue = 1",
            &[
                "`id`: `Set Point` cannot be part of a topic: a name has 1 to 64 of the characters `a-z`, `0-9` and `-`",
                "`group`: `$x` begins with `$`, which marks the framework's own names",
                "`label`: `` must have 1 to 100 characters in one line",
                "`max`: the range ends at 1, below its start 2",
                "`step`: it must be above 0",
            ],
        );
        check(
            "id = \"set\"\ndatatype = \"float\"\nmax = inf\nvalue = 1",
            &[
                "`id`: `set` cannot be the name of a variable: commands use it",
                "`max`: NaN and infinity are not numbers to measure with",
            ],
        );
        check(
            "id = \"a\"\ndatatype = \"choice\"\nchoices = [\"x\", \"x\", \" \"]\nvalue = \"x\"",
            &[
                "`choices`: `x` is there twice",
                "`choices`: choice 3: a text has 1 to 64 characters in one line",
            ],
        );
        check(
            "id = \"a\"\ndatatype = \"choice\"\nvalue = \"x\"",
            &["`choices`: a choice has 1 to 64 texts, not 0"],
        );
    }
}
