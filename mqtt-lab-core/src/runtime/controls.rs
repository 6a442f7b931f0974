//! The control variables that the runtime owns for every sensor: `$interval`, `$qos`, `$paused`.

use super::DeviceSpec;
use mqtt_lab_wire::{Channel, Qos, Role, Trigger, Value};
use std::time::Duration;

const INTERVAL: &str = "$interval";
const QOS: &str = "$qos";
const PAUSED: &str = "$paused";

/// Their present values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controls {
    interval: Option<Duration>,
    pub(crate) qos: Qos,
    pub(crate) paused: bool,
    sensor: bool,
}

impl Controls {
    pub(crate) fn new(spec: &DeviceSpec, trigger: Trigger) -> Self {
        let sensor = spec.kind.role() != Role::Actuator;
        let polled = sensor && trigger == Trigger::Interval;
        let interval = polled.then(|| Duration::from_secs_f64(spec.config.interval_s));
        Self { interval, qos: spec.qos(), paused: false, sensor }
    }

    /// Fits a device that was constructed anew; what the user set stays.
    pub(crate) fn adapt(&mut self, spec: &DeviceSpec, trigger: Trigger) {
        let new = Self::new(spec, trigger);
        self.interval = new.interval.map(|configured| self.interval.unwrap_or(configured));
        self.sensor = new.sensor;
    }

    /// Time between two readings; none for an event sensor or an actuator.
    pub(crate) const fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Their descriptions.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let mut channels = Vec::new();
        if self.interval.is_some() {
            channels
                .push(Channel::float(INTERVAL).unit("s").quantity("time").range(0.001, 604_800.0).settable());
        }
        if self.sensor {
            channels.push(Channel::int(QOS).range(0.0, 2.0).settable());
            channels.push(Channel::bool(PAUSED).settable());
        }
        channels
    }

    /// Their present values.
    pub(crate) fn values(&self) -> Vec<(&'static str, Value)> {
        let mut values = Vec::new();
        if let Some(interval) = self.interval {
            values.push((INTERVAL, Value::Float(interval.as_secs_f64())));
        }
        if self.sensor {
            values.push((QOS, Value::Int(self.qos.level().into())));
            values.push((PAUSED, Value::Bool(self.paused)));
        }
        values
    }

    /// Takes a value that was checked against [`Controls::channels`].
    pub(crate) fn set(&mut self, channel: &str, value: &Value) {
        match (channel, value) {
            (INTERVAL, Value::Float(seconds)) => self.interval = Some(Duration::from_secs_f64(*seconds)),
            (QOS, Value::Int(level)) => {
                self.qos = u8::try_from(*level).ok().and_then(Qos::from_level).unwrap_or(self.qos);
            }
            (PAUSED, Value::Bool(paused)) => self.paused = *paused,
            _ => {}
        }
    }
}
