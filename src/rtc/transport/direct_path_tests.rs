//! The direct path at given times.

use rtc::stun::message::BINDING_SUCCESS as SUCCESS;

use super::*;

const PASSWORD: &str = "the far side's password";

fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], port))
}

fn ms(ms: u64) -> MediaTime {
    MediaTime::from_millis(100_000 + ms)
}

/// A connection with one socket, whose far side has these candidates.
fn path(candidates: &[SocketAddr]) -> DirectPath {
    let mut path = DirectPath::default();
    path.opened(at(1, 1));
    path.set_far(Role::Offerer, "far", PASSWORD).unwrap();
    path.set_own("own");
    candidates.iter().for_each(|address| path.add_candidate(*address));
    path
}

/// The far side's answer to a check, signed with a password.
fn answer(check: &Check, password: &str) -> Vec<u8> {
    let transaction = Message::read(&check.datagram).unwrap().transaction();
    let provider = default_provider().unwrap();
    let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), provider.crypto());
    let mut message = Written::new();
    message.build(&[Box::new(SUCCESS), Box::new(TransactionId(transaction)), Box::new(integrity)]).unwrap();
    message.raw
}

fn answers(path: &mut DirectPath, check: &Check, now: MediaTime) -> bool {
    let answer = answer(check, PASSWORD);
    path.answered(&Message::read(&answer).unwrap(), check.pair, now)
}

/// Has the pair of a check proven: that check and a large one are answered, at once.
fn proves(path: &mut DirectPath, check: &Check, now: MediaTime) -> bool {
    assert!(answers(path, check, now) && !path.is_proven());
    let large = path.due(now);
    large.len() == 1 && answers(path, &large[0], now) && path.is_proven()
}

#[test]
fn media_takes_a_direct_path_once_one_is_proven_and_the_relay_as_soon_as_it_is_lost() {
    let mut path = path(&[at(2, 2), at(3, 3)]);
    assert!(path.due(ms(0)).is_empty(), "no media goes by a relay");
    assert_eq!(path.instead(ms(0)), None);
    assert!(path.due(ms(999)).is_empty());
    let checks = path.due(ms(1000));
    assert_eq!(checks.iter().map(|check| check.pair.to).collect::<Vec<_>>(), [at(2, 2), at(3, 3)]);
    assert_eq!((path.due(ms(1001)).len(), path.instead(ms(1050))), (0, None));
    assert!(proves(&mut path, &checks[1], ms(1100)));
    assert!(answers(&mut path, &checks[0], ms(1110)), "it is no less an answer");
    let pair = Pair { from: at(1, 1), to: at(3, 3) };
    assert_eq!((path.instead(ms(1111)), path.is_proven()), (Some(pair), true), "the first one leads");
    assert!(path.due(ms(1499)).is_empty());
    for round in 1..=10 {
        let now = ms(1100 + 400 * round);
        path.heard_by_relay(now);
        let checks = path.due(now);
        assert_eq!(checks.iter().map(|check| check.pair).collect::<Vec<_>>(), [pair], "consent alone");
        assert!(answers(&mut path, &checks[0], now));
        assert_eq!(path.instead(now), Some(pair));
    }
    assert_eq!((path.instead(ms(6300)), path.instead(ms(6301))), (Some(pair), None));
}

#[test]
fn a_pair_that_lets_small_checks_alone_pass_carries_no_media() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let small = path.due(ms(1000));
    assert!(answers(&mut path, &small[0], ms(1010)));
    let mut large = Vec::new();
    for now in 1010..1950 {
        large.extend(path.due(ms(now)).into_iter().map(|check| (now, check.datagram.len())));
    }
    assert_eq!(large.iter().map(|(now, _)| *now).collect::<Vec<_>>(), [1010, 1210, 1410, 1610, 1810]);
    assert!(large.iter().all(|(_, bytes)| (1100..1200).contains(bytes)), "{large:?}");
    assert_eq!((path.instead(ms(1960)), path.due(ms(1960)).len()), (None, 0));
    assert_eq!(path.due(ms(2000)).len(), 1, "the next round");
}

#[test]
fn a_path_that_is_lost_again_and_again_is_tried_ever_more_seldom_and_late_answers_prove_nothing() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let (mut now, mut pauses) = (1000, Vec::new());
    for _ in 0..7 {
        let checks = path.due(ms(now));
        assert!(proves(&mut path, &checks[0], ms(now)));
        let late = path.due(ms(now + 400)).remove(0);
        path.heard_by_relay(ms(now + 1000));
        assert_eq!(path.instead(ms(now + 1201)), None);
        assert!(!answers(&mut path, &late, ms(now + 1300)), "it was given up");
        let lost = now + 1201;
        now = (lost..)
            .find(|now| {
                path.heard_by_relay(ms(*now));
                path.instead(ms(*now));
                path.was_checked(Pair { from: at(1, 1), to: at(2, 2) });
                now % 100 == 1 && !path.due(ms(*now)).is_empty()
            })
            .unwrap();
        pauses.push((now - lost) / 1000);
        path.trial = None;
        now += 2000;
        path.next_round = ms(now);
        path.next_triggered = ms(now + 1);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 60]);
}

