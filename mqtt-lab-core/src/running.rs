//! A lab whose devices run, and how it takes a changed configuration.

use crate::config::Problem;
use crate::link::{Link, LinkError, LinkStatus};
use crate::plan::{Act, Plan, Step};
use crate::runtime::{Birth, CONSTRUCTING, DeviceHandle, DeviceSpec, Face, Leave, ended, some_at_a_time};
use crate::variables::VARIABLES;
use crate::wiring;
use crate::{BuildError, Changes, Lab, Pull, Undelivered};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

/// A lab whose devices run. Dropping it ends them without a goodbye: every last will fires.
#[derive(Debug)]
pub struct RunningLab {
    tasks: JoinSet<(String, Result<(), LinkError>)>,
    pub(crate) devices: BTreeMap<String, DeviceHandle>,
    /// Devices that were taken off, and how.
    pub(crate) pulled: BTreeMap<String, Pull>,
    /// Devices that lost their power: what they could not deliver is lost, and that is wanted.
    pub(crate) killed: BTreeSet<String>,
    /// Devices that are no part of the lab any more and still say goodbye: only while `apply` waits for
    /// them, or after it was given up.
    leaving: BTreeMap<String, watch::Receiver<Face>>,
    /// Devices that left before the lab did, and could not deliver everything.
    failed: BTreeMap<String, Undelivered>,
    /// Bounds how many devices are constructed at the same time.
    constructing: Arc<Semaphore>,
}

/// What is under way on its own when the check is over.
#[derive(Default)]
pub(crate) struct UnderWay {
    changes: Changes,
    beginning: Vec<watch::Receiver<Face>>,
    /// Their names, and whether they hold variables.
    reloaded: Vec<(String, bool)>,
}

impl Default for RunningLab {
    /// A lab without devices: [`apply`](RunningLab::apply) starts some.
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            devices: BTreeMap::new(),
            pulled: BTreeMap::new(),
            killed: BTreeSet::new(),
            leaving: BTreeMap::new(),
            failed: BTreeMap::new(),
            constructing: Arc::new(Semaphore::new(CONSTRUCTING)),
        }
    }
}

impl RunningLab {
    /// Devices that should have a connection at present and have none.
    #[must_use]
    pub fn unconnected(&self) -> Vec<String> {
        let connected = |device: &DeviceHandle| {
            let face = device.face.borrow();
            face.link.as_ref().is_some_and(Link::is_connected)
        };
        let all = self.devices.iter().filter(|(name, _)| !self.pulled.contains_key(*name));
        all.filter(|(_, device)| !connected(device)).map(|(name, _)| name.clone()).collect()
    }

    /// How a device's connection is; `device` is `group/id`.
    #[must_use]
    pub fn status(&self, device: &str) -> Option<LinkStatus> {
        let face = self.devices.get(device)?.face.borrow();
        Some(face.link.as_ref().map(Link::status).unwrap_or_default())
    }

