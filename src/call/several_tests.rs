//! Conversations of three. No protocol brings a third person into one yet: here they are put in by hand.

use super::*;
use crate::identity::PeerId;
use crate::media::{MediaSet, MediaTime, StreamId, StreamState};

use super::participant::Participant;

const ANN: PeerId = PeerId::from_bytes([1; 32]);
const BOB: PeerId = PeerId::from_bytes([2; 32]);
const CAT: PeerId = PeerId::from_bytes([3; 32]);

/// Ann's machine.
struct Side {
    machine: CallMachine,
    effects: Vec<Effect>,
}

impl Side {
    /// In a conversation with Bob, who is connected, and Cat, who is being connected.
    fn with_two_others() -> Self {
        let mut side = Self { machine: CallMachine::new(ANN, "Ann"), effects: Vec::new() };
        let (invite, conversation) = (InviteId::from_bits(1), ConversationId::from_bits(1));
        let streams = MediaSet::of_call(true, true);
        let press = Press::Invite { invite, conversation, to: BOB, user_data: String::new(), streams };
        side.at(0, Input::Local(press));
        side.from(10, BOB, Message::Accept { invite, name: "Bob".to_owned(), streams });
        side.engine(20, BOB, EngineEvent::Connected);
        let CallState::Conversation(current) = &mut side.machine.state else { panic!("no conversation") };
        let cat = Participant::new("Cat".to_owned(), streams, Role::Answerer, MediaTime::from_millis(30));
        current.participants.insert(CAT, cat);
        side.effects.clear();
        side
    }

    fn at(&mut self, ms: u64, input: Input) {
        self.machine.step(MediaTime::from_millis(ms), input, &mut self.effects);
    }

    fn from(&mut self, ms: u64, from: PeerId, message: Message) {
        self.at(ms, Input::Peer { from, standing: Standing::Contact, message });
    }

    fn engine(&mut self, ms: u64, peer: PeerId, event: EngineEvent) {
        self.at(ms, Input::Engine { conversation: ConversationId::from_bits(1), peer, event });
    }

    fn conversation(&self) -> &Conversation {
        match self.machine.state() {
            CallState::Conversation(current) => current,
            _ => panic!("no conversation"),
        }
    }

    fn reports(&self) -> Vec<&CallReport> {
        let reports = self.effects.iter();
        reports.filter_map(|effect| if let Effect::Report(report) = effect { Some(report) } else { None }).collect()
    }

    fn records(&self) -> Vec<&CallRecord> {
        let reports = self.reports().into_iter();
        reports
            .filter_map(|report| if let CallReport::CallEnded(record) = report { Some(record) } else { None })
            .collect()
    }

    fn sent_to(&self, wanted: impl Fn(&Message) -> bool) -> Vec<PeerId> {
        let sent = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send { to, message } if wanted(message) => Some(*to),
            _ => None,
        });
        sent.collect()
    }
}

#[test]
fn each_participant_is_connected_for_themselves_and_the_conversation_once() {
    let mut ann = Side::with_two_others();
    let since = ann.conversation().connected_at();
    ann.engine(500, CAT, EngineEvent::Connected);
    assert!(matches!(
        ann.reports()[..],
        [
            CallReport::ParticipantConnected { participant: CAT, .. },
            CallReport::StreamAdded(ParticipantStream { participant: CAT, .. }),
            CallReport::StreamAdded(ParticipantStream { participant: CAT, .. }),
        ]
    ));
    assert_eq!(ann.conversation().connected_at(), since);
}

#[test]
fn a_change_of_streams_is_told_to_everybody_and_each_ones_wish_counts() {
    let mut ann = Side::with_two_others();
    ann.engine(500, CAT, EngineEvent::Connected);
    ann.at(1000, Input::Local(Press::EnableStream(StreamState::camera(false))));
    assert_eq!(ann.sent_to(|message| matches!(message, Message::Media { .. })), [BOB, CAT]);
    let conversation = ConversationId::from_bits(1);
    let wish = |max_height| Message::Wish { conversation, stream: StreamId::CAMERA, max_height };
    ann.from(1100, BOB, wish(360));
    let wishes = |ann: &Side| -> Vec<_> {
        ann.conversation().participants().map(|(_, one)| one.wish(StreamId::CAMERA)).collect()
    };
    assert_eq!(wishes(&ann), [Some(360), None], "Cat wants all lines until she says");
    ann.from(1101, CAT, wish(720));
    assert_eq!(wishes(&ann), [Some(360), Some(720)], "each one's own is kept");
}

#[test]
fn an_interruption_is_that_of_one_participant() {
    let mut ann = Side::with_two_others();
    ann.engine(500, CAT, EngineEvent::Connected);
    ann.effects.clear();
    ann.engine(1000, BOB, EngineEvent::Interrupted);
    ann.at(2500, Input::Deadline);
    assert_eq!(ann.sent_to(|message| matches!(message, Message::Restart { .. })), [BOB]);
    let links: Vec<_> =
        ann.conversation().participants().map(|(_, one)| one.state() == ParticipantState::Connected).collect();
    assert_eq!(links, [false, true]);
}

#[test]
fn one_who_leaves_takes_nobody_along_and_the_record_names_all() {
    let mut ann = Side::with_two_others();
    ann.engine(500, CAT, EngineEvent::Connected);
    ann.effects.clear();
    let conversation = ConversationId::from_bits(1);
    ann.from(5000, BOB, Message::Leave { conversation });
    assert!(ann.records().is_empty());
    assert!(ann.effects.contains(&Effect::ClosePeer { conversation, peer: BOB }));
    assert!(!ann.effects.iter().any(|effect| matches!(effect, Effect::ReleaseMedia { .. })));
    assert_eq!(ann.conversation().participants().map(|(peer, _)| peer).collect::<Vec<_>>(), [CAT]);
    ann.from(9000, CAT, Message::Leave { conversation });
    let records = ann.records();
    let names: Vec<_> = records.iter().flat_map(|record| &record.participants).map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Bob", "Cat"]);
    assert_eq!((records.len(), records[0].connected_seconds()), (1, 8));
}

#[test]
fn hanging_up_leaves_everybody_and_ends_when_all_is_released() {
    let mut ann = Side::with_two_others();
    ann.at(5000, Input::Local(Press::Leave));
    assert_eq!(ann.sent_to(|message| matches!(message, Message::Leave { .. })), [BOB, CAT]);
    assert_eq!(ann.records()[0].participants.len(), 2);
    let conversation = ConversationId::from_bits(1);
    ann.at(5001, Input::MediaReleased { conversation });
    ann.engine(5002, BOB, EngineEvent::Closed);
    let over = |report: &&CallReport| matches!(report, CallReport::ConversationDisconnected { .. });
    assert!(!ann.reports().iter().any(over), "Cat's connection still closes");
    ann.engine(5003, CAT, EngineEvent::Closed);
    assert!(ann.reports().iter().any(over));
}

#[test]
fn the_first_participant_may_fail_while_another_is_connected() {
    let mut ann = Side::with_two_others();
    ann.engine(1000, CAT, EngineEvent::Failed);
    assert!(matches!(ann.reports()[..], [CallReport::ParticipantFailed { participant: CAT, .. }]));
    assert_eq!(ann.conversation().participants().count(), 1);
}
