//! Gives a device's samples their time and number.

use super::unix_micros;
use mqtt_lab_wire::{BootId, PayloadForm, Sample, SampleTime, Value, next_stamp};

/// Counts the samples of one life of a device and stamps them.
#[derive(Debug)]
pub(crate) struct Sampler {
    form: PayloadForm,
    boot: BootId,
    sent: u64,
    last_us: i64,
}

impl Sampler {
    pub(crate) fn new(form: PayloadForm) -> Self {
        Self { form, boot: BootId::from_random(rand::random()), sent: 0, last_us: 0 }
    }

    pub(crate) const fn boot(&self) -> BootId {
        self.boot
    }

    /// Number of the last sample.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// The instant of a reading, in microseconds since the Unix epoch.
    pub(crate) fn instant(&mut self) -> i64 {
        self.last_us = next_stamp(self.last_us, unix_micros());
        self.last_us
    }

    /// The payload of the next sample.
    pub(crate) fn payload(&mut self, value: &Value, measured_us: i64) -> String {
        self.sent += 1;
        let sample =
            Sample::new(value.as_ref()).at(SampleTime::Unix(measured_us)).numbered(self.boot, self.sent);
        let mut payload = String::with_capacity(64);
        sample.encode(self.form, &mut payload).expect("writing to a String cannot fail");
        payload
    }
}
