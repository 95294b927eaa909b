//! Two people invite each other at the same time: one call results, with no further press. Two state charts, joined by
//! a network that delays but keeps the order of each direction, and by engines that connect when both described
//! themselves.

mod call_rig;

use std::collections::BTreeMap;

use call_rig::{Side, conversation_id, id, invite_press};
use visavis::call::{
    CallReport, CallState, ConversationId, DescriptionKind, Effect, EngineEvent, Input, Message, Press, Standing,
};
use visavis::media::MediaSet;

/// A small pseudo-random sequence (SplitMix64), so that each seed is one fixed timing.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// The two sides, and what is on its way by the millisecond of its arrival.
struct World {
    sides: [Side; 2],
    events: BTreeMap<(u64, u64), (usize, Input)>,
    reports: [Vec<CallReport>; 2],
    number: u64,
    last_arrival: [u64; 2],
    /// Invites that never arrive, by sender.
    unreachable: [bool; 2],
    dice: Dice,
}

impl World {
    fn new(seed: u64, ids: [u8; 2]) -> Self {
        Self {
            sides: ids.map(Side::new),
            events: BTreeMap::new(),
            reports: [Vec::new(), Vec::new()],
            number: 0,
            last_arrival: [0; 2],
            unreachable: [false; 2],
            dice: Dice(seed),
        }
    }

    fn later(&mut self, ms: u64, side: usize, input: Input) {
        self.number += 1;
        self.events.insert((ms, self.number), (side, input));
    }

    fn run(&mut self, ids: [u8; 2]) {
        let mut turns = 0;
        while let Some(((ms, _), (side, input))) = self.events.pop_first() {
            turns += 1;
            assert!(turns < 2_000, "the two sides come to rest");
            self.sides[side].at(ms, input);
            for effect in std::mem::take(&mut self.sides[side].effects) {
                self.carry_out(ms, side, ids, effect);
            }
            if self.events.is_empty() && !self.all_at_rest() {
                let due = self.sides.iter().filter_map(|side| side.machine.next_deadline()).min();
                if let Some(due) = due {
                    for side in 0..2 {
                        self.later(due.as_millis().max(ms), side, Input::Deadline);
                    }
                }
            }
        }
    }

    fn all_at_rest(&self) -> bool {
        self.sides.iter().all(|side| side.machine.next_deadline().is_none())
    }

    fn carry_out(&mut self, ms: u64, side: usize, ids: [u8; 2], effect: Effect) {
        let far = 1 - side;
        let peer = id(ids[far]);
        let engine = |conversation, event| Input::Engine { conversation, peer, event };
        match effect {
            Effect::Send { message, .. } => {
                if self.unreachable[side] && matches!(message, Message::Invite { .. }) {
                    self.later(ms + 50, side, Input::Undelivered { to: peer, message });
                    return;
                }
                let delay = self.dice.below(300);
                let arrival = (ms + delay).max(self.last_arrival[far]);
                self.last_arrival[far] = arrival;
                self.later(arrival, far, Input::Peer { from: id(ids[side]), standing: Standing::Contact, message });
            }
            Effect::ConnectPeer { conversation, role: visavis::call::Role::Offerer, .. } => {
                self.later(ms + 5, side, engine(conversation, EngineEvent::Described(call_rig::offer())));
            }
            Effect::ApplyDescription { conversation, description, .. } => {
                if description.kind == DescriptionKind::Offer {
                    let mut answer = call_rig::offer();
                    answer.kind = DescriptionKind::Answer;
                    self.later(ms + 5, side, engine(conversation, EngineEvent::Described(answer)));
                }
                self.later(ms + 400, side, engine(conversation, EngineEvent::Connected));
            }
            Effect::ClosePeer { conversation, .. } => {
                self.later(ms + 20, side, engine(conversation, EngineEvent::Closed));
            }
            Effect::ReleaseMedia { conversation } => {
                self.later(ms + 30, side, Input::MediaReleased { conversation });
            }
            Effect::Report(report) => self.reports[side].push(report),
            Effect::ConnectPeer { .. }
            | Effect::OpenPreview { .. }
            | Effect::OpenMedia { .. }
            | Effect::CloseStream { .. }
            | Effect::ApplyCandidate { .. }
            | Effect::RestartIce { .. }
            | Effect::RenewRoute { .. }
            | Effect::StartRinging
            | Effect::StartRingBack
            | Effect::StopRinging
            | Effect::StartWaitingTone
            | Effect::StopWaitingTone => {}
        }
    }