    /// `group/id` of every device, sorted.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.devices.keys().map(String::as_str)
    }

    /// Waits until every device is connected, at most for `limit`; the names of those that are not.
    pub async fn connected(&self, limit: Duration) -> Vec<&str> {
        let deadline = tokio::time::Instant::now() + limit;
        let mut missing = Vec::new();
        for (name, device) in &self.devices {
            if tokio::time::timeout_at(deadline, up(device.face.clone())).await != Ok(true) {
                missing.push(name.as_str());
            }
        }
        missing
    }

    /// Goes over to a changed configuration, and touches only what is different in it.
    ///
    /// Devices are known by root, group and id. `lab` is built from the changed configuration, with
    /// the *same* [`Plugin`](crate::Plugin)s as before (or clones of them): a plugin made anew counts
    /// as loaded again.
    ///
    /// | Difference | What happens |
    /// | --- | --- |
    /// | none | The device goes on: connection, boot id, counters, instance. |
    /// | other variables of a group | Their device goes on: connection, boot id, values that still fit. |
    /// | its plugin was loaded again | It gets a new instance, and is told the control variables that were set; connection and boot id stay. |
    /// | another kind or other settings | The new one is constructed, the old one stopped in order, the new one started. |
    /// | other options (interval, QoS, will …) | The old one is stopped in order, then the new one constructed and started. |
    /// | it is new | It is constructed and started. |
    /// | it is gone | It is stopped in order, and its retained messages are cleared. |
    ///
    /// No last will fires. Returns when devices that are gone have left, new ones run and plugins are
    /// exchanged. A device that panics or hangs in its constructor is shown with its error and tried
    /// again, as by [`Lab::start`]; so is one that refuses where only options differ. Where its plugin
    /// was loaded again and cannot be used, the old instance runs on: [`Changes::kept_old`]. What could
    /// not be delivered by devices that left, [`stop`](Self::stop) reports.
    ///
    /// ```no_run
    /// # use mqtt_lab_core::{BuildError, Lab, RunningLab, config::DeviceConfig, prelude::*};
    /// # async fn run(running: &mut RunningLab, plugin: &Plugin) -> Result<(), BuildError> {
    /// let mut kitchen = DeviceConfig::new("thermometer").id("kitchen");
    /// kitchen.interval_s = 0.2;
    /// let changed = Lab::builder().broker("127.0.0.1:1883").plugin(plugin).device(kitchen).build()?;
    /// println!("{}", running.apply(changed).await?); // 1 device restarted
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Lab::start`]. Then nothing at all has changed.
    ///
    /// # Cancellation
    ///
    /// Dropped while the new configuration is being checked, nothing has changed. Dropped later, stops
    /// and starts take place all the same, and an exchange of instances takes place or does not; the
    /// next `apply` knows which. [`stop`](Self::stop) stops everything in either case.
    pub async fn apply(&mut self, lab: Lab) -> Result<Changes, BuildError> {
        let plan = Plan::new(self.devices.iter(), lab.specs).check().await?.check_inputs()?;
        Ok(self.carry_out(plan).await)
    }

    /// As [`apply`](Self::apply), for the variables alone: no other device is touched, whatever became of it.
    pub(crate) async fn apply_variables(&mut self, lab: Lab) -> Result<Changes, BuildError> {
        let is_variables = |device: &DeviceHandle| device.face.borrow().spec.holds_variables();
        let in_the_way = |spec: &Arc<DeviceSpec>| {
            let device = self.devices.get(&spec.name()).filter(|device| !is_variables(device))?;
            let group = device.face.borrow().spec.group.clone();
            let message =
                format!("a device of group `{group}` is called `{VARIABLES}`, as its variables would be");
            Some(Problem::new(spec.table, &["group"], message).hint("choose another group for the variable"))
        };
        let problems: Vec<_> = lab.specs.iter().filter_map(in_the_way).collect();
        if !problems.is_empty() {
            return Err(BuildError::Devices(problems));
        }
        let running = self.devices.iter().filter(|(_, device)| is_variables(device));
        let plan = Plan::new(running, lab.specs).check().await?;
        let misfits = self.misfits(&plan);
        if !misfits.is_empty() {
            return Err(BuildError::Devices(misfits));
        }
        Ok(self.carry_out(plan).await)
    }

    /// Devices that could not follow the changed variables.
    fn misfits(&self, plan: &Plan) -> Vec<Problem> {
        let faces: Vec<_> = self.devices.values().map(|device| device.face.borrow()).collect();
        let others = faces.iter().filter(|face| !face.spec.holds_variables());
        let others = others.map(|face| (&*face.spec, Some(&*face.description)));
        wiring::misfits(&plan.devices().into_iter().chain(others).collect::<Vec<_>>())
    }

    /// Does what was checked.
    async fn carry_out(&mut self, plan: Plan) -> Changes {
        let mut reloads = Vec::new();
        let mut under_way = UnderWay::default();
        under_way.changes.unchanged = plan.unchanged.len();
        under_way.changes.warnings = plan.warnings;
        // Nothing is awaited from here until everything has been set going.
        for name in plan.gone {
            self.remove(name, &mut under_way);
        }
        for step in plan.steps {
            match self.devices.get(&step.spec.name()) {
                Some(device) if step.act == Act::Reload => {
                    under_way.reloaded.push((step.spec.name(), step.spec.holds_variables()));
                    reloads.push(device.reload(step.spec));
                }
                _ => self.start(step, &mut under_way),
            }
        }
        let outcomes = some_at_a_time(reloads).await;
        let changes = under_way.finish(outcomes).await;
        for face in self.leaving.values() {
            ended(face.clone()).await;
        }
        self.leaving.clear();
        while let Some(ended) = self.tasks.try_join_next() {
            self.ended(ended);
        }
        changes
    }

    fn remove(&mut self, name: String, under_way: &mut UnderWay) {
        let Some(device) = self.devices.remove(&name) else { return };
        self.pulled.remove(&name);
        device.leave(Leave::Removed);
        self.leaving.insert(name.clone(), device.face);
        under_way.changes.stopped.push(name);
    }

    /// Starts a device, after the one of the same name, if there is one.
    pub(crate) fn start(&mut self, step: Step, under_way: &mut UnderWay) {
        let Step { act, spec, instance, .. } = step;
        let name = spec.name();
        let before = self.devices.remove(&name);
        self.pulled.remove(&name);
        if let Some(before) = &before {
            let clear = before.face.borrow().spec.leaves_other_messages_than(&spec);
            before.leave(Leave::Replaced { clear });
        }
        let after = before.map(|before| before.face).or_else(|| self.leaving.remove(&name));
        let birth = Birth { spec, instance, after };
        let (device, life) = DeviceHandle::new(birth, Arc::clone(&self.constructing));
        under_way.beginning.push(device.face.clone());
        self.devices.insert(name.clone(), device);
        let changes = &mut under_way.changes;
        if act == Act::Start { &mut changes.started } else { &mut changes.restarted }.push(name.clone());
        self.tasks.spawn(life);
    }

    /// Stops in order: every device says goodbye and waits until the broker acknowledged what it had
    /// accepted. No last will fires. Returns the devices that could not deliver everything, those that
    /// left earlier included.
    ///
    /// Takes as long as the broker acknowledges something, at most ten seconds; about three seconds if it does
    /// not, or if there is none. Instances get two seconds of them to end.
    pub async fn stop(mut self) -> Vec<Undelivered> {
        for device in self.devices.values() {
            device.leave(Leave::Stopped);
        }
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended);
        }
        std::mem::take(&mut self.failed).into_values().collect()
    }

    fn ended(&mut self, ended: Result<(String, Result<(), LinkError>), JoinError>) {
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((device, Err(_))) if self.killed.remove(&device) => {}
            Ok((device, Err(error))) => {
                drop(self.failed.insert(device.clone(), Undelivered::new(device, error)));
            }
            Err(error) => tracing::error!(%error, "a device task ended without a goodbye"),
        }
    }
}

impl UnderWay {
    /// Waits for everything.
    async fn finish(mut self, outcomes: Vec<Option<Result<(), String>>>) -> Changes {
        for ((name, variables), outcome) in self.reloaded.into_iter().zip(outcomes) {
            match outcome.unwrap_or_else(|| Err("the exchange panicked".into())) {
                Ok(()) if variables => self.changes.varied.push(name),
                Ok(()) => self.changes.swapped.push(name),
                Err(why) => self.changes.kept_old.push((name, why)),
            }
        }
        for mut face in self.beginning {
            let _ = face.wait_for(|face| face.link.is_some()).await;
        }
        self.changes
    }
}

/// Waits until a device is connected and can be told something; false: it has ended.
async fn up(mut face: watch::Receiver<Face>) -> bool {
    let link = face.wait_for(|face| face.link.is_some()).await.ok().and_then(|face| face.link.clone());
    let Some(link) = link else { return false };
    link.watch().wait_for(|status| status.connected && status.subscribed).await.is_ok()
}

impl Drop for RunningLab {
    fn drop(&mut self) {
        // After `stop` the links have ended, and this changes nothing.
        for device in self.devices.values() {
            if let Some(link) = &device.face.borrow().link {
                drop(link.abort());
            }
        }
    }
}
