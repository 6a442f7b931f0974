//! From variables to the devices that hold them, one per group.

use super::{MAX_VARIABLES, VARIABLES, Variables};
use crate::config::{DeviceConfig, Problem, VariableConfig};
use crate::runtime::DeviceSpec;
use crate::{LabBuilder, Settings};
use std::collections::BTreeMap;

/// Longest descriptions of a group's variables together, in bytes: they travel in one `$info`, which has room
/// for 64 KiB and says more.
const MAX_DESCRIPTIONS: usize = 48 * 1024;

impl Variables {
    /// What is wrong with them. They are numbered from `first`, after the devices; `devices` tells which table
    /// has a device of that group and id.
    pub(crate) fn problems(&self, first: usize, devices: &BTreeMap<(String, String), usize>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, variable) in self.all().enumerate() {
            let table = first + at;
            let wrong = variable.check(table);
            let group = variable.group.as_deref().unwrap_or_default();
            if wrong.is_empty() {
                let size = sizes.entry(group).or_default();
                *size += description_bytes(variable);
                if *size > MAX_DESCRIPTIONS {
                    let message = format!(
                        "the variables of group `{group}` need more than {MAX_DESCRIPTIONS} bytes to describe"
                    );
                    problems
                        .push(Problem::new(table, &["group"], message).hint("put some into another group"));
                }
            }
            problems.extend(wrong);
            if let Some(other) = known.insert(variable.name(), at) {
                problems.push(self.twice(first, other, at, variable));
            }
            if let Some(device) = devices.get(&(group.to_owned(), VARIABLES.to_owned())) {
                let message =
                    format!("the variables of group `{group}` are the device `{VARIABLES}` already");
                let problem = Problem::new(*device, &["id"], message);
                problems
                    .push(problem.hint("give this device another `id`, or the variables another `group`"));
            }
        }
        if known.len() > MAX_VARIABLES {
            let message =
                format!("there are {} variables, at most {MAX_VARIABLES} are possible", known.len());
            problems.push(Problem::new(first, &[], message));
        }
        problems.dedup();
        problems
    }

    /// Two of one name. Of one that a user made the file knows no place: the table in the file is named.
    fn twice(&self, first: usize, other: usize, at: usize, variable: &VariableConfig) -> Problem {
        let (group, id) = (variable.group.as_deref().unwrap_or_default(), &variable.id);
        if other < self.declared.len() && at >= self.declared.len() {
            let message = format!("a variable `{id}` of group `{group}` was made in the page already");
            let hint =
                "give this one another `id`, or leave this table out until that one is deleted in the page";
            return Problem::new(first + other, &["id"], message).hint(hint);
        }
        let message = format!("there is already a variable `{id}` in group `{group}`");
        Problem::new(first + at, &["id"], message).hint("give one of them another `id` or `group`")
    }

    /// The devices that hold them, made by `lab`; `first` is the number of the first variable.
    pub(crate) fn specs(&self, lab: &LabBuilder, first: usize) -> Vec<DeviceSpec> {
        let mut groups: BTreeMap<&str, (usize, Vec<&VariableConfig>)> = BTreeMap::new();
        for (at, variable) in self.all().enumerate() {
            let group = variable.group.as_deref().unwrap_or_default();
            groups.entry(group).or_insert_with(|| (first + at, Vec::new())).1.push(variable);
        }
        let spec = |(group, (table, variables)): (&str, (usize, Vec<&VariableConfig>))| {
            let mut device = DeviceConfig::new(VARIABLES);
            // Each connection begins with all values: what waits from before would only be older.
            device.on_disk = false;
            device.settings = Settings::from_iter([(VARIABLES.to_owned(), serde_json::json!(variables))]);
            lab.spec(table, &device, group, VARIABLES.to_owned(), &self.kind)
        };
        groups.into_iter().map(spec).collect()
    }
}

fn description_bytes(variable: &VariableConfig) -> usize {
    serde_json::to_string(&variable.channel()).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_lab_wire::Datatype;

    fn told(variables: &[VariableConfig]) -> Vec<String> {
        let variables = Variables::new().declare("demo", variables);
        variables.problems(0, &BTreeMap::new()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_lab_has_a_bounded_number_of_variables() {
        let many = |count| -> Vec<_> {
            (0..count).map(|i| VariableConfig::new(format!("v{i}"), Datatype::Bool, true)).collect()
        };
        assert_eq!(told(&many(MAX_VARIABLES)), [""; 0]);
        let expected = "there are 257 variables, at most 256 are possible";
        assert_eq!(told(&many(MAX_VARIABLES + 1)), [expected]);
    }

    #[test]
    fn the_variables_of_a_group_fit_into_one_description() {
        let choices = |i: usize, group: &str| {
            let mut variable = VariableConfig::new(format!("v{i}"), Datatype::Choice, "");
            variable.choices = (0..64).map(|n| format!("{n:064}")).collect();
            variable.value = variable.choices[0].clone().into();
            variable.group = Some(group.into());
            variable
        };
        let mut variables: Vec<_> = (0..11).map(|i| choices(i, "demo")).collect();
        assert_eq!(told(&variables), [""; 0]);
        variables.push(choices(11, "other"));
        assert_eq!(told(&variables), [""; 0]);
        variables.push(choices(12, "demo"));
        let expected = "`group`: the variables of group `demo` need more than 49152 bytes to describe (hint: put some \
                        into another group)";
        assert_eq!(told(&variables), [expected]);
    }
}
