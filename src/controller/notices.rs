//! The quiet notes at the window's edge.

use std::collections::VecDeque;

use crate::call::DeviceKind;

use super::{Notice, NoticeKind};

/// Quiet notes, the latest few.
#[derive(Debug, Default)]
pub(super) struct Notices {
    notices: VecDeque<Notice>,
    next: u64,
}

impl Notices {
    const KEPT: usize = 5;

    /// Adds a note; the same one again takes the place of the earlier.
    pub(super) fn add(&mut self, kind: NoticeKind) {
        self.notices.retain(|notice| notice.kind != kind);
        if self.notices.len() >= Self::KEPT {
            self.notices.pop_front();
        }
        self.next += 1;
        self.notices.push_back(Notice { number: self.next, kind });
    }

    /// Takes away what was said about a device before: something else holds now.
    pub(super) fn forget_device(&mut self, device: DeviceKind) {
        self.notices.retain(|notice| match &notice.kind {
            NoticeKind::Device { device: of, .. } | NoticeKind::DeviceBack { device: of, .. } => *of != device,
            _ => true,
        });
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
