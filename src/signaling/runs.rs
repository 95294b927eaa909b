//! Runs of a person's app, and the devices that they are on, as their hellos say. Pure; a person's state in the hub
//! owns it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::identity::DeviceId;

/// Runs remembered of one person, the latest: four times as many as there are devices on the local network.
const MAX_RUNS: usize = 32;

/// Runs with their devices; the latest is last. Runs that do not say where they are, as those of earlier versions, are
/// not among them.
#[derive(Debug, Default)]
pub(super) struct Runs(VecDeque<(Arc<str>, DeviceId)>);

impl Runs {
    /// A run is up, on this device.
    pub(super) fn note(&mut self, run: &Arc<str>, device: Option<DeviceId>) {
        self.0.retain(|(known, _)| known != run);
        let Some(device) = device else { return };
        if self.0.len() >= MAX_RUNS {
            self.0.pop_front();
        }
        self.0.push_back((Arc::clone(run), device));
    }

    /// The device that a run is on, or was on.
    pub(super) fn device(&self, run: &str) -> Option<DeviceId> {
        self.0.iter().find(|(known, _)| **known == *run).map(|(_, device)| *device)
    }

    /// Whether two runs are on one device; `None` where one of them does not say.
    pub(super) fn share_device(&self, one: &str, other: &str) -> Option<bool> {
        Some(self.device(one)? == self.device(other)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_share_a_device_where_both_say_so_and_few_are_remembered() {
        let mut runs = Runs::default();
        let device = |number| Some(DeviceId::from_bytes([number; 16]));
        for (run, on) in [("before", device(1)), ("after", device(1)), ("lap", device(2)), ("old", None)] {
            runs.note(&run.into(), on);
        }
        assert_eq!(runs.share_device("before", "after"), Some(true));
        assert_eq!(runs.share_device("before", "lap"), Some(false));
        assert_eq!((runs.share_device("before", "old"), runs.share_device("new", "lap")), (None, None));
        (0..100).for_each(|number| runs.note(&format!("{number}").into(), device(3)));
        assert_eq!((runs.0.len(), runs.device("before"), runs.device("99")), (MAX_RUNS, None, device(3)));
    }
}
