//! Dials of one person, with given times.

use super::*;

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A run of an earlier version, which does not say on which device it is.
fn old() -> Connected {
    Connected::new(&"old".into(), None, None)
}

/// A run on a device, to which a dial has led by an address or not.
fn on_device(run: &str, led: Option<SocketAddr>) -> Connected {
    Connected::new(&run.into(), Some(DeviceId::from_bytes([1; 16])), led)
}

#[test]
fn each_device_is_dialed_and_none_that_is_connected() {
    let now = Instant::now();
    let mut person = Dialing::new(false, now);
    person.found("desk.local.".into(), vec![address(1)], now);
    person.connected(on_device("desk", Some(address(1))), now);
    assert_eq!(person.dial_at(), None);
    person.found("lap.local.".into(), vec![address(2)], now);
    assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(2)]));
    // It has dialed this side.
    person.connected(on_device("lap", None), now);
    assert_eq!(person.dial_at(), None);
    person.disconnected("desk", SETTLED, now);
    assert_eq!((person.dial_at(), person.addresses()), (Some(now + FIRST_DELAY), vec![address(1)]));
    person.replaced("lap");
    assert_eq!(person.addresses(), [address(1), address(2)], "the latest led nowhere");
}

#[test]
fn an_address_that_led_to_a_connected_device_is_not_dialed_for_another_name() {
    let now = Instant::now();
    let mut person = Dialing::new(false, now);
    person.connected(on_device("desk", None), now);
    person.found("forged.local.".into(), vec![address(1), address(2)], now);
    assert_eq!(person.addresses(), [address(1), address(2)]);
    person.connected(on_device("desk", Some(address(1))), now);
    assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(2)]));
    person.connected(on_device("desk", Some(address(2))), now);
    assert_eq!(person.dial_at(), None);
    person.found("forged again.local.".into(), vec![address(1)], now);
    assert_eq!(person.dial_at(), None);
    for port in 10..100 {
        person.connected(on_device("desk", Some(address(port))), now);
    }
    assert_eq!(person.connected[0].led.len(), MAX_LED);
}

#[test]
fn an_address_that_leads_to_a_connected_device_through_somebody_else_is_dialed_once() {
    let now = Instant::now();
    let mut person = Dialing::new(false, now);
    person.connected(on_device("desk", Some(address(1))), now);
    person.found("forged.local.".into(), vec![address(2)], now);
    assert_eq!((person.addresses(), person.settled_runs()), (vec![address(2)], vec!["desk".into()]));
    person.led("another", address(2));
    assert_eq!(person.addresses(), [address(2)], "no such run is connected");
    person.led("desk", address(2));
    person.dial_failed(now);
    assert_eq!(person.dial_at(), None);
    person.found("forged again.local.".into(), vec![address(2)], now);
    assert_eq!(person.dial_at(), None);
    person.renew(now, |run| run == "desk");
    assert_eq!(person.settled_runs(), [], "another connection is wanted");
    assert_eq!(person.dial_at(), Some(now));
    for port in 10..100 {
        person.led("desk", address(port));
    }
    assert_eq!((person.connected[0].led.len(), person.connected[0].led[0]), (MAX_LED, address(99)));
}

#[test]
fn beside_a_device_that_is_connected_old_announcements_are_tried_seldom() {
    let mut now = Instant::now();
    let mut person = Dialing::new(false, now);
    person.connected(on_device("after", None), now);
    person.found("before.local.".into(), vec![address(1)], now);
    let dials = (0..10).map(|_| {
        person.dial_failed(now);
        now = person.dial_at().unwrap();
        now
    });
    let dials: Vec<_> = dials.collect();
    assert_eq!(dials[9] - dials[8], LONGEST_DELAY_BESIDE);
}

#[test]
fn the_renewal_of_one_device_leaves_the_other_alone() {
    let now = Instant::now();
    let mut person = Dialing::new(false, now);
    for (run, port) in [("desk", 1), ("lap", 2)] {
        person.found(format!("{run}.local."), vec![address(port)], now);
        person.connected(on_device(run, Some(address(port))), now);
    }
    person.renew(now, |run| run == "desk");
    assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(1)]));
    person.renew(now, |_| true);
    assert_eq!(person.addresses(), [address(2), address(1)]);
    person.connected(on_device("lap", Some(address(2))), now);
    person.note_heard("lap");
    assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(1)]), "the other one is due, too");
    person.note_heard("desk");
    assert_eq!(person.dial_at(), None);
}

#[test]
fn the_lower_id_dials_at_once_and_the_higher_a_little_later() {
    let now = Instant::now();
    for (waits, expected) in [(false, now), (true, now + HEAD_START)] {
        let mut person = Dialing::new(waits, now);
        assert_eq!(person.dial_at(), None);
        person.found("a".into(), vec![address(1)], now);
        assert_eq!(person.dial_at(), Some(expected));
    }
}

#[test]
fn failing_dials_become_rare_and_a_new_announcement_is_tried_at_once() {
    let start = Instant::now();
    let mut person = Dialing::new(false, start);
    person.found("a".into(), vec![address(1)], start);
    let mut now = start;
    let mut delays = Vec::new();
    for _ in 0..10 {
        person.dial_failed(now);
        let next = person.dial_at().unwrap();
        delays.push(next - now);
        now = next;
    }
    assert_eq!(delays[0], FIRST_DELAY);
    assert_eq!(delays[9], LONGEST_DELAY);
    person.dial_failed(now);
    person.found("a".into(), vec![address(1)], now);
    assert_eq!(person.dial_at(), Some(now + LONGEST_DELAY), "the same announcement again is no news");
    person.found("b".into(), vec![address(2)], now);
    assert_eq!(person.dial_at(), Some(now));
    assert_eq!(person.addresses(), [address(2), address(1)]);
    person.dial_failed(now);
    assert_eq!(person.addresses(), [address(1), address(2)], "what led nowhere is not tried first again");
}

