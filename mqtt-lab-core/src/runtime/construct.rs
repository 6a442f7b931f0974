//! Constructing many devices, and what that tells about the configuration.

use super::instance::Start;
use super::{DeviceSpec, Instance, InstanceError};
use crate::config::Problem;
use crate::{CreateError, Description};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Devices constructed at the same time.
pub(crate) const CONSTRUCTING: usize = 64;

/// Constructs a device.
pub(crate) async fn construct(spec: Arc<DeviceSpec>) -> Result<Instance, InstanceError> {
    Instance::start(spec.kind.clone(), spec.settings.clone(), spec.read_timeout(), Start::AsItsKind).await
}

/// Runs futures, [`CONSTRUCTING`] of them at the same time; their results in the same order, `None`
/// for one that panicked. Dropped, it ends them all.
pub(crate) async fn some_at_a_time<F>(futures: impl IntoIterator<Item = F>) -> Vec<Option<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut waiting = futures.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut results = Vec::new();
    loop {
        while running.len() < CONSTRUCTING
            && let Some((i, future)) = waiting.next()
        {
            results.push(None);
            running.spawn(async move { (i, future.await) });
        }
        match running.join_next().await {
            Some(Ok((i, result))) => results[i] = Some(result),
            Some(Err(error)) => tracing::error!(%error, "a device's construction ended"),
            None => return results,
        }
    }
}

/// What a constructed device, or the constructor's refusal, tells about the configuration.
pub(crate) fn problems_of(spec: &DeviceSpec, instance: &Result<Instance, InstanceError>) -> Vec<Problem> {
    let table = spec.table;
    match instance {
        Ok(instance) => unknown_names(spec, instance.description()),
        Err(InstanceError::Create(CreateError::Setting { path, message })) => {
            let key: Vec<_> = ["settings"].into_iter().chain(path.iter().map(String::as_str)).collect();
            vec![Problem::new(table, &key, message)]
        }
        Err(InstanceError::Create(error)) => vec![Problem::new(table, &["settings"], error)],
        Err(_) => Vec::new(),
    }
}

/// Channels that the configuration names and the device does not have.
pub(crate) fn unknown_names(spec: &DeviceSpec, description: &Description) -> Vec<Problem> {
    let names: Vec<_> = description.channels().iter().map(|c| c.name.as_ref()).collect();
    let hint = format!("`{}` has the channels: {}", spec.kind.name(), names.join(", "));
    let problem = |table: &str, name: &String, what: &str| {
        Problem::new(spec.table, &[table, name], format!("there is no {what} `{name}`")).hint(&hint)
    };
    let unknown = spec.config.channels.keys().filter(|name| description.find(name).is_none());
    let unknown = unknown.map(|name| problem("channels", name, "channel"));
    let deaf = spec.config.inputs.keys().filter(|name| !description.find(name).is_some_and(|c| c.settable));
    let deaf = deaf.map(|name| problem("inputs", name, "control variable"));
    unknown.chain(deaf).collect()
}
