//! The store as the memory of variables.

use std::sync::Arc;

use async_trait::async_trait;
use mqtt_lab_core::config::VariableConfig;
use mqtt_lab_core::{KeptVariable, Result, VariableMemory};
use mqtt_lab_wire::Value;

use crate::store::{SavedVariable, Store};

/// A store as the memory of variables.
pub(crate) struct StoredVariables(pub(crate) Arc<dyn Store>);

#[async_trait]
impl VariableMemory for StoredVariables {
    async fn load(&self) -> Result<Vec<KeptVariable>> {
        Ok(self.0.variables().await?.into_iter().map(kept).collect())
    }

    async fn define(&self, variable: &VariableConfig) -> Result<()> {
        let group = variable.group.as_deref().unwrap_or_default();
        let definition = serde_json::to_string(variable)?;
        Ok(self.0.define_variable(group, &variable.id, &definition).await?)
    }

    async fn keep(&self, group: &str, id: &str, value: &Value) -> Result<()> {
        Ok(self.0.keep_variable(group, id, value).await?)
    }

    async fn forget(&self, group: &str, id: &str) -> Result<()> {
        Ok(self.0.forget_variable(group, id).await?)
    }
}

fn kept(SavedVariable { group, name, definition, value }: SavedVariable) -> KeptVariable {
    let definition = definition.and_then(|text| {
        let read = serde_json::from_str(&text);
        let left_out = |error| tracing::error!(variable = format!("{group}/{name}"), %error, "a kept variable is left out");
        read.map_err(left_out).ok()
    });
    KeptVariable { group, id: name, definition, value }
}