#[test]
fn an_announcement_that_comes_during_a_dial_is_tried_as_soon_as_that_has_failed() {
    let start = Instant::now();
    let mut person = Dialing::new(false, start);
    person.found("a".into(), vec![address(1)], start);
    (0..5).for_each(|_| person.dial_failed(start));
    person.dialing = Some((Lane::Proven, address(1).ip()));
    person.found("b".into(), vec![address(2)], start);
    let over = start + Duration::from_secs(3);
    person.dial_failed(over);
    assert!(person.dial_at().is_some_and(|at| at <= over));
    assert_eq!(person.addresses()[0], address(2));
    person.dial_failed(over);
    assert_eq!(person.dial_at(), Some(over + LONGEST_DELAY));
}

#[test]
fn announcements_without_end_do_not_make_dials_without_end() {
    let start = Instant::now();
    let mut person = Dialing::new(false, start);
    let mut dials = 0;
    // A new port each 100 ms for a minute, none of which answers.
    for tenth in 0..600_u64 {
        let now = start + Duration::from_millis(tenth * 100);
        person.found(format!("{tenth}"), vec![address(tenth as u16)], now);
        if person.dial_at().is_some_and(|at| at <= now) {
            dials += 1;
            person.dial_failed(now);
        }
    }
    assert!((15..=50).contains(&dials), "{dials}");
}

#[test]
fn announcements_without_end_during_dials_do_not_make_dials_without_end() {
    for waits in [false, true] {
        let start = Instant::now();
        let mut person = Dialing::new(waits, start);
        let mut dials = 0;
        // A new port each 10 ms for a minute; each dial is under way for 50 ms, and fails.
        let mut over = None;
        for hundredth in 0..6000_u64 {
            let now = start + Duration::from_millis(hundredth * 10);
            person.found(format!("{hundredth}"), vec![address(hundredth as u16)], now);
            if over.is_some_and(|over| over <= now) {
                over = None;
                person.dial_failed(now);
            }
            if person.dial_at().is_some_and(|at| at <= now) {
                dials += 1;
                person.dialing = Some((Lane::Sought, address(1).ip()));
                over = Some(now + Duration::from_millis(50));
            }
        }
        assert!((15..=50).contains(&dials), "{dials}, waits: {waits}");
    }
}

#[test]
fn a_connection_that_may_lead_nowhere_is_dialed_beside_until_one_does() {
    let now = Instant::now();
    let mut person = Dialing::new(true, now);
    person.found("a".into(), vec![address(1)], now);
    person.connected(old(), now);
    assert_eq!(person.dial_at(), None);
    person.renew(now, |_| true);
    assert_eq!(person.dial_at(), Some(now), "at once, whoever has the lower ID");
    person.dial_failed(now);
    assert_eq!(person.dial_at(), Some(now + FIRST_DELAY));
    person.renew(now, |_| true);
    assert_eq!(person.dial_at(), Some(now));
    person.note_heard("old");
    assert_eq!(person.dial_at(), None);
}

#[test]
fn another_network_makes_a_person_be_dialed_at_once_whatever_is_under_way() {
    for waits in [false, true] {
        let start = Instant::now();
        let mut person = Dialing::new(waits, start);
        person.found("a".into(), vec![address(1)], start);
        (0..9).for_each(|_| person.dial_failed(start));
        assert!(person.dial_at() >= Some(start + LONGEST_DELAY));
        person.dialing = Some((Lane::Proven, address(1).ip()));
        person.networks_changed(start);
        assert_eq!(person.dial_at(), Some(start + person.head_start()));
        person.connected(old(), start);
        person.networks_changed(start);
        assert_eq!(person.dial_at(), None, "nobody who is reached is dialed");
        person.renew(start, |_| true);
        assert_eq!(person.dial_at(), Some(start));
    }
}

#[test]
fn a_renewal_that_leads_nowhere_ends() {
    let now = Instant::now();
    for connected in [true, false] {
        let mut person = Dialing::new(false, now);
        if connected {
            person.connected(old(), now);
        }
        person.renew(now, |_| true);
        assert!(person.is_sought(now) && !person.may_leave(now));
        if connected {
            person.disconnected("old", SETTLED, now);
        }
        assert!(person.is_sought(now), "the network may have changed");
        let later = now + RENEWAL;
        assert!(!person.is_sought(later) && person.may_leave(later) && person.is_idle(later), "{connected}");
        person.connected(old(), later);
        person.found("a".into(), vec![address(1)], later);
        assert_eq!(person.dial_at(), None, "the next connection is not the one to renew");
    }
}

#[test]
fn a_person_is_sought_until_their_messages_are_too_late() {
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut person = Dialing::new(false, now);
    assert!(!person.is_sought(now) && person.is_idle(now));
    person.seek(at(5));
    person.seek(at(3));
    assert!(person.is_sought(at(4)) && !person.is_idle(at(4)) && !person.may_leave(at(4)));
    assert!(!person.is_sought(at(5)) && person.is_idle(at(5)));
}

#[test]
fn announcements_are_bounded_and_forgotten() {
    let now = Instant::now();
    let mut person = Dialing::new(false, now);
    for port in 1..100 {
        person.found(format!("{port}"), vec![address(port)], now);
    }
    assert_eq!(person.addresses(), (92..100).rev().map(address).collect::<Vec<_>>());
    for port in 92..100 {
        assert!(!person.is_idle(now));
        person.lost(&format!("{port}"));
    }
    assert!(person.is_idle(now) && person.dial_at().is_none());
}
