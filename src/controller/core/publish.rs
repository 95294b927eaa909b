//! Snapshots for the window, made of the controller's state.

use std::sync::Arc;

use crate::call::{CallState, Conversation, IncomingInvite};
use crate::identity::PeerId;
use crate::media::MediaTime;

use super::Core;
use crate::controller::publisher::ShownHistory;
use crate::controller::{
    CallView, ConversationStatus, ConversationView, HistoryEntry, IncomingView, LocalStreamView, Me, Outcome,
    OutgoingView, Snapshot,
};
use crate::store::{HistoryRecord, KeptCall, Store};

/// History entries that the window shows.
const HISTORY_SHOWN: usize = 100;
/// Those of them that strangers have left by ringing in vain: anybody can make as many as they like.
const STRANGERS_SHOWN: usize = 30;

fn history_entry(kept: KeptCall) -> HistoryEntry {
    let KeptCall { number, times, record } = kept;
    let HistoryRecord { peer, name, outgoing, at_unix_s, duration_s, ended, seen, note } = record;
    let name = if name.is_empty() { peer.short() } else { name };
    let ended = Outcome { peer, name: name.clone(), kind: ended };
    HistoryEntry { number, times, peer, name, outgoing, at_unix_s, duration_s, ended, seen, note }
}

fn read_history(store: &Store, is_contact: impl Fn(PeerId) -> bool) -> ShownHistory {
    let read = store.history().and_then(|records| Ok((records, store.unseen_calls()?)));
    let (records, missed) =
        read.inspect_err(|error| tracing::warn!("the history could not be read: {error}")).unwrap_or_default();
    let mut strangers = 0;
    let is_shown = |kept: &KeptCall| {
        let by_stranger = kept.record.is_incoming_in_vain() && !is_contact(kept.record.peer);
        strangers += usize::from(by_stranger);
        !by_stranger || strangers <= STRANGERS_SHOWN
    };
    ShownHistory {
        calls: records.into_iter().filter(is_shown).take(HISTORY_SHOWN).map(history_entry).collect(),
        missed,
    }
}

impl Core {
    /// Makes and publishes a snapshot now.
    pub(super) fn publish_now(&mut self) {
        let history = self.publisher.history(|| read_history(&self.store, |peer| self.directory.is_contact(peer)));
        let snapshot = Snapshot {
            me: Me {
                id: self.directory.me(),
                name: self.preferences.settings().display_name.clone(),
                link: self.link(),
                picture: self.directory.pictures().own().cloned(),
                invitation: self.directory.invitation().map(str::to_owned),
            },
            people: self.directory.list(),
            missed: history.missed,
            history: history.calls,
            settings: self.preferences.settings().clone(),
            devices: self.devices.devices().clone(),
            local_stream: self.local_stream_view(),
            call: self.call_view(),
            waiting: self.calls.waiting().map(|incoming| self.incoming_view(incoming)).collect(),
            do_not_disturb: self.preferences.is_do_not_disturb(),
            outcome: self.calls.outcome().cloned(),
            servers: self.signaling.servers().statuses(),
            notices: self.publisher.noted(),
        };
        self.publisher.put(MediaTime::now(), snapshot);
    }

    fn local_stream_view(&self) -> LocalStreamView {
        let camera = self.captures.working_camera();
        let (width, height) = camera.map_or((0, 0), |(_, format)| (format.width, format.height));
        let microphone = self.captures.working_microphone();
        let sends = self.calls.sends().unwrap_or_default();
        let (sends_audio, sends_video) = (sends.audio(), sends.camera());
        LocalStreamView {
            audio: microphone.is_some() && !self.sending.gates().is_muted(),
            video: camera.is_some(),
            sends_audio,
            sends_video,
            spoke_muted: self.captures.spoke_muted() && !sends_audio,
            width,
            height,
            fps: self.captures.measured_fps(),
            camera_mode: self.captures.camera_mode(),
            camera: camera.map(|(name, _)| name.to_owned()).unwrap_or_default(),
            microphone: microphone.map(str::to_owned).unwrap_or_default(),
            preview: Arc::clone(self.captures.preview()),
            level: Arc::clone(self.captures.level()),
            camera_fault: self.captures.camera_fault().cloned(),
            microphone_fault: self.captures.microphone_fault().cloned(),
            speaker_fault: self.speaker.fault().cloned(),
        }
    }

    pub(super) fn call_view(&self) -> CallView {
        match self.calls.state() {
            CallState::Idle => CallView::Idle,
            CallState::Outgoing(outgoing) => CallView::Outgoing(OutgoingView {
                invite: outgoing.invite(),
                peer: outgoing.to(),
                name: self.directory.name_of(outgoing.to(), None),
                ringing: outgoing.ringing(),
            }),
            CallState::Incoming(incoming) => CallView::Incoming(self.incoming_view(incoming)),
            CallState::Conversation(conversation) => CallView::Conversation(self.conversation_view(conversation)),
        }
    }

    fn incoming_view(&self, incoming: &IncomingInvite) -> IncomingView {
        let from = incoming.from();
        let name = self.directory.name_of(from, Some(incoming.name()));
        let namesake = self.directory.namesake(from, &name);
        IncomingView {
            invite: incoming.invite(),
            peer: from,
            name,
            user_data: incoming.user_data().to_owned(),
            known: incoming.is_contact(),
            namesake: namesake.map(|previous| self.directory.name_of(previous, None)),
            with_video: incoming.with_video(),
        }
    }

    fn conversation_view(&self, conversation: &Conversation) -> ConversationView {
        let participants = conversation
            .participants()
            .filter_map(|(id, participant)| {
                let name = self.directory.name_of(id, Some(participant.name()));
                self.remotes.view(id, name, participant)
            })
            .collect();
        ConversationView {
            conversation: conversation.id(),
            status: match conversation.connected_at() {
                Some(_) => ConversationStatus::Connected,
                None => ConversationStatus::Connecting,
            },
            connected_at: conversation.connected_at(),
            participants,
        }
    }
}
