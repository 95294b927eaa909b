//! Deadlines, and the end: quitting hangs up, and waits a little for the releases.

use std::time::Duration;

use crate::call::{Input, Press};
use crate::media::MediaTime;

use super::Core;

/// Longest wait of quitting for the releases: the whole end takes two seconds at most.
const RELEASE_WAIT: Duration = Duration::from_millis(1500);

impl Core {
    /// When `on_deadline` is due.
    pub(in crate::controller) fn next_deadline(&self) -> Option<MediaTime> {
        let echo = self.echo.next_deadline();
        let own = [
            self.calls.due(),
            self.remotes.statistics_due(),
            self.publisher.due(),
            self.speaker.due(),
            self.quit_by,
            self.captures.spoke_muted_until(),
            self.preferences.do_not_disturb_due(),
            self.directory.pictures().due(),
        ];
        own.into_iter().chain([echo]).flatten().min()
    }

    pub(in crate::controller) fn on_deadline(&mut self) {
        let now = MediaTime::now();
        if self.calls.is_due(now) {
            self.step(Input::Deadline);
        }
        self.look_at_networks();
        while let Some(peer) = self.calls.take_gone(now) {
            self.step(Input::Gone { peer });
        }
        if self.echo.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.echo.on_deadline(now);
            self.hear_echo();
        }
        if self.remotes.statistics_due().is_some_and(|deadline| deadline <= now) {
            self.take_statistics(now);
        }
        if self.preferences.do_not_disturb_due().is_some_and(|deadline| deadline <= now) {
            self.follow_do_not_disturb();
        }
        self.take_picture_turns(now);
        let speaker_in_use = self.captures.is_open() || !self.remotes.is_empty() || !self.calls.is_idle();
        self.speaker.on_deadline(now, speaker_in_use);
        if self.captures.spoke_muted_until().is_some_and(|deadline| deadline <= now) {
            self.captures.end_spoke_muted();
            self.publisher.mark();
        }
        if self.publisher.due().is_some_and(|deadline| deadline <= now) {
            self.publish_now();
        }
        if self.quit_by.is_some_and(|deadline| deadline <= now) {
            self.stop_waiting_for_releases();
        }
    }

    /// Anything not released when quitting has waited long enough is released with the process: the end is told now.
    fn stop_waiting_for_releases(&mut self) {
        self.calls.expire().into_iter().for_each(|effect| self.carry_out(effect));
    }

    /// Hangs up; the loop ends once everything is released.
    pub(super) fn leave_for_good(&mut self) {
        if self.quit_by.is_none() {
            self.quit_by = Some(MediaTime::now() + RELEASE_WAIT);
            self.step(Input::Local(Press::LeaveForGood));
            self.release_media(None);
        }
    }

    /// True once quitting was asked for: nothing else is begun any more.
    pub(super) const fn is_quitting(&self) -> bool {
        self.quit_by.is_some()
    }

    /// True when nothing is left to wait for before the end.
    pub(in crate::controller) fn is_done(&self) -> bool {
        let released = self.calls.is_over() && !self.captures.is_closing();
        self.quit_by.is_some_and(|quit_by| released || quit_by <= MediaTime::now())
    }
}
