//! State of the ICE restarts of a connection.

use std::time::Duration;

use crate::media::MediaTime;

use super::Description;

/// Between restarts that the far side begins at least: each of them costs sockets. Earlier ones wait.
pub(super) const RESTART_INTERVAL: Duration = Duration::from_millis(500);

/// Where a participant's connection stands with restarts.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// Generation of the latest description.
    pub(super) generation: u32,
    /// When the latest restart began.
    pub(super) began: Option<MediaTime>,
    /// When a restart is asked for next; only while interrupted.
    pub(super) ask_at: Option<MediaTime>,
    /// When the latest interruption ended.
    pub(super) resumed_at: Option<MediaTime>,
    /// The latest offer that came too soon after another.
    held: Option<Description>,
}

impl Restarts {
    /// Nothing is to be asked for any more.
    pub(super) const fn stop_asking(&mut self) {
        self.ask_at = None;
    }

    /// Nothing is to be restored any more.
    pub(super) fn stop(&mut self) {
        self.stop_asking();
        self.held = None;
    }

    /// Keeps `offer` until it may begin a restart; an older one that waits is of no use any more.
    pub(super) fn hold(&mut self, offer: Description) {
        if self.held.as_ref().is_none_or(|held| held.generation < offer.generation) {
            self.held = Some(offer);
        }
    }

    /// When an offer that waits may begin a restart.
    pub(super) fn held_until(&self) -> Option<MediaTime> {
        self.held.as_ref().map(|_| self.began.map_or(MediaTime::default(), |began| began + RESTART_INTERVAL))
    }

    /// Gives the offer that waits, when its time has come.
    pub(super) fn take_held(&mut self, now: MediaTime) -> Option<Description> {
        self.held_until().filter(|&until| until <= now)?;
        self.held.take()
    }
}
