//! Stand-in for a sound device: the system's default takes the place of a chosen device that is gone, and gives it
//! back.
//!
//! ```text
//! Chosen --absent--> Wanted --begin--> StandsIn --returned--> Chosen (its own report says that it works)
//! ```
//!
//! Pure: the owner of the devices opens and closes them. `D` is its handle of the device that stands in.

use super::{DeviceChoice, DeviceFault};

/// The chosen device, or the default in its place.
#[derive(Debug)]
pub(crate) struct StandIn<D> {
    chosen: DeviceChoice,
    serving: Serving<D>,
}

#[derive(Debug)]
enum Serving<D> {
    /// The chosen device, as far as is known.
    Chosen,
    /// The chosen device is absent; the default is to be opened.
    Wanted,
    /// The default, in its place.
    StandIn(D),
    /// The chosen device was found again and is being opened.
    Returning,
}

/// Change of the device that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The default `name` serves in place of the `chosen` device.
    Fallback {
        /// The chosen device.
        chosen: String,
        /// The device that serves.
        name: String,
    },
    /// The chosen device `name` serves again.
    Recovered {
        /// The device that serves.
        name: String,
    },
}

impl<D> Default for StandIn<D> {
    fn default() -> Self {
        Self::new(DeviceChoice::default())
    }
}

impl<D> StandIn<D> {
    /// With the `chosen` device serving.
    pub(crate) const fn new(chosen: DeviceChoice) -> Self {
        Self { chosen, serving: Serving::Chosen }
    }

    /// The chosen device.
    pub(crate) const fn chosen(&self) -> &DeviceChoice {
        &self.chosen
    }

    /// The device that stands in, if one does.
    pub(crate) const fn device(&self) -> Option<&D> {
        match &self.serving {
            Serving::StandIn(device) => Some(device),
            Serving::Chosen | Serving::Wanted | Serving::Returning => None,
        }
    }

    /// The device that stands in, if one does.
    pub(crate) const fn device_mut(&mut self) -> Option<&mut D> {
        match &mut self.serving {
            Serving::StandIn(device) => Some(device),
            Serving::Chosen | Serving::Wanted | Serving::Returning => None,
        }
    }

    /// True while the default is to be opened in the place of the chosen device.
    pub(crate) const fn is_wanted(&self) -> bool {
        matches!(self.serving, Serving::Wanted)
    }

    /// The chosen device has this fault. Nothing stands in for the default itself, nor for a device that is there.
    pub(crate) fn on_fault(&mut self, fault: &DeviceFault) {
        let absent = matches!(self.chosen, DeviceChoice::Named(_)) && fault.is_absence();
        if absent && self.device().is_none() {
            self.serving = Serving::Wanted;
        }
    }

    /// The default is being opened as `device`.
    pub(crate) fn begin(&mut self, device: D) {
        self.serving = Serving::StandIn(device);
    }

    /// The device that serves works; its system name is `name`.
    pub(crate) fn on_opened(&mut self, name: &str) -> Option<Change> {
        match self.serving {
            Serving::Chosen | Serving::Wanted => None,
            // The chosen device is the default, and back: it is about to report that itself.
            Serving::StandIn(_) if self.chosen.is_named(name) => None,
            Serving::StandIn(_) => Some(Change::Fallback { chosen: self.chosen.label(), name: name.to_owned() }),
            Serving::Returning => {
                self.serving = Serving::Chosen;
                Some(Change::Recovered { name: name.to_owned() })
            }
        }
    }

    /// The chosen device is among those that are plugged in, and is to be opened; what stood in is given back.
    pub(crate) fn on_found(&mut self, plugged_in: &[String]) -> Option<D> {
        let DeviceChoice::Named(name) = &self.chosen else { return None };
        self.device()?;
        if !plugged_in.contains(name) {
            return None;
        }
        self.take(Serving::Returning)
    }

    /// The chosen device works again, or nothing is to stand in any more; what stood in is given back.
    pub(crate) fn end(&mut self) -> Option<D> {
        self.take(Serving::Chosen)
    }

    fn take(&mut self, next: Serving<D>) -> Option<D> {
        match std::mem::replace(&mut self.serving, next) {
            Serving::StandIn(device) => Some(device),
            Serving::Chosen | Serving::Wanted | Serving::Returning => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headset() -> StandIn<u8> {
        StandIn::new(DeviceChoice::Named("Headset".into()))
    }

    #[test]
    fn the_default_stands_in_for_a_device_that_is_absent_until_it_is_found() {
        let mut speaker = headset();
        assert_eq!(speaker.on_opened("Headset"), None);
        speaker.on_fault(&DeviceFault::Busy);
        assert!(!speaker.is_wanted(), "it is there");
        speaker.on_fault(&DeviceFault::Unplugged);
        assert!(speaker.is_wanted() && speaker.device().is_none());
        speaker.begin(7);
        speaker.on_fault(&DeviceFault::Missing);
        assert!(!speaker.is_wanted() && speaker.device() == Some(&7), "the default is missing, too");
        let fallback = Change::Fallback { chosen: "Headset".into(), name: "Built-in".into() };
        assert_eq!(speaker.on_opened("Built-in"), Some(fallback));
        assert_eq!(speaker.on_opened("Headset"), None, "the default, and back");
        assert_eq!(speaker.on_found(&["Built-in".into()]), None);
        assert_eq!(speaker.on_found(&["Built-in".into(), "Headset".into()]), Some(7));
        assert_eq!(speaker.on_opened("Headset"), Some(Change::Recovered { name: "Headset".into() }));
        assert_eq!((speaker.on_opened("Headset"), speaker.end()), (None, None));
    }

    #[test]
    fn a_device_that_is_absent_again_while_it_returns_is_stood_in_for_again() {
        let mut microphone = headset();
        microphone.on_fault(&DeviceFault::Missing);
        microphone.begin(1);
        assert_eq!(microphone.on_found(&["Headset".into()]), Some(1));
        microphone.on_fault(&DeviceFault::Unplugged);
        assert!(microphone.is_wanted());
        microphone.begin(2);
        assert_eq!(microphone.end(), Some(2));
    }

    #[test]
    fn nothing_stands_in_for_the_default_itself_or_for_a_file() {
        for chosen in [DeviceChoice::SystemDefault, DeviceChoice::File("a.wav".into())] {
            let mut speaker: StandIn<()> = StandIn::new(chosen);
            speaker.on_fault(&DeviceFault::Missing);
            assert!(!speaker.is_wanted());
        }
    }
}
