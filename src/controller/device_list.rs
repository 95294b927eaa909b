//! List of the devices that are plugged in, made on a thread of its own: sound servers can take their time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Devices;
use super::lanes::SystemSender;
use super::system_event::SystemEvent;

/// The devices that were plugged in when they were listed last.
pub(super) struct DeviceList {
    devices: Devices,
    /// A thread lists the devices.
    listing: bool,
    /// Another look was asked for meanwhile.
    again: bool,
    system: SystemSender,
}

impl DeviceList {
    pub(super) fn new(system: SystemSender) -> Self {
        Self { devices: Devices::default(), listing: false, again: false, system }
    }

    /// The latest list.
    pub(super) const fn devices(&self) -> &Devices {
        &self.devices
    }

    /// Begins a look, or another one after the look that goes on.
    pub(super) fn refresh(&mut self) {
        self.again = self.listing;
        if self.listing {
            return;
        }
        let system = self.system.clone();
        let list = move || {
            system.send(SystemEvent::Devices(Devices {
                cameras: listed(crate::capture::list_cameras),
                microphones: listed(crate::microphone::list_microphones),
                speakers: listed(crate::playout::list_speakers),
            }));
        };
        match std::thread::Builder::new().name("devices".into()).spawn(list) {
            Ok(_) => self.listing = true,
            Err(error) => tracing::warn!("no thread to list the devices on: {error}"),
        }
    }

    /// Takes the list that a look made.
    pub(super) fn on_listed(&mut self, devices: Devices) {
        self.devices = devices;
        self.listing = false;
        if self.again {
            self.refresh();
        }
    }
}

/// Devices that `list` finds; none where a driver's library panics: the controller waits for the end of each look.
pub(super) fn listed<T>(list: impl FnOnce() -> Vec<T>) -> Vec<T> {
    catch_unwind(AssertUnwindSafe(list)).unwrap_or_else(|_| {
        tracing::warn!("the devices of a kind cannot be listed");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_devices_ends_whatever_a_driver_does() {
        assert_eq!(listed(|| vec!["one"]), ["one"]);
        assert!(listed::<String>(|| panic!("as the test wants it")).is_empty());
    }
}
