//! A device that is open or being opened.

use crate::controller::Event;
use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceKind};

/// A device and its reports of itself.
pub(super) struct Open<D, W> {
    pub(super) device: D,
    /// The wish that it was opened for: another one opens it anew.
    pub(super) wish: W,
    /// Tells its reports from those of an earlier device.
    pub(super) generation: u64,
    pub(super) name: String,
    /// It has either opened or failed since it was asked for.
    pub(super) resolved: bool,
    pub(super) fault: Option<DeviceFault>,
}

impl<D, W> Open<D, W> {
    pub(super) const fn new(device: D, wish: W, generation: u64, name: String) -> Self {
        Self { device, wish, generation, name, resolved: false, fault: None }
    }

    pub(super) fn works(&self) -> bool {
        self.resolved && self.fault.is_none()
    }

    /// It works, as `name`.
    pub(super) fn opened(&mut self, name: String) {
        self.resolved = true;
        self.fault = None;
        self.name = name;
    }

    /// It failed; the event that tells it of the `chosen` device.
    pub(super) fn failed(&mut self, error: &DeviceError, chosen: &DeviceChoice) -> Event {
        self.resolved = true;
        self.fault = Some(error.fault.clone());
        Event::of_device_error(error, chosen)
    }

    /// It works again; the event that tells it.
    pub(super) fn recovered(&mut self, device: DeviceKind, name: String) -> Event {
        self.opened(name.clone());
        Event::DeviceRecovered { device, name }
    }
}
