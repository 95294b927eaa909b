//! What the state chart asks for, done: messages, devices, connections, sounds, reports.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::call::{
    CallEnd, CallRecord, CallReport, CallState, Consent, ConversationId, DisconnectReason, Effect, EngineEvent, Input,
    Message, RecordedParticipant, Role,
};
use crate::identity::PeerId;
use crate::media::{LevelMeter, MediaTime, StreamId, StreamKind, StreamState};
use crate::media_receive::{PictureMeter, PictureReceiver, SharedAvSync};
use crate::playout::Sound;
use crate::rtc::PeerSinks;

use super::core::{Core, unix_seconds};
use super::engine_lane::EngineLane;
use super::frame_trace::traced_slot;
use super::people::echo_id;
use super::remote::Remote;
use super::system_event::{Hint, SystemEvent};
use super::{Event, NoticeKind, Outcome};
use crate::store::HistoryRecord;

impl Core {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(to, message),
            Effect::OpenPreview { consent, streams } | Effect::OpenMedia { consent, streams } => {
                self.captures.open(consent, streams, self.preferences.settings());
                self.report_local_stream();
            }
            Effect::CloseStream { stream: StreamId::CAMERA } => {
                self.captures.close_camera(self.preferences.settings());
                self.report_local_stream();
            }
            // No other stream of pictures has a device yet.
            Effect::CloseStream { .. } => {}
            Effect::ReleaseMedia { conversation } => self.release_media(Some(conversation)),
            Effect::ConnectPeer { consent, conversation, peer, role } => {
                self.connect(&consent, conversation, peer, role);
            }
            Effect::ApplyDescription { peer, description, .. } => {
                if let Some(remote) = self.remotes.get(&peer) {
                    remote.peer.set_remote_description(description);
                }
            }
            Effect::ApplyCandidate { peer, candidate, .. } => {
                if let Some(remote) = self.remotes.get(&peer) {
                    remote.peer.add_remote_candidate(candidate);
                }
            }
            Effect::RestartIce { peer, generation, .. } => {
                if let Some(remote) = self.remotes.get(&peer) {
                    remote.peer.restart_ice(generation);
                }
            }
            Effect::RenewRoute { peer } => self.signaling.renew(peer),
            Effect::ClosePeer { conversation, peer } => self.close_peer(conversation, peer),
            Effect::StartRinging => self.speaker.play(Sound::Ringtone),
            Effect::StartRingBack => self.speaker.play(Sound::RingBack),
            Effect::StopRinging => {
                self.speaker.stop(Sound::Ringtone);
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
        let conversation = call.id();
        let mut untold = Vec::new();
        for (&id, remote) in self.remotes.iter_mut().filter(|(_, remote)| remote.conversation == conversation) {
            if let Some((max_height, told @ false)) = &mut remote.wish {
                *told = true;
                untold.push((id, Message::Wish { conversation, stream: StreamId::CAMERA, max_height: *max_height }));
            }
        }
        untold.into_iter().for_each(|(to, message)| self.send(to, message));
    }

    /// A wish that did not arrive is told again with the next statistics.
    pub(super) fn forget_wish(&mut self, to: PeerId, message: &Message) {
        if let (Message::Wish { .. }, Some(remote)) = (message, self.remotes.get_mut(&to))
            && let Some((_, told)) = &mut remote.wish
        {
            *told = false;
        }
    }

    fn connect(&mut self, consent: &Consent, conversation: ConversationId, id: PeerId, role: Role) {
        self.connections += 1;
        let connection = self.connections;
        let level = Arc::new(LevelMeter::with_notice(self.publisher.picture_notice()));
        let (pictures, av_sync) = (PictureMeter::default(), SharedAvSync::default());
        let (input, audio) = self.speaker.add_participant(Arc::clone(&level), av_sync.clone());
        let picture = traced_slot(&self.trace, self.publisher.picture_notice());
        let parts = self.parts.clone();
        let first = move |width, height| {
            parts.system.send(SystemEvent::FirstPicture { peer: id, connection, conversation, width, height });
        };
        let video = PictureReceiver::new(Arc::clone(&picture), pictures.clone(), Some(av_sync), first);
        let sinks = PeerSinks { video: Box::new(video), audio: Box::new(input) };
        let keyframe_asked = Arc::new(AtomicBool::new(false));
        let keyframe = Hint::Keyframe { peer: id, connection };
        let system = EngineLane::new(self.parts.clone(), Arc::clone(&keyframe_asked), keyframe);
        let engine = match self.signaling.path_to(id) {
            _ if id == echo_id() => self.loopback.clone(),
            Some(path) => self.engine.along(path),
            None => self.engine.clone(),
        };
        let peer = engine.connect(consent, role, sinks, move |event| {
            system.send(event, |event| SystemEvent::Engine { peer: id, connection, conversation, event });
        });
        let now = MediaTime::now();
        let remote = Remote {
            connection,
            conversation,
            peer,
            picture,
            pictures,
            level,
            audio,
            muted_here: false,
            hidden_here: false,
            closing: false,
            keyframe_asked,
            wish: None,
            sent: Default::default(),
            received: Default::default(),
            counted: (now, Default::default()),
            sampled: (now, Default::default()),
            history: Default::default(),
        };
        self.remotes.insert(id, remote);
        self.update_fan_out();
        self.sending.start_video(self.captures.format());
        self.schedule_statistics();
    }

    pub(super) fn update_fan_out(&self) {
        let peers: Vec<_> = self
            .remotes
            .iter()
            .filter(|(_, remote)| !remote.closing)
            .map(|(&id, remote)| (id, remote.peer.clone()))
            .collect();
        self.publisher.set_others_drawn(!peers.is_empty());
        self.sending.set_peers(peers);
    }