    fn conversations(&self) -> [Option<ConversationId>; 2] {
        [0, 1].map(|side| match self.sides[side].machine.state() {
            CallState::Conversation(current) if current.connected_at().is_some() => Some(current.id()),
            _ => None,
        })
    }

    fn connected_times(&self, side: usize) -> usize {
        self.reports[side].iter().filter(|report| matches!(report, CallReport::ConversationConnected { .. })).count()
    }
}

fn press(ids: [u8; 2], side: usize) -> Input {
    Input::Local(invite_press(10 + side as u128, ids[1 - side]))
}

#[test]
fn a_thousand_timings_of_two_invites_give_one_call_each() {
    for seed in 0..1_000 {
        let ids = if seed % 2 == 0 { [1, 2] } else { [2, 1] };
        let mut world = World::new(seed, ids);
        // Both press before either invite can have rung: within the least delay of the other's message or before it.
        let (first, second) = (world.dice.below(50), world.dice.below(50));
        world.later(1000 + first, 0, press(ids, 0));
        world.later(1000 + second, 1, press(ids, 1));
        world.run(ids);
        let [a, b] = world.conversations();
        assert!(a.is_some() && a == b, "seed {seed}: {a:?} {b:?}");
        assert_eq!([world.connected_times(0), world.connected_times(1)], [1, 1], "seed {seed}");
        let winner = if ids[0] < ids[1] { 0 } else { 1 };
        if world.reports.iter().flatten().all(|report| !matches!(report, CallReport::Invite { .. })) {
            assert_eq!(a, Some(conversation_id(10 + winner)), "seed {seed}: the smaller ID's invite stands");
        }
    }
}

#[test]
fn an_invite_that_is_lost_is_made_good_by_the_one_that_crossed_it() {
    for lost in 0..2 {
        for seed in 0..100 {
            let ids = [1, 2];
            let mut world = World::new(seed, ids);
            world.unreachable[lost] = true;
            world.later(1000, lost, press(ids, lost));
            // The other's invite arrives before the loss is known, or rings after it.
            world.later(1000, 1 - lost, press(ids, 1 - lost));
            let arrives_in_time = Dice(seed).below(300) < 50;
            world.run(ids);
            let [a, b] = world.conversations();
            assert_eq!(a, b, "lost {lost}, seed {seed}");
            assert!(a.is_some() || !arrives_in_time, "lost {lost}, seed {seed}");
        }
    }
}

#[test]
fn two_invites_crossed_by_any_press_end_alike_on_both_sides() {
    for seed in 0..2_000 {
        let ids = if seed % 2 == 0 { [1, 2] } else { [2, 1] };
        let mut world = World::new(seed, ids);
        let (first, second) = (world.dice.below(300), world.dice.below(300));
        world.later(1000 + first, 0, press(ids, 0));
        world.later(1000 + second, 1, press(ids, 1));
        let side = world.dice.below(2) as usize;
        let other = 1 - side;
        let when = 1000 + world.dice.below(1500);
        let (own, theirs) = (call_rig::invite_id(10 + side as u128), call_rig::invite_id(10 + other as u128));
        let meddling = match world.dice.below(5) {
            0 => Press::Cancel { invite: own },
            1 => Press::Reject { invite: theirs },
            2 => Press::Accept { invite: theirs, streams: MediaSet::of_call(true, true) },
            3 => Press::Leave,
            _ => invite_press(20, ids[other]),
        };
        world.later(when, side, Input::Local(meddling.clone()));
        world.run(ids);
        let [a, b] = world.conversations();
        assert_eq!(a, b, "seed {seed}, {meddling:?} at {when}");
        for side in &world.sides {
            assert!(side.is_idle() || a.is_some(), "seed {seed}: nobody is left hanging");
            assert!(!side.machine.is_closing(), "seed {seed}: everything is released");
        }
        for side in 0..2 {
            assert!(world.connected_times(side) <= 1, "seed {seed}");
            let ended = |report: &&CallReport| matches!(report, CallReport::ConversationDisconnected { .. });
            let begun = |report: &&CallReport| matches!(report, CallReport::ConversationConnecting { .. });
            let running = usize::from(a.is_some());
            let reports = &world.reports[side];
            assert_eq!(reports.iter().filter(begun).count(), reports.iter().filter(ended).count() + running);
        }
    }
}
