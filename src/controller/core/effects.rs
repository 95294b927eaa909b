//! Effects of the state chart, carried out: messages, devices, connections, sounds, reports.

use crate::call::{
    CallEnd, CallRecord, CallReport, CallState, Consent, ConversationId, DisconnectReason, Effect, EngineEvent, Input,
    Message, RecordedParticipant, RelayUse,
};
use crate::identity::PeerId;
use crate::media::MediaTime;
use crate::playout::Sound;

use super::{Core, unix_seconds};
use crate::controller::people::echo_id;
use crate::controller::relays::ice_servers;
use crate::controller::remotes::{Newcomer, Way};
use crate::controller::{Event, NoticeKind, Outcome, VersionSkew};
use crate::store::HistoryRecord;

impl Core {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(to, message),
            Effect::OpenPreview { consent, streams } | Effect::OpenMedia { consent, streams } => {
                self.captures.open(consent, streams, self.preferences.settings());
                self.report_local_stream();
            }
            Effect::CloseStream { stream } => {
                self.captures.close_stream(stream, self.preferences.settings());
                self.report_local_stream();
            }
            Effect::ReleaseMedia { conversation } => self.release_media(Some(conversation)),
            Effect::ConnectPeer { consent, conversation, peer, role } => {
                self.connect(&consent, Newcomer { id: peer, conversation, role });
            }
            Effect::ApplyDescription { peer, description, .. } => self.remotes.apply_description(peer, description),
            Effect::ApplyCandidate { peer, candidate, .. } => self.remotes.apply_candidate(peer, candidate),
            Effect::RestartIce { peer, generation, .. } => self.remotes.restart_ice(peer, generation),
            Effect::RenewRoute { peer } => self.signaling.renew(peer),
            Effect::ClosePeer { conversation, peer } => self.close_peer(conversation, peer),
            Effect::StartRinging => self.ringer.ring(&self.speaker),
            // A test of one's own devices is no call that a ring would disturb.
            Effect::StartWaitingTone if self.calls.is_with_echo() => self.ringer.ring(&self.speaker),
            Effect::StartWaitingTone => self.speaker.play(Sound::CallWaiting),
            Effect::StopWaitingTone => {
                self.speaker.stop(Sound::CallWaiting);
                if !matches!(self.calls.state(), CallState::Incoming(_)) {
                    self.ringer.stop(&self.speaker);
                }
            }
            Effect::StartRingBack => self.speaker.play(Sound::RingBack),
            Effect::StopRinging => {
                self.ringer.stop(&self.speaker);
                self.speaker.stop(Sound::RingBack);
            }
            Effect::Report(report) => self.on_report(report),
        }
    }

    fn send(&mut self, to: PeerId, message: Message) {
        if to == echo_id() {
            self.echo.receive(MediaTime::now(), message);
            self.hear_echo();
        } else if let Err(message) = self.signaling.send(to, message) {
            self.step(Input::Undelivered { to, message });
        }
    }

    /// Tells the others how many lines of their pictures are of use here, those who have not heard it yet.
    pub(super) fn tell_wishes(&mut self) {
        let CallState::Conversation(call) = self.calls.state() else { return };
        let pending = self.remotes.take_pending_wishes(call.id());
        pending.into_iter().for_each(|(to, message)| self.send(to, message));
    }

    fn connect(&mut self, consent: &Consent, newcomer: Newcomer) {
        let id = newcomer.id;
        let setting = self.preferences.settings().relay;
        // The call may be at a device that a server alone leads to, although another one is on this network.
        let over_server = self.directory.is_over_server(id) || self.signaling.was_over_server(id);
        let relay_use = RelayUse::of(setting, self.directory.is_contact(id), over_server);
        let way =
            Way { path: self.signaling.path_to(id), servers: ice_servers(self.signaling.relay_to(id), relay_use) };
        self.remotes.connect(consent, newcomer, way, &self.speaker, self.publisher.picture_notice());
        self.remotes.set_volume(id, self.directory.volume(id));
        self.update_fan_out();
        self.captures.start_encoding();
        self.remotes.schedule_statistics(MediaTime::now());
    }

    fn close_peer(&mut self, conversation: ConversationId, peer: PeerId) {
        if self.remotes.close(conversation, peer) {
            self.update_fan_out();
        } else {
            self.step(Input::Engine { conversation, peer, event: EngineEvent::Closed });
        }
    }

    fn on_report(&mut self, report: CallReport) {
        let event = match report {
            CallReport::InviteSent { invite, to, conversation } => Event::InviteSent { invite, to, conversation },
            CallReport::Invite { invite, from, name, user_data, conversation, contact, waiting } => {
                self.use_invitation(from);
                let name = self.directory.name_of(from, Some(&name));
                if let Some(previous) = self.directory.namesake(from, &name) {
                    self.report(Event::KeyChanged { id: from, previous });
                }
                Event::Invite { invite, from, name, user_data, conversation, contact, waiting }
            }
            CallReport::InviteAccepted { invite, conversation } => Event::InviteAccepted { invite, conversation },
            CallReport::InviteRejected { invite } => Event::InviteRejected { invite },
            CallReport::InviteCanceled { invite } => Event::InviteCanceled { invite },
            CallReport::InviteAnsweredElsewhere { invite } => Event::InviteAnsweredElsewhere { invite },
            CallReport::InviteBusy { invite } => Event::InviteBusy { invite },
            CallReport::InviteTimeout { invite } => Event::InviteTimeout { invite },
            CallReport::InviteFailed { invite, to, error } => {
                // It waited for them, and they came with an app of another version, or their app said so.
                let skew = self.directory.skew(to).or(error.skew());
                let error = skew.map_or(error, |skew| self.needs_newer(to, skew));
                Event::InviteFailed { invite, code: error.code(), message: error.to_string() }
            }
            CallReport::ConversationConnecting { conversation } => {
                self.calls.set_outcome(None);
                self.publisher.notices().forget_call();
                Event::ConversationConnecting { conversation }
            }
            CallReport::ConversationConnected { conversation } => Event::ConversationConnected { conversation },
            CallReport::ParticipantConnected { conversation, participant, name } => {
                let name = self.directory.name_of(participant, Some(&name));
                Event::ParticipantConnected { conversation, participant, name }
            }
            CallReport::StreamAdded(added) => {
                self.remotes.on_stream_changed(added.participant, added.stream);
                Event::StreamAdded(added.into())
            }
            CallReport::StreamChanged(changed) => {
                self.remotes.on_stream_changed(changed.participant, changed.stream);
                Event::StreamChanged(changed.into())
            }
            CallReport::Reconnecting { conversation, participant } => Event::Reconnecting { conversation, participant },
            CallReport::Reconnected { conversation, participant } => Event::Reconnected { conversation, participant },
            CallReport::ParticipantFailed { conversation, participant, error } => {
                Event::ParticipantFailed { conversation, participant, code: error.code(), message: error.to_string() }
            }
            CallReport::ParticipantDisconnected { conversation, participant, reason } => {
                Event::ParticipantDisconnected { conversation, participant, reason }
            }
            CallReport::ConversationDisconnected { conversation, reason } => {
                Event::ConversationDisconnected { conversation, reason }
            }
            CallReport::PressRefused { error } => return self.calls.note_refusal(error),
            CallReport::InviteRinging { .. } => return,
            CallReport::RangInVain { from, name, note, at, .. } => {
                let name = self.keep_incoming_in_vain(from, &name, note, at, CallEnd::Missed);
                Event::MissedCall { from, name, at_unix_s: unix_seconds(at) }
            }
            CallReport::WaitingEnded(record) => return drop(self.keep_record(&record)),
            CallReport::RangIncompatible { from, name, skew, at } => {
                return self.on_rang_incompatible(from, &name, skew, at);
            }
            CallReport::CallEnded(record) => return self.on_call_ended(record),
        };
        self.report(event);
    }

    fn on_rang_incompatible(&mut self, from: PeerId, said: &str, skew: VersionSkew, at: MediaTime) {
        let ended = match skew {
            VersionSkew::FarIsOlder => CallEnd::NeedsNewerThere,
            VersionSkew::OwnIsOlder => CallEnd::NeedsNewerHere,
        };
        let name = self.keep_incoming_in_vain(from, said, String::new(), at, ended);
        self.publisher.notices().add(NoticeKind::NeedsNewer { peer: from, name, skew });
    }

    /// Keeps a call of `from` that never rang; the caller's name.
    fn keep_incoming_in_vain(
        &mut self,
        from: PeerId,
        said: &str,
        note: String,
        at: MediaTime,
        ended: CallEnd,
    ) -> String {
        let name = self.directory.name_of(from, Some(said));
        self.keep_in_history(HistoryRecord {
            peer: from,
            name: name.clone(),
            outgoing: false,
            at_unix_s: unix_seconds(at),
            duration_s: 0,
            ended,
            seen: ended != CallEnd::Missed,
            note,
        });
        name
    }

    /// The people of a call that is over, with the names that they have here.
    fn named(&self, record: &CallRecord) -> Vec<(PeerId, String)> {
        let name_of = |peer: PeerId, said: &str| (peer, self.directory.name_of(peer, Some(said)));
        record.participants.iter().map(|RecordedParticipant { peer, name }| name_of(*peer, name)).collect()
    }

    /// Keeps a call that is over in the history; its people, with the names that they have here.
    fn keep_record(&mut self, record: &CallRecord) -> Vec<(PeerId, String)> {
        let named = self.named(record);
        for (peer, name) in &named {
            self.keep_in_history(HistoryRecord {
                peer: *peer,
                name: name.clone(),
                outgoing: record.outgoing,
                at_unix_s: unix_seconds(record.began),
                duration_s: record.connected_seconds(),
                ended: record.end,
                seen: record.outgoing || record.end != CallEnd::Missed,
                note: record.note.clone(),
            });
            if record.outgoing && record.end == CallEnd::Unreachable {
                self.note_undelivered_call(*peer, unix_seconds(record.began));
            }
        }
        named
    }

    fn on_call_ended(&mut self, record: CallRecord) {
        let named = self.keep_record(&record);
        // Otherwise somebody who waited is answered, or rings.
        let is_idle = self.calls.is_idle();
        // One's own press needs no telling, and a call that somebody ended as usual no more than a note.
        let is_usual = match record.end {
            CallEnd::Ended(DisconnectReason::Left | DisconnectReason::HungUp)
            | CallEnd::DeclinedHere
            | CallEnd::Canceled => true,
            CallEnd::Ended(DisconnectReason::Failed | DisconnectReason::Lost)
            | CallEnd::Declined
            | CallEnd::Busy
            | CallEnd::NoAnswer
            | CallEnd::Missed
            | CallEnd::Unreachable
            | CallEnd::NeedsNewerHere
            | CallEnd::NeedsNewerThere => false,
        };
        // The words are about one person; a call of several ends by one's own press, or with the last of them.
        let last = named.into_iter().next_back();
        let duration_s = record.connected_seconds();
        let noted = record.end == CallEnd::Ended(DisconnectReason::HungUp)
            || (is_idle && record.end == CallEnd::Ended(DisconnectReason::Left) && duration_s > 0);
        if let Some((peer, name)) = last.clone().filter(|_| noted) {
            self.publisher.notices().add(NoticeKind::CallEnded { peer, name, duration_s });
        }
        let outcome = match last {
            Some((peer, name)) if !is_usual => {
                let kind = match (record.end, self.directory.skew(peer)) {
                    (CallEnd::Unreachable, Some(VersionSkew::FarIsOlder)) => CallEnd::NeedsNewerThere,
                    (CallEnd::Unreachable, Some(VersionSkew::OwnIsOlder)) => CallEnd::NeedsNewerHere,
                    (end, _) => end,
                };
                Some(Outcome { peer, name, kind })
            }
            Some(_) | None => None,
        };
        if is_idle {
            self.calls.set_outcome(outcome);
        } else if let Some(outcome) = outcome.filter(|outcome| outcome.kind != CallEnd::Missed) {
            self.publisher.notices().add(NoticeKind::CallFailed(outcome));
        }
    }

    pub(super) fn keep_in_history(&mut self, record: HistoryRecord) {
        if let Err(error) = self.store.add_history(&record) {
            tracing::warn!("the call was not kept in the history: {error}");
        }
        self.publisher.forget_history();
    }
}
