//! Notices at the window's edge.

use std::collections::VecDeque;

use crate::device::{DeviceFault, DeviceKind};
use crate::identity::{PeerId, ServerLink};

use super::{Notice, NoticeKind};

/// Quiet notes, the latest few.
#[derive(Debug, Default)]
pub(super) struct Notices {
    notices: VecDeque<Notice>,
    next: u64,
}

impl Notices {
    const KEPT: usize = 5;

    /// Adds a note; the same one again takes the place of the earlier. One note names all missing devices.
    pub(super) fn add(&mut self, kind: NoticeKind) {
        let kind = match kind {
            NoticeKind::Device { device, fault: DeviceFault::Missing } => {
                let mut missing = self.take_missing();
                missing.retain(|other| *other != device);
                missing.push(device);
                missing_note(&missing)
            }
            kind => kind,
        };
        self.notices.retain(|notice| notice.kind != kind);
        if self.notices.len() >= Self::KEPT {
            self.notices.pop_front();
        }
        self.next += 1;
        self.notices.push_back(Notice { number: self.next, kind });
    }

    /// Removes earlier notices about a device: they are out of date.
    pub(super) fn forget_device(&mut self, device: DeviceKind) {
        for notice in &mut self.notices {
            let mut missing = missing_in(&notice.kind);
            if missing.len() > 1 && missing.contains(&device) {
                missing.retain(|other| *other != device);
                notice.kind = missing_note(&missing);
            }
        }
        self.notices.retain(|notice| match &notice.kind {
            NoticeKind::Device { device: of, .. }
            | NoticeKind::DeviceBack { device: of, .. }
            | NoticeKind::DeviceFallback { device: of, .. } => *of != device,
            NoticeKind::MicrophoneSilent { .. } => device != DeviceKind::Microphone,
            _ => true,
        });
    }

    /// Removes earlier notices about finding people: they are out of date.
    pub(super) fn forget_discovery(&mut self) {
        self.notices.retain(|notice| !matches!(notice.kind, NoticeKind::NoNetwork | NoticeKind::PortTaken { .. }));
    }

    /// Removes earlier notices about a silent microphone: they are out of date.
    pub(super) fn forget_silence(&mut self) {
        self.notices.retain(|notice| !matches!(notice.kind, NoticeKind::MicrophoneSilent { .. }));
    }

    /// Removes the notice that a call with this person needs a newer Visavis: it is out of date.
    pub(super) fn forget_skew(&mut self, id: PeerId) {
        self.notices.retain(|notice| !matches!(notice.kind, NoticeKind::NeedsNewer { peer, .. } if peer == id));
    }

    /// Takes away the notes about missing devices, and gives the devices.
    fn take_missing(&mut self) -> Vec<DeviceKind> {
        let missing = self.notices.iter().flat_map(|notice| missing_in(&notice.kind)).collect();
        self.notices.retain(|notice| missing_in(&notice.kind).is_empty());
        missing
    }

    /// Removes the notice that offers this server: it is answered.
    pub(super) fn forget_server(&mut self, link: &ServerLink) {
        self.notices.retain(|notice| !matches!(&notice.kind, NoticeKind::ServerOffered { link: of, .. } if of == link));
    }

    /// Removes the notice of a call's end: another one begins.
    pub(super) fn forget_call(&mut self) {
        self.notices.retain(|notice| !matches!(notice.kind, NoticeKind::CallEnded { .. }));
    }

    /// Every note, oldest first.
    pub(super) fn list(&self) -> Vec<Notice> {
        self.notices.iter().cloned().collect()
    }

    /// Takes a note away.
    pub(super) fn dismiss(&mut self, number: u64) {
        self.notices.retain(|notice| notice.number != number);
    }
}

/// The devices that a note says are missing.
fn missing_in(kind: &NoticeKind) -> Vec<DeviceKind> {
    match *kind {
        NoticeKind::Device { device, fault: DeviceFault::Missing } => vec![device],
        NoticeKind::DevicesMissing { camera, microphone, speaker } => {
            let all =
                [(camera, DeviceKind::Camera), (microphone, DeviceKind::Microphone), (speaker, DeviceKind::Speaker)];
            all.into_iter().filter_map(|(missing, device)| missing.then_some(device)).collect()
        }
        _ => Vec::new(),
    }
}

/// The note that says that these are missing.
fn missing_note(missing: &[DeviceKind]) -> NoticeKind {
    match *missing {
        [device] => NoticeKind::Device { device, fault: DeviceFault::Missing },
        _ => NoticeKind::DevicesMissing {
            camera: missing.contains(&DeviceKind::Camera),
            microphone: missing.contains(&DeviceKind::Microphone),
            speaker: missing.contains(&DeviceKind::Speaker),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(notices: &Notices) -> Vec<NoticeKind> {
        notices.list().into_iter().map(|notice| notice.kind).collect()
    }

    #[test]
    fn what_is_missing_is_said_in_one_note() {
        let missing = |device| NoticeKind::Device { device, fault: DeviceFault::Missing };
        let mut notices = Notices::default();
        for device in [DeviceKind::Camera, DeviceKind::Microphone, DeviceKind::Speaker, DeviceKind::Speaker] {
            notices.forget_device(device);
            notices.add(missing(device));
        }
        let all = NoticeKind::DevicesMissing { camera: true, microphone: true, speaker: true };
        assert_eq!(kinds(&notices), [all]);
        notices.forget_device(DeviceKind::Camera);
        notices.forget_device(DeviceKind::Speaker);
        assert_eq!(kinds(&notices), [missing(DeviceKind::Microphone)]);
        notices.forget_device(DeviceKind::Microphone);
        assert!(kinds(&notices).is_empty());
    }

    #[test]
    fn silence_is_said_until_it_ends_or_something_else_is_said_of_the_microphone() {
        let silent = || NoticeKind::MicrophoneSilent { name: "Headset".to_owned() };
        let mut notices = Notices::default();
        notices.add(silent());
        notices.forget_device(DeviceKind::Camera);
        assert_eq!(kinds(&notices), [silent()]);
        notices.forget_silence();
        assert!(kinds(&notices).is_empty());
        notices.add(silent());
        notices.forget_device(DeviceKind::Microphone);
        assert!(kinds(&notices).is_empty());
    }
}