#[test]
fn a_long_round_trip_keeps_its_consent() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let small = path.due(ms(1000));
    assert!(answers(&mut path, &small[0], ms(2500)));
    let mut waiting: VecDeque<(u64, Check)> = VecDeque::new();
    let mut lost = 0;
    for now in (2500..60_000).step_by(20) {
        path.heard_by_relay(ms(now));
        while waiting.front().is_some_and(|(sent, _)| sent + 1500 <= now) {
            let (_, check) = waiting.pop_front().unwrap();
            answers(&mut path, &check, ms(now));
        }
        let was_proven = path.is_proven();
        path.instead(ms(now));
        lost += u32::from(was_proven && !path.is_proven());
        waiting.extend(path.due(ms(now)).into_iter().map(|check| (now, check)));
    }
    assert_eq!((path.is_proven(), lost), (true, 0));
}

#[test]
fn a_relayed_pair_that_is_silent_takes_the_direct_path_with_it() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let checks = path.due(ms(1000));
    path.heard_by_relay(ms(900));
    assert!(proves(&mut path, &checks[0], ms(1000)));
    for now in (1400..=3800).step_by(400) {
        let consent = path.due(ms(now));
        assert!(answers(&mut path, &consent[0], ms(now)));
        assert!(path.instead(ms(now)).is_some());
    }
    assert_eq!(path.instead(ms(3901)), None, "the agent would give the call up");
    assert!((3901..30_000).step_by(20).all(|now| path.instead(ms(now)).is_none() && path.due(ms(now)).is_empty()));
}

#[test]
fn a_pair_without_its_address_carries_no_media() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let checks = path.due(ms(1000));
    assert!(!path.lose_address(|_| false), "none carries any");
    assert!(proves(&mut path, &checks[0], ms(1000)));
    assert!(!path.lose_address(|own| own == at(1, 1).ip()) && path.is_proven());
    assert!(path.lose_address(|_| false) && path.instead(ms(1001)).is_none());
}

#[test]
fn all_pairs_are_checked_seldom_and_no_longer_than_media_goes_by_a_relay() {
    let mut path = path(&[at(2, 2)]);
    let mut rounds = Vec::new();
    for now in (0..40_000).step_by(20) {
        path.heard_by_relay(ms(now));
        path.instead(ms(now));
        rounds.extend((!path.due(ms(now)).is_empty()).then_some(now));
    }
    assert_eq!(rounds, [1000, 2000, 4000, 8000, 16_000, 26_000, 36_000]);
    assert!((40_000..90_000).step_by(20).filter(|now| !path.due(ms(*now)).is_empty()).count() == 0);
    assert!(path.sent.len() <= MAX_CHECKS);
}

#[test]
fn a_pair_that_the_far_side_checks_is_checked_at_once_also_where_it_names_no_candidate() {
    let mut path = path(&[]);
    let pair = Pair { from: at(1, 1), to: at(9, 4711) };
    path.instead(ms(0));
    path.was_checked(pair);
    path.was_checked(pair);
    let checks = path.due(ms(10));
    assert_eq!(checks.iter().map(|check| check.pair).collect::<Vec<_>>(), [pair]);
    // Its agent checks because this side did.
    let again = (11..1000).filter(|now| {
        path.was_checked(pair);
        !path.due(ms(*now)).is_empty()
    });
    assert_eq!(again.collect::<Vec<_>>(), [210, 410, 610, 810]);
    assert!(proves(&mut path, &checks[0], ms(1000)));
    assert_eq!(path.instead(ms(1000)), Some(pair));
}

#[test]
fn nothing_but_the_far_sides_answer_on_the_checked_pair_proves_it() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let checks = path.due(ms(1000));
    let (pair, elsewhere) = (checks[0].pair, Pair { to: at(2, 3), ..checks[0].pair });
    let mut hears = |bytes: &[u8], pair| path.answered(&Message::read(bytes).unwrap(), pair, ms(1001));
    let good = answer(&checks[0], PASSWORD);
    assert!(!hears(&answer(&checks[0], "another password"), pair));
    assert!(!hears(&good, elsewhere), "from where it was not sent to");
    assert!(!hears(&checks[0].datagram, pair), "the request itself");
    assert!(hears(&good, pair));
    assert!(!hears(&good, pair), "once");
}

#[test]
fn a_new_generation_has_proven_nothing() {
    let mut path = path(&[at(2, 2)]);
    path.instead(ms(0));
    let checks = path.due(ms(1000));
    assert!(proves(&mut path, &checks[0], ms(1001)));
    path.set_far(Role::Offerer, "far", PASSWORD).unwrap();
    assert!(!path.is_proven(), "the far side's begins");
    path.set_own("another");
    assert_eq!(path.instead(ms(1002)), None);
    path.set_far(Role::Offerer, "anew", PASSWORD).unwrap();
    assert!(path.due(ms(9000)).is_empty(), "no candidate has come yet");
    path.add_candidate(at(4, 4));
    path.instead(ms(9000));
    let checks = path.due(ms(10_000));
    let message = Message::read(&checks[0].datagram).unwrap();
    assert_eq!(message.value(crate::stun::USERNAME), Some(&b"anew:another"[..]));
    assert!(proves(&mut path, &checks[0], ms(10_001)));
    path.closed(at(1, 1));
    assert_eq!(path.instead(ms(10_002)), None, "its socket is gone");
}

#[test]
fn candidates_are_bounded_and_of_the_sockets_family() {
    let v6: SocketAddr = "[2001:db8::1]:4".parse().unwrap();
    let mut path = path(&[v6, "[fe80::1]:4".parse().unwrap()]);
    (0..100).for_each(|port| path.add_candidate(at(2, port)));
    path.instead(ms(0));
    assert_eq!(path.due(ms(1000)).len(), MAX_CANDIDATES - 1);
}
