//! What can be done to a running device, to see its last will.

use crate::RunningLab;
use crate::link::{Link, Plug};
use crate::plan::Step;
use crate::running::UnderWay;
use crate::runtime::{DeviceHandle, Leave};
use std::fmt;

/// How a device is taken off, and what the broker makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// The network is cut: the connection closes, the device measures on, and what it has for QoS 1 and 2
    /// waits. The will is published at once, or after its delay.
    Cut,
    /// The device hangs: the connection stays, and nothing goes over it. The will is published after 1.5 times
    /// the keep-alive.
    Freeze,
    /// The device loses its power: it is gone, with what was not acknowledged. The will is published as by
    /// [`Cut`](Self::Cut).
    Kill,
    /// The device is switched off in order: DISCONNECT, and no will.
    Stop,
}

/// There is no such device in this lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchDevice;

impl fmt::Display for NoSuchDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such device runs in this lab")
    }
}

impl std::error::Error for NoSuchDevice {}

impl RunningLab {
    /// Takes a device off; `device` is `group/id`. Does not wait for what follows.
    ///
    /// # Errors
    ///
    /// [`NoSuchDevice`].
    pub fn pull(&mut self, device: &str, how: Pull) -> Result<(), NoSuchDevice> {
        let handle = self.devices.get(device).ok_or(NoSuchDevice)?;
        let link = link_of(handle);
        self.pulled.insert(device.to_owned(), how);
        match (how, link) {
            (Pull::Stop, _) => handle.leave(Leave::Stopped),
            (Pull::Cut, Some(link)) => link.plug(Plug::Cut),
            (Pull::Freeze, Some(link)) => link.plug(Plug::Frozen),
            (Pull::Kill, Some(link)) => {
                self.killed.insert(device.to_owned());
                // It ends whether or not the future is polled.
                drop(link.abort());
            }
            // Nothing of it runs yet.
            (_, None) => {}
        }
        Ok(())
    }

    /// How a device was taken off; none: it was not.
    ///
    /// # Errors
    ///
    /// [`NoSuchDevice`].
    pub fn pulled(&self, device: &str) -> Result<Option<Pull>, NoSuchDevice> {
        let known = self.devices.contains_key(device).then_some(()).ok_or(NoSuchDevice);
        known.map(|()| self.pulled.get(device).copied())
    }

    /// Puts a device back, which was taken off: it connects again, or begins a new life.
    ///
    /// # Errors
    ///
    /// [`NoSuchDevice`].
    pub fn plug_in(&mut self, device: &str) -> Result<(), NoSuchDevice> {
        let handle = self.devices.get(device).ok_or(NoSuchDevice)?;
        match self.pulled.remove(device) {
            None => {}
            Some(Pull::Cut | Pull::Freeze) => {
                if let Some(link) = link_of(handle) {
                    link.plug(Plug::In);
                }
            }
            Some(Pull::Kill | Pull::Stop) => {
                let spec = handle.face.borrow().spec.clone();
                self.start(Step::again(spec), &mut UnderWay::default());
            }
        }
        Ok(())
    }
}

fn link_of(handle: &DeviceHandle) -> Option<Link> {
    handle.face.borrow().link.clone()
}
