//! From the devices that run to those that shall run: what is to be done, checked before any of it is.

use crate::config::Problem;
use crate::runtime::{
    DeviceHandle, DeviceSpec, DeviceTask, Difference, Instance, InstanceError, construct, problems_of,
    some_at_a_time, unknown_names,
};
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
    /// How the running device describes itself, where the new one is the same.
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
    pub(crate) unchanged: usize,
}

impl Plan {
    /// `running` are the devices that the change is about; others are left alone.
    pub(crate) fn new<'a>(
        running: impl Iterator<Item = (&'a String, &'a DeviceHandle)>,
        wanted: Vec<Arc<DeviceSpec>>,
    ) -> Self {
        let running: BTreeMap<&str, _> = running.map(|(name, device)| (name.as_str(), device)).collect();
        let mut gone: BTreeSet<&str> = running.keys().copied().collect();
        let mut plan = Self { steps: Vec::new(), gone: Vec::new(), unchanged: 0 };
        for spec in wanted {
            let name = spec.name();
            let present = running.get(name.as_str()).copied();
            let present = present.filter(|device| device.face.borrow().spec.root == spec.root);
            if present.is_some() {
                gone.remove(name.as_str());
            }
            match Step::new(present, spec) {
                Some(step) => plan.steps.push(step),
                None => plan.unchanged += 1,
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
        if !problems.is_empty() {
            return Err(BuildError::Devices(problems));
        }
        for step in &self.steps {
            let link_error = |source| BuildError::Link { device: step.spec.name(), source };
            DeviceTask::check(&step.spec, step.description()).map_err(link_error)?;
        }
        Ok(self)
    }
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
            Difference::Reloaded => step(Act::Reload, None),
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
