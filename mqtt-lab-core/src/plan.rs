//! From the devices that run to those that shall run: what is to be done, checked before any of it is.

use crate::config::Problem;
use crate::link::LinkError;
use crate::runtime::{
    DeviceHandle, DeviceSpec, DeviceTask, Difference, Instance, InstanceError, construct, problems_of,
    some_at_a_time, unknown_names,
};
use crate::variables::description_of;
use crate::wiring::{self, Known};
use crate::{BuildError, Description};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be done with one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is new.
    Start,
    /// It is stopped and started again.
    Restart,
    /// It gets an instance of the plugin that was loaded again.
    Reload,
}

/// One device that does not stay as it is.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) act: Act,
    pub(crate) spec: Arc<DeviceSpec>,
    /// Constructed for the check. None: it is constructed later.
    pub(crate) instance: Option<Result<Instance, InstanceError>>,
    /// How the running device describes itself, where the new one is the same; or what the new one is declared to be.
    known: Option<Arc<Description>>,
}

impl Step {
    /// A device that begins again as it was.
    pub(crate) const fn again(spec: Arc<DeviceSpec>) -> Self {
        Self { act: Act::Start, spec, instance: None, known: None }
    }
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// `group/id` of the devices that are not wanted any more.
    pub(crate) gone: Vec<String>,
    /// Devices that stay as they are.
    pub(crate) unchanged: Vec<(Arc<DeviceSpec>, Arc<Description>)>,
    /// What is suspicious about the inputs.
    pub(crate) warnings: Vec<Problem>,
}

impl Plan {
    /// `running` are the devices that the change is about; others are left alone.
    pub(crate) fn new<'a>(
        running: impl Iterator<Item = (&'a String, &'a DeviceHandle)>,
        wanted: Vec<Arc<DeviceSpec>>,
    ) -> Self {
        let running: BTreeMap<&str, _> = running.map(|(name, device)| (name.as_str(), device)).collect();
        let mut gone: BTreeSet<&str> = running.keys().copied().collect();
        let mut plan =
            Self { steps: Vec::new(), gone: Vec::new(), unchanged: Vec::new(), warnings: Vec::new() };
        for spec in wanted {
            let name = spec.name();
            let present = running.get(name.as_str()).copied();
            let present = present.filter(|device| device.face.borrow().spec.root == spec.root);
            if present.is_some() {
                gone.remove(name.as_str());
            }
            match Step::new(present, Arc::clone(&spec)) {
                Some(step) => plan.steps.push(step),
                None => {
                    let known = present.map(|device| Arc::clone(&device.face.borrow().description));
                    plan.unchanged.push((spec, known.unwrap_or_default()));
                }
            }
        }
        plan.gone = gone.into_iter().map(str::to_owned).collect();
        plan
    }

    /// Constructs what can be constructed beside the running devices, and finds all mistakes.
    ///
    /// # Errors
    ///
    /// [`BuildError::Devices`] and [`BuildError::Link`].
    pub(crate) async fn check(mut self) -> Result<Self, BuildError> {
        let first = self.steps.iter().filter(|step| step.is_constructed_first());
        let first: Vec<_> = first.map(|step| Arc::clone(&step.spec)).collect();
        let instances = some_at_a_time(first.into_iter().map(construct)).await;
        let first = self.steps.iter_mut().filter(|step| step.is_constructed_first());
        for (step, instance) in first.zip(instances) {
            let panicked = || Err(InstanceError::Panicked("without a message".into()));
            step.instance = Some(instance.unwrap_or_else(panicked));
        }
        let mut problems: Vec<_> = self.steps.iter().flat_map(Step::problems).collect();
        // With `count`, all devices of a table have the same mistakes.
        problems.dedup();
        problems.extend(self.wrong_links()?);
        if !problems.is_empty() {
            return Err(BuildError::Devices(problems));
        }
        Ok(self)
    }

    /// Checks what devices follow. Where a problem was found above, the inputs of that device are told as well.
    ///
    /// # Errors
    ///
    /// [`BuildError::Devices`].
    pub(crate) fn check_inputs(mut self) -> Result<Self, BuildError> {
        let findings = wiring::check(&self.devices());
        if !findings.errors.is_empty() {
            return Err(BuildError::Devices(findings.errors));
        }
        self.warnings = findings.warnings;
        Ok(self)
    }

    /// All devices of the plan with what they say of themselves.
    pub(crate) fn devices(&self) -> Vec<Known<'_>> {
        let steps = self.steps.iter().map(|step| (&*step.spec, step.description()));
        let unchanged = self.unchanged.iter().map(|(spec, description)| {
            // Empty as long as it could not be constructed.
            (&**spec, Some(&**description).filter(|description| !description.channels().is_empty()))
        });
        steps.chain(unchanged).collect()
    }

    /// Options with which a device could not connect.
    fn wrong_links(&self) -> Result<Vec<Problem>, BuildError> {
        let mut problems = Vec::new();
        for step in &self.steps {
            match DeviceTask::check(&step.spec, step.description()) {
                Ok(()) => {}
                Err(LinkError::InvalidConfig { field, problem }) if key_of(field).is_some() => {
                    let key = key_of(field).unwrap_or_default();
                    problems.push(Problem::new(step.spec.table, &[key], problem));
                }
                Err(source) => return Err(BuildError::Link { device: step.spec.name(), source }),
            }
        }
        problems.dedup();
        Ok(problems)
    }
}

/// The key of a device's table from which a field of its link comes.
fn key_of(field: &str) -> Option<&'static str> {
    match field {
        "will" => Some("will"),
        "client_id" => Some("client_id"),
        "keep_alive" => Some("keep_alive_s"),
        "spool_capacity" => Some("spool_messages"),
        _ => None,
    }
}

/// What a device of changed variables will be: it says so itself only when it has taken over.
fn declared(spec: &DeviceSpec) -> Option<Arc<Description>> {
    let settings = Some(&spec.settings).filter(|_| spec.holds_variables());
    settings.and_then(description_of).map(Arc::new)
}

impl Step {
    /// None: the device stays as it is.
    fn new(present: Option<&DeviceHandle>, spec: Arc<DeviceSpec>) -> Option<Self> {
        let step = |act, known| Some(Self { act, spec: Arc::clone(&spec), instance: None, known });
        let Some(device) = present.filter(|device| !device.is_over()) else { return step(Act::Start, None) };
        let face = device.face.borrow();
        match face.spec.difference(&spec)? {
            Difference::Device => step(Act::Restart, None),
            Difference::Options => step(Act::Restart, Some(Arc::clone(&face.description))),
            Difference::Reloaded => step(Act::Reload, declared(&spec)),
        }
    }

    /// A reload is no change of the configuration, and where only options differ, the running device
    /// may hold what the new one needs.
    const fn is_constructed_first(&self) -> bool {
        matches!(self.act, Act::Start | Act::Restart) && self.known.is_none()
    }

    /// None: nobody knows yet.
    fn description(&self) -> Option<&Description> {
        let known = self.known.as_deref().filter(|known| !known.channels().is_empty());
        self.instance
            .as_ref()
            .and_then(|instance| instance.as_ref().ok())
            .map(Instance::description)
            .or(known)
    }

    fn problems(&self) -> Vec<Problem> {
        match (&self.instance, self.description()) {
            (Some(instance), _) => problems_of(&self.spec, instance),
            (None, Some(known)) => unknown_names(&self.spec, known),
            (None, None) => Vec::new(),
        }
    }
}