    fn close_peer(&mut self, conversation: ConversationId, peer: PeerId) {
        match self.remotes.get_mut(&peer).filter(|remote| remote.conversation == conversation) {
            Some(remote) => {
                remote.closing = true;
                remote.picture.close();
                remote.audio.set_muted(true);
                remote.peer.close();
                self.update_fan_out();
            }
            None => self.step(Input::Engine { conversation, peer, event: EngineEvent::Closed }),
        }
    }

    fn on_report(&mut self, report: CallReport) {
        let event = match report {
            CallReport::InviteSent { invite, to, conversation } => Event::InviteSent { invite, to, conversation },
            CallReport::Invite { invite, from, name, user_data, conversation, contact } => {
                let name = self.directory.name_of(from, Some(&name));
                Event::Invite { invite, from, name, user_data, conversation, contact }
            }
            CallReport::InviteAccepted { invite, conversation } => Event::InviteAccepted { invite, conversation },
            CallReport::InviteRejected { invite } => Event::InviteRejected { invite },
            CallReport::InviteCanceled { invite } => Event::InviteCanceled { invite },
            CallReport::InviteBusy { invite } => Event::InviteBusy { invite },
            CallReport::InviteTimeout { invite } => Event::InviteTimeout { invite },
            CallReport::InviteFailed { invite, error } => {
                Event::InviteFailed { invite, code: error.code(), message: error.to_string() }
            }
            CallReport::ConversationConnecting { conversation } => {
                self.calls.set_outcome(None);
                Event::ConversationConnecting { conversation }
            }
            CallReport::ConversationConnected { conversation } => Event::ConversationConnected { conversation },
            CallReport::ParticipantConnected { conversation, participant, name } => {
                let name = self.directory.name_of(participant, Some(&name));
                Event::ParticipantConnected { conversation, participant, name }
            }
            CallReport::StreamAdded { conversation, participant, stream, streams } => {
                let (audio, video, on) = (streams.audio(), streams.camera(), stream.on);
                let StreamState { id: stream, kind, .. } = stream;
                Event::StreamAdded { conversation, participant, audio, video, stream, kind, on }
            }
            CallReport::StreamChanged { conversation, participant, stream, streams } => {
                self.on_stream_changed(participant, stream);
                let (audio, video, on) = (streams.audio(), streams.camera(), stream.on);
                let StreamState { id: stream, kind, .. } = stream;
                Event::StreamChanged { conversation, participant, audio, video, stream, kind, on }
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
            CallReport::CommandFailed { command, error } => {
                Event::Error { code: error.code(), message: error.to_string(), command: command.to_owned() }
            }
            CallReport::InviteRinging { .. } => return,
            CallReport::RangDuringCall { from, name, at, .. } => return self.on_rang_during_call(from, &name, at),
            CallReport::CallEnded(record) => return self.on_call_ended(record),
        };
        self.report(event);
    }

    /// A far camera that is off shows no last picture.
    fn on_stream_changed(&self, participant: PeerId, stream: StreamState) {
        let Some(remote) = self.remotes.get(&participant) else { return };
        if stream.kind != StreamKind::Camera {
            return;
        }
        remote.pictures.expect_pictures(stream.on);
        if !stream.on {
            remote.picture.clear();
        }
    }

    fn on_rang_during_call(&mut self, from: PeerId, said: &str, at: MediaTime) {
        let name = self.directory.name_of(from, Some(said));
        self.keep_in_history(HistoryRecord {
            peer: from,
            name: name.clone(),
            outgoing: false,
            at_unix_s: unix_seconds(at),
            duration_s: 0,
            ended: CallEnd::Missed,
        });
        self.publisher.notices().add(NoticeKind::RangDuringCall { name });
    }

    fn on_call_ended(&mut self, record: CallRecord) {
        let named = record
            .participants
            .iter()
            .map(|RecordedParticipant { peer, name }| (*peer, self.directory.name_of(*peer, Some(name))));
        let named: Vec<(PeerId, String)> = named.collect();
        for (peer, name) in &named {
            self.keep_in_history(HistoryRecord {
                peer: *peer,
                name: name.clone(),
                outgoing: record.outgoing,
                at_unix_s: unix_seconds(record.began),
                duration_s: record.connected_seconds(),
                ended: record.end,
            });
        }
        // What one pressed oneself needs no telling.
        let by_own_press = match record.end {
            CallEnd::Ended(DisconnectReason::Left) | CallEnd::DeclinedHere | CallEnd::Canceled => true,
            CallEnd::Ended(DisconnectReason::HungUp | DisconnectReason::Failed | DisconnectReason::Lost)
            | CallEnd::Declined
            | CallEnd::Busy
            | CallEnd::NoAnswer
            | CallEnd::Missed
            | CallEnd::Unreachable
            | CallEnd::NeedsNewerHere
            | CallEnd::NeedsNewerThere => false,
        };
        // The words are about one person; a call of several ends by one's own press, or with the last of them.
        let outcome = match named.into_iter().next_back() {
            Some((peer, name)) if !by_own_press => Some(Outcome { peer, name, kind: record.end }),
            Some(_) | None => None,
        };
        self.calls.set_outcome(outcome);
    }

    fn keep_in_history(&mut self, record: HistoryRecord) {
        if let Err(error) = self.store.add_history(&record) {
            tracing::warn!("the call was not kept in the history: {error}");
        }
        self.publisher.forget_history();
    }
}
