//! The device that holds the variables of one group: each is a channel that is set, and keeps its value.

use super::VARIABLES;
use super::memory::Values;
use crate::config::VariableConfig;
use crate::settings::parse;
use crate::{Description, Device, Error, Kind, Reading, Result, Role, Value};
use async_trait::async_trait;
use serde::Deserialize;
use std::sync::Arc;

/// What a device of this kind is made of; its groups are filled in.
#[derive(Deserialize)]
struct Settings {
    variables: Vec<VariableConfig>,
}

struct Holder {
    variables: Vec<VariableConfig>,
    values: Arc<Values>,
}

/// The kind of such devices, over the values of one lab.
pub(super) fn kind(values: Arc<Values>) -> Kind {
    let kind = Kind::erased(VARIABLES, Role::Actuator, move |settings| {
        let values = Arc::clone(&values);
        Box::pin(async move {
            let Settings { variables } = parse(settings)?;
            for variable in &variables {
                values.settle(variable).await;
            }
            Ok(Box::new(Holder { variables, values }) as Box<dyn Device>)
        })
    });
    kind.cooperative().taking_over()
}

/// The channels of a device with these settings, without their values; `None` if it holds no variables.
pub(crate) fn description_of(settings: &crate::Settings) -> Option<Description> {
    let Settings { variables } = parse(settings.clone()).ok()?;
    let channels = variables.iter().map(VariableConfig::channel);
    Some(channels.fold(Description::actuator().on_event(), Description::output))
}

#[async_trait]
impl Device for Holder {
    fn describe(&self) -> Description {
        let channels =
            self.variables.iter().map(|variable| variable.channel().initial(self.values.of(variable)));
        channels.fold(Description::actuator().on_event(), Description::output)
    }

    async fn read(&mut self) -> Result<Reading> {
        std::future::pending().await
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        let variable = self.variables.iter().find(|variable| variable.id == channel);
        let variable = variable.ok_or_else(|| Error::not_settable(channel))?;
        self.values.keep(variable, &value).await?;
        Ok(Reading::new().with(channel.to_owned(), value))
    }
}
