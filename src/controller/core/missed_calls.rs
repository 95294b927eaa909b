//! Missed calls that could not be delivered: the caller's app tells the callee's once both are there, because no server
//! keeps anything.

use crate::call::{CallEnd, Message, Standing};
use crate::identity::PeerId;
use crate::media::MediaTime;
use crate::store::{HistoryRecord, UNDELIVERED_KEPT_S};

use super::{Core, unix_seconds};
use crate::controller::Event;

impl Core {
    /// Notes a call of this side, at that time, that did not reach its person.
    pub(super) fn note_undelivered_call(&self, to: PeerId, at_unix_s: i64) {
        if let Err(error) = self.store.note_undelivered(to, at_unix_s) {
            tracing::warn!("a call that was not delivered is not told later: {error}");
        }
    }

    /// Tells somebody who is there now of the call that did not reach them, if there was one.
    pub(super) fn tell_missed_call(&mut self, to: PeerId) {
        let now = unix_seconds(MediaTime::now());
        match self.store.take_undelivered(to, now) {
            Ok(Some(at)) => {
                let ago_s = u32::try_from(now - at).unwrap_or_default();
                if let Err(message) = self.signaling.send(to, Message::Missed { ago_s }) {
                    self.on_undelivered_notice(to, &message);
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("a call that was not delivered is not told: {error}"),
        }
    }

    /// Notes the call again whose notice did not arrive either.
    pub(super) fn on_undelivered_notice(&self, to: PeerId, message: &Message) {
        if let Message::Missed { ago_s } = message {
            self.note_undelivered_call(to, unix_seconds(MediaTime::now()) - i64::from(*ago_s));
        }
    }

    /// Takes the notice of a call that did not reach this side, of contacts alone. Their latest missed call makes room
    /// for it in the history.
    pub(super) fn on_missed_call(&mut self, from: PeerId, standing: Standing, ago_s: u32) {
        let is_taken = standing == Standing::Contact && i64::from(ago_s) <= UNDELIVERED_KEPT_S;
        if !is_taken || !self.directory.takes_missed_call(from, MediaTime::now()) {
            return;
        }
        let at_unix_s = unix_seconds(MediaTime::now()) - i64::from(ago_s);
        let name = self.directory.name_of(from, None);
        self.keep_in_history(HistoryRecord {
            peer: from,
            name: name.clone(),
            outgoing: false,
            at_unix_s,
            duration_s: 0,
            ended: CallEnd::Missed,
            seen: false,
            note: String::new(),
        });
        self.report(Event::MissedCall { from, name, at_unix_s });
        self.publisher.mark();
    }
}
