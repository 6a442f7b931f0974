//! Where variables are kept over a restart.

use crate::config::VariableConfig;
use crate::{Error, Result, Value};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the memory. Well below the time after which a device counts as hung.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps the variables of a lab over a restart: a database, to a program that has one.
///
/// # Contract
///
/// - What a method returned `Ok` for survives the kill of the process.
/// - `keep` is called for every value that is set, before the answer to whoever set it.
#[async_trait]
pub trait VariableMemory: Send + Sync + 'static {
    /// Everything that is kept.
    async fn load(&self) -> Result<Vec<KeptVariable>>;

    /// Keeps what a user made, in the place of what he had made under its name. A value stays.
    async fn define(&self, variable: &VariableConfig) -> Result<()>;

    /// Keeps the value of a variable.
    async fn keep(&self, group: &str, id: &str, value: &Value) -> Result<()>;

    /// Forgets a variable, what it is and its value.
    async fn forget(&self, group: &str, id: &str) -> Result<()>;
}

/// What is kept of one variable.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptVariable {
    /// Its group, the second level of its topic.
    pub group: String,
    /// Its name in the group: the channel of the device `variables`.
    pub id: String,
    /// What a user made it; none: the lab's file says what it is.
    pub definition: Option<VariableConfig>,
    /// The last value that was set; none: it has its first one.
    pub value: Option<Value>,
}

/// The values that hold, with the memory behind them, if there is one.
#[derive(Default)]
pub(super) struct Values {
    memory: Option<Arc<dyn VariableMemory>>,
    /// By group and id.
    set: Mutex<BTreeMap<(String, String), Value>>,
}

impl Values {
    pub(super) fn new(
        memory: Arc<dyn VariableMemory>,
        set: impl Iterator<Item = ((String, String), Value)>,
    ) -> Self {
        Self { memory: Some(memory), set: Mutex::new(set.collect()) }
    }

    /// The value of a variable: the last one that was set, if it fits, else its first one.
    pub(super) fn of(&self, variable: &VariableConfig) -> Value {
        let channel = variable.channel();
        let set = self.set();
        let fits = set.get(&key(variable)).and_then(|kept| channel.check(kept.as_ref()).ok());
        fits.map_or_else(|| first(variable), Value::from)
    }

    /// Gives up a value from before that does not fit what the variable is now, for good: it would come back
    /// when the variable is once more what it was.
    pub(super) async fn settle(&self, variable: &VariableConfig) {
        let kept = self.set().get(&key(variable)).cloned();
        let Some(kept) = kept else { return };
        let Err(error) = variable.channel().check(kept.as_ref()) else { return };
        let (name, first) = (variable.name(), first(variable));
        tracing::warn!(
            variable = name,
            %error,
            "the value `{kept}` from before does not fit any more; the variable starts with `{first}`"
        );
        if let Err(error) = self.keep(variable, &first).await {
            tracing::error!(variable = name, %error, "after a restart this is tried again");
        }
    }

    /// Keeps a value that was set; nothing to do where it is the same.
    pub(super) async fn keep(&self, variable: &VariableConfig, value: &Value) -> Result<()> {
        if self.set().get(&key(variable)) == Some(value) {
            return Ok(());
        }
        let group = variable.group.as_deref().unwrap_or_default();
        if let Some(memory) = &self.memory {
            in_time("keep the value", memory.keep(group, &variable.id, value)).await?;
        }
        self.set().insert(key(variable), value.clone());
        Ok(())
    }

    /// Keeps what a user made.
    pub(super) async fn define(&self, variable: &VariableConfig) -> Result<()> {
        match &self.memory {
            Some(memory) => in_time("keep the variable", memory.define(variable)).await,
            None => Ok(()),
        }
    }

    /// Forgets a variable.
    pub(super) async fn forget(&self, variable: &VariableConfig) -> Result<()> {
        let group = variable.group.as_deref().unwrap_or_default();
        if let Some(memory) = &self.memory {
            in_time("forget the variable", memory.forget(group, &variable.id)).await?;
        }
        self.set().remove(&key(variable));
        Ok(())
    }

    fn set(&self) -> MutexGuard<'_, BTreeMap<(String, String), Value>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("set", &self.set()).finish_non_exhaustive()
    }
}

/// The first value in the variable's datatype.
fn first(variable: &VariableConfig) -> Value {
    let checked = variable.channel().check(variable.value.as_ref()).map(Value::from);
    checked.unwrap_or_else(|_| variable.value.clone())
}

async fn in_time(what: &str, answer: impl Future<Output = Result<()>>) -> Result<()> {
    let late = |_| Err(Error::new(format_args!("no answer within {PATIENCE:?}")));
    let answer = timeout(PATIENCE, answer).await.unwrap_or_else(late);
    answer.map_err(|error| Error::new(format_args!("the storage cannot {what}: {error}")))
}

fn key(variable: &VariableConfig) -> (String, String) {
    (variable.group.clone().unwrap_or_default(), variable.id.clone())
}
