//! The user's own control variables: channels that nobody measures and everybody may set, for devices to follow.
//!
//! The variables of a group are the channels of one device, called `variables`: it has a connection, a last
//! will and a description as every device has, takes commands, and keeps what was set.

mod changing;
mod device;
mod memory;
mod specs;

use crate::config::VariableConfig;
use crate::{Kind, Result};
use memory::Values;
use std::sync::Arc;

pub use changing::VariableError;
pub(crate) use device::description_of;
pub use memory::{KeptVariable, VariableMemory};

/// The device that holds the variables of a group, and its kind.
pub const VARIABLES: &str = "variables";

/// Most variables of a lab. Each is a channel, of which a device may have as many.
pub const MAX_VARIABLES: usize = mqtt_lab_wire::MAX_CHANNELS;

/// The variables of a lab: those of its file and those that users made.
///
/// ```
/// use mqtt_lab_core::{Datatype, Lab, Variables, config::VariableConfig};
///
/// let set_point = VariableConfig::new("set-point", Datatype::Float, 21.0);
/// let variables = Variables::new().declare("demo", &[set_point]);
/// let lab = Lab::builder().broker("127.0.0.1:1883").variables(&variables).build()?;
/// # Ok::<(), mqtt_lab_core::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Variables {
    /// One for all labs of the same variables, or they would not take over from each other.
    kind: Kind,
    values: Arc<Values>,
    /// Of the file; the group is filled in, as in `own`.
    declared: Vec<VariableConfig>,
    own: Vec<VariableConfig>,
}

impl Variables {
    /// No variables, and none that is added keeps its value over a restart.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Values::default(), Vec::new())
    }

    /// The variables that users made, with the values they had, which go on being kept there.
    ///
    /// # Errors
    ///
    /// That of the memory.
    pub async fn remembered(memory: Arc<dyn VariableMemory>) -> Result<Self> {
        let mut own = Vec::new();
        let mut values = Vec::new();
        for KeptVariable { group, id, definition, value } in memory.load().await? {
            if let Some(mut variable) = definition {
                (variable.group, variable.id) = (Some(group.clone()), id.clone());
                match variable.check(0).first() {
                    None => own.push(variable),
                    Some(problem) => {
                        tracing::error!(variable = variable.name(), %problem, "a kept variable is left out")
                    }
                }
            }
            values.extend(value.map(|value| ((group, id), value)));
        }
        Ok(Self::over(Values::new(memory, values.into_iter()), own))
    }

    fn over(values: Values, own: Vec<VariableConfig>) -> Self {
        let values = Arc::new(values);
        Self { kind: device::kind(Arc::clone(&values)), values, declared: Vec::new(), own }
    }

    /// The same with those of a file, in the place of the ones that a file had before. Those that name no group
    /// belong to `group`.
    #[must_use]
    pub fn declare(&self, group: &str, declared: &[VariableConfig]) -> Self {
        let fill = |variable: &VariableConfig| VariableConfig {
            group: variable.group.clone().or_else(|| Some(group.to_owned())),
            ..variable.clone()
        };
        Self { declared: declared.iter().map(fill).collect(), ..self.clone() }
    }

    /// Those of the file, then those of users, each with its group.
    pub fn all(&self) -> impl Iterator<Item = &VariableConfig> {
        self.declared.iter().chain(&self.own)
    }

    /// Whether a variable stands in the file, where alone it can be changed.
    #[must_use]
    pub fn is_declared(&self, group: &str, id: &str) -> bool {
        self.declared.iter().any(|variable| is(variable, group, id))
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self::new()
    }
}

fn is(variable: &VariableConfig, group: &str, id: &str) -> bool {
    variable.id == id && variable.group.as_deref() == Some(group)
}
