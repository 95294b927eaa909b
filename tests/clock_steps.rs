//! Wall clocks that are wrong, or are set while people ring and talk: nothing that either of them does is lost on the
//! other.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::clock::WallClock;
use support::process::{Launch, SOON, Visavis, call, meet, text};

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

fn low() -> Value {
    json!("low")
}

/// Two people, each with a wall clock of their own that is ahead by so many seconds when they start.
struct Pair {
    alice: Visavis,
    bob: Visavis,
    alices_clock: WallClock,
    bobs_clock: WallClock,
}

impl Pair {
    /// `None` where clocks cannot be moved.
    fn start(alice_ahead: i64, bob_ahead: i64) -> Option<Self> {
        let (mut alices_clock, mut bobs_clock) = (WallClock::new()?, WallClock::new()?);
        alices_clock.step(alice_ahead);
        bobs_clock.step(bob_ahead);
        let person = |name, clock: &WallClock| clock.give_to(Launch::new(name).with_synthetic_devices()).start();
        let (mut alice, mut bob) = (person("Alice", &alices_clock), person("Bob", &bobs_clock));
        meet(&mut alice, &mut bob);
        Some(Self { alice, bob, alices_clock, bobs_clock })
    }

    /// A call is made, and both are told what the other does: camera off, camera on, hang-up.
    fn call_and_hang_up(&mut self) {
        call(&mut self.alice, &mut self.bob, &low());
        self.change_and_hang_up();
    }

    fn change_and_hang_up(&mut self) {
        for on in [false, true] {
            self.alice.send(json!({ "command": "enable_video", "on": on }));
            self.bob.expect_where("stream_changed", SOON, |changed| changed["video"] == on);
        }
        self.bob.send(json!({ "command": "enable_video", "on": false }));
        self.alice.expect_where("stream_changed", SOON, |changed| changed["video"] == false);
        self.alice.say("leave");
        assert_eq!(self.alice.expect("conversation_disconnected")["reason"], "left");
        assert_eq!(self.bob.expect("conversation_disconnected")["reason"], "hung_up");
    }

    fn rings(&mut self) -> String {
        self.alice.invite(&self.bob.id.clone(), low());
        self.bob.expect_invite_from(&self.alice.id.clone())
    }
}

#[test]
fn a_step_of_either_clock_in_a_call_loses_neither_the_camera_switch_nor_the_hang_up() {
    let _machine = support::sharing();
    let Some(mut pair) = Pair::start(0, 0) else { return };
    // The last one ends before 1970. More calls than these within seconds are answered as busy.
    for (alice_steps, bob_steps) in [(90, 0), (-90, 0), (0, -DAY), (DAY, -90), (-80 * YEAR, 30 * YEAR)] {
        call(&mut pair.alice, &mut pair.bob, &low());
        pair.alices_clock.step(alice_steps);
        pair.bobs_clock.step(bob_steps);
        pair.change_and_hang_up();
    }
    pair.alice.quit();
    pair.bob.quit();
}

#[test]
fn a_step_of_either_clock_while_it_rings_loses_neither_cancel_nor_decline_nor_answer() {
    let _machine = support::sharing();
    for step in [90, -90, -DAY, 10 * YEAR] {
        let Some(mut pair) = Pair::start(0, 0) else { return };
        let invite = pair.rings();
        pair.alices_clock.step(step);
        pair.alice.send(json!({ "command": "cancel", "invite": invite }));
        pair.alice.expect("invite_canceled");
        pair.bob.expect("invite_canceled");

        let invite = pair.rings();
        pair.bobs_clock.step(step);
        pair.bob.send(json!({ "command": "reject", "invite": invite }));
        pair.alice.expect("invite_rejected");

        let invite = pair.rings();
        pair.alices_clock.step(-2 * step);
        pair.bobs_clock.step(-step);
        pair.bob.accept(&invite, low());
        // While it connects.
        pair.alices_clock.step(step);
        pair.alice.expect("first_frame");
        pair.bob.expect("first_frame");
        pair.change_and_hang_up();
        pair.alice.quit();
        pair.bob.quit();
    }
}

#[test]
fn people_whose_clocks_never_agreed_call_each_other_and_are_told_once() {
    let _machine = support::measuring();
    for (alice_ahead, bob_ahead) in [(90, 0), (0, DAY), (-70 * YEAR, 5 * YEAR)] {
        let Some(mut pair) = Pair::start(alice_ahead, bob_ahead) else { return };
        for _ in 0..2 {
            pair.call_and_hang_up();
        }
        is_told_once(&pair.alice, &pair.bob, bob_ahead - alice_ahead);
        is_told_once(&pair.bob, &pair.alice, alice_ahead - bob_ahead);
        pair.alice.quit();
        pair.bob.quit();
    }
}

/// One word about clocks, which may be about another program of this computer: there are more at times.
fn is_told_once(person: &Visavis, other: &Visavis, seconds_ahead: i64) {
    let told: Vec<_> = person.transcript().into_iter().filter(|event| event["event"] == "clocks_differ").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    if text(&told[0], "id") == other.id {
        let seconds = told[0]["seconds_ahead"].as_i64().expect("a number");
        assert!(seconds.abs_diff(seconds_ahead) < 30, "{seconds} s instead of {seconds_ahead} s");
    }
}
