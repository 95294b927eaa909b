//! Log of one device's faults, so that each is told once and not at each attempt to open it.

use super::DeviceFault;

/// The fault that was told last, until the device works.
#[derive(Debug, Default)]
pub(crate) struct FaultLog {
    told: Option<DeviceFault>,
}

impl FaultLog {
    /// The device failed; true when that is news. A device that was unplugged is missing, as was said, and one that was
    /// missing and came for a moment was never there; two texts of the system are the same to a person.
    pub(crate) fn fail(&mut self, fault: &DeviceFault) -> bool {
        let known = match (&self.told, fault) {
            (Some(DeviceFault::Failed(told)), DeviceFault::Failed(reason)) => told.is_like(reason),
            (Some(told), fault) => told == fault || (told.is_absence() && fault.is_absence()),
            (None, _) => false,
        };
        if !known {
            self.told = Some(fault.clone());
        }
        !known
    }

    /// The device works; true when it had a fault.
    pub(crate) fn recover(&mut self) -> bool {
        self.told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceReason;

    #[test]
    fn each_fault_is_news_once() {
        let (unplugged, missing) = (DeviceFault::Unplugged, DeviceFault::Missing);
        let system = |text: &str| DeviceFault::Failed(DeviceReason::System(text.to_owned()));
        let mut log = FaultLog::default();
        assert!(!log.recover());
        assert!(log.fail(&missing));
        assert!(!log.fail(&missing));
        assert!(!log.fail(&unplugged), "it was there for a moment, and nothing came of it");
        assert!(log.recover());
        assert!(log.fail(&unplugged));
        assert!(!log.fail(&missing), "its absence was told already");
        assert!(log.fail(&DeviceFault::Busy));
        assert!(log.fail(&system("one")));
        assert!(!log.fail(&system("two")), "another text of the system is no news to a person");
        let empty = DeviceFault::Failed(DeviceReason::NoPicture);
        assert!(log.fail(&empty) && !log.fail(&empty), "another reason is");
        assert!(log.recover());
        assert!(!log.recover());
    }
}
