//! Direct path beside a relay: a call that began on the relay moves to a direct path when one is proven, and back to
//! the relay at once when that one dies. Pure; time is an argument.
//!
//! The ICE agent checks no other pair once it has selected one, and nominates none (see
//! `docs/decisions/relay.md`). It answers signed checks all the same, and takes packets from wherever such a check came
//! from. So the socket below it makes checks of its own while a relay carries the media, and, once one is answered,
//! sends the media along that pair instead of to the relay. The agent goes on checking the relayed pair, which stays
//! whole.
//!
//! ```text
//! media by a relay for 1 s -> checks of all pairs, after 1, 2, 4, 8, 10, 10 ... s; of a pair that the far side checks,
//!                             at once
//! an answer                -> checks as large as media; an answer to one of these, and media goes there; a check each
//!                             400 ms, as consent (RFC 7675)
//! 1.2 s without an answer  -> media goes by the relay; no direct path again for 5 s, then 10, 20 ... 60 s
//! 3 s without the far side -> the same: the relayed pair is what the agent lives by, so its silence has to be heard
//! by the relay                and mended by an ICE restart
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtc::crypto::{CryptoError, HmacAlgorithm, Mac, default_provider};
use rtc::ice::attributes::control::{AttrControlled, AttrControlling};
use rtc::ice::attributes::priority::PriorityAttr;
use rtc::stun::attributes::{ATTR_USERNAME, AttrType};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message as Written, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;

use crate::call::Role;
use crate::media::MediaTime;
use crate::network;
use crate::stun::{BINDING_SUCCESS, Message, TRANSACTION_ID};

/// From the first media by a relay to the first checks: ICE may select another pair until then.
const FIRST_ROUND: Duration = Duration::from_secs(1);
/// Longest pause between checks of all pairs. A NAT forgets what it has let out after 30 s at the soonest (RFC 4787,
/// 4.3, says 2 min), and both sides have to be heard within that.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Between checks of the pair that carries media.
const CONSENT_EVERY: Duration = Duration::from_millis(400);
/// Without an answer for this long, or for three round trips and an interval, the pair carries no media any more.
const CONSENT: Duration = Duration::from_millis(1200);
/// Without anything from the far side by the relay for this long the relayed pair is taken to be dead.
const RELAY_SILENCE: Duration = Duration::from_secs(3);
/// From the loss of a direct path to the next one; twice as long after each further loss, up to the second.
const HOLD: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];
/// After this long on a direct path its losses before are forgotten.
const HEALTHY: Duration = Duration::from_secs(60);
/// Between checks of pairs that the far side checks: its agent may check a pair because this side did.
const TRIGGERED_EVERY: Duration = Duration::from_millis(200);
/// Pairs that are checked together for that reason, at most: a far side may forge where its checks come from.
const TRIGGERED_AT_ONCE: usize = 4;
/// Between large checks, and how many an answered pair gets.
const LARGE_EVERY: Duration = Duration::from_millis(200);
const LARGE_CHECKS: u32 = 5;
/// Bytes that make a check as large as the packets of pictures: a path may let nothing but small ones pass.
const LARGE: usize = 1060;
/// Type of the attribute that holds them: comprehension-optional (RFC 8489, 15), of the range for experiments.
const FILL: AttrType = AttrType(0xFFFE);
/// Media that last went by a relay before this long is over.
const RELAYED: Duration = Duration::from_secs(5);
/// Candidates of the far side, and pairs that it checks, at most.
const MAX_CANDIDATES: usize = 16;
/// Checks without an answer that are remembered.
const MAX_CHECKS: usize = 128;
/// Priority of a peer-reflexive candidate that the check may make (RFC 8445, 5.1.2.1).
const PRIORITY: u32 = (110 << 24) | (65_535 << 8) | 255;

/// The two ends of a path: a socket of this side, and an address of the far one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct Pair {
    pub(in crate::rtc) from: SocketAddr,
    pub(in crate::rtc) to: SocketAddr,
}

/// A check that leaves.
pub(in crate::rtc) struct Check {
    pub(in crate::rtc) pair: Pair,
    pub(in crate::rtc) datagram: Vec<u8>,
}

#[derive(Debug)]
struct Sent {
    transaction: [u8; TRANSACTION_ID],
    pair: Pair,
    at: MediaTime,
    large: bool,
}

/// A pair that has answered a small check.
#[derive(Clone, Copy, Debug)]
struct Trial {
    pair: Pair,
    asked: MediaTime,
    /// Large checks that are left.
    left: u32,
}

/// The pair that carries media.
#[derive(Clone, Copy, Debug)]
struct Proven {
    pair: Pair,
    since: MediaTime,
    asked: MediaTime,
    answered: MediaTime,
    rtt: Duration,
}

impl Proven {
    fn has_consent(&self, now: MediaTime) -> bool {
        now.since(self.answered) <= CONSENT.max(3 * self.rtt + CONSENT_EVERY)
    }
}

/// The far side's ICE credentials.
struct Far {
    ufrag: String,
    password: String,
    /// Keyed with the password.
    mac: Box<dyn Mac>,
}

impl fmt::Debug for Far {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Far").finish_non_exhaustive()
    }
}

/// The direct path of one connection.
#[derive(Debug, Default)]
pub(super) struct DirectPath {
    role: Option<Role>,
    own_ufrag: String,
    far: Option<Far>,
    sockets: Vec<SocketAddr>,
    candidates: Vec<SocketAddr>,
    /// Pairs that the far side has checked, not checked by this side yet.
    triggered: VecDeque<Pair>,
    next_triggered: MediaTime,
    sent: VecDeque<Sent>,
    /// When media last went to a relay, or would have.
    relayed: Option<MediaTime>,
    /// When all pairs are checked next, and how often they were since the path was last lost.
    next_round: MediaTime,
    rounds: u32,
    trial: Option<Trial>,
    proven: Option<Proven>,
    /// When the far side was last heard by the relay.
    relay_heard: MediaTime,
    /// No path is tried before this, and how long the next loss keeps one from it.
    held_until: MediaTime,
    hold: Duration,
}

impl DirectPath {
    /// A socket of the connection is open.
    pub(super) fn opened(&mut self, socket: SocketAddr) {
        if !network::is_scoped(socket.ip()) {
            self.sockets.push(socket);
        }
    }

    /// A socket of the connection is closed.
    pub(super) fn closed(&mut self, socket: SocketAddr) {
        self.sockets.retain(|open| *open != socket);
        self.proven.take_if(|proven| proven.pair.from == socket);
        self.trial.take_if(|trial| trial.pair.from == socket);
    }

    /// Gives a pair up whose local address this computer `has` no more; false where none carries media.
    pub(super) fn lose_address(&mut self, has: impl Fn(IpAddr) -> bool) -> bool {
        self.proven.take_if(|proven| !has(proven.pair.from.ip())).is_some()
    }

    /// The far side was heard by the relay.
    pub(super) const fn heard_by_relay(&mut self, now: MediaTime) {
        self.relay_heard = now;
    }

    /// Whether the agent's pair leads by a relay, whichever way media takes.
    pub(super) fn is_relayed(&self, now: MediaTime) -> bool {
        self.relayed.is_some_and(|at| now.since(at) <= RELAYED)
    }

    /// A generation of this side's begins: nothing that was proven holds (RFC 8445, 9).
    pub(super) fn set_own(&mut self, ufrag: &str) {
        ufrag.clone_into(&mut self.own_ufrag);
        (self.relayed, self.rounds) = (None, 0);
        self.triggered.clear();
        self.forget_answers();
    }

    fn forget_answers(&mut self) {
        (self.trial, self.proven) = (None, None);
        self.sent.clear();
    }

    /// A generation of the far side's begins, whose role is known by this side's.
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot be used.
    pub(super) fn set_far(&mut self, role: Role, ufrag: &str, password: &str) -> Result<(), CryptoError> {
        let mac = default_provider()?.crypto().new_hmac(HmacAlgorithm::Sha1, password.as_bytes())?;
        self.role = Some(role);
        self.far = Some(Far { ufrag: ufrag.to_owned(), password: password.to_owned(), mac });
        self.candidates.clear();
        self.forget_answers();
        Ok(())
    }

    /// An address of the far side's, which is no relay's.
    pub(super) fn add_candidate(&mut self, address: SocketAddr) {
        let is_new = !self.candidates.contains(&address) && !network::is_scoped(address.ip());
        if is_new && self.candidates.len() < MAX_CANDIDATES {
            self.candidates.push(address);
        }
    }

    /// Media leaves for a relay: the pair that it takes instead, if one is proven.
    pub(super) fn instead(&mut self, now: MediaTime) -> Option<Pair> {
        if !self.is_relayed(now) {
            (self.next_round, self.rounds, self.relay_heard) = (now + FIRST_ROUND, 0, now);
        }
        self.relayed = Some(now);
        if let Some(proven) = self.proven
            && (!proven.has_consent(now) || now.since(self.relay_heard) > RELAY_SILENCE)
        {
            self.lose(proven, now);
        }
        self.proven.map(|proven| proven.pair)
    }

    fn lose(&mut self, proven: Proven, now: MediaTime) {
        tracing::info!("the direct path is lost, or the relay: media goes by the relay again");
        let [shortest, longest] = HOLD;
        let was_healthy = now.since(proven.since) >= HEALTHY;
        self.hold = if was_healthy || self.hold.is_zero() { shortest } else { (2 * self.hold).min(longest) };
        self.held_until = now + self.hold;
        (self.next_round, self.rounds) = (self.held_until, 0);
        self.triggered.clear();
        self.forget_answers();
    }

    /// Whether a path may be tried: not soon after one was lost, and while the relayed pair lives.
    fn may_try(&self, now: MediaTime) -> bool {
        now >= self.held_until && now.since(self.relay_heard) <= RELAY_SILENCE
    }

    /// Whether a pair is proven.
    pub(super) const fn is_proven(&self) -> bool {
        self.proven.is_some()
    }

    /// The checks that are due.
    pub(super) fn due(&mut self, now: MediaTime) -> Vec<Check> {
        if !self.is_relayed(now) {
            return Vec::new();
        }
        let (mut pairs, mut large) = (Vec::new(), false);
        if let Some(proven) = &mut self.proven {
            if now.since(proven.asked) < CONSENT_EVERY {
                return Vec::new();
            }
            proven.asked = now;
            pairs.push(proven.pair);
        } else if !self.may_try(now) {
            return Vec::new();
        } else if let Some(trial) = &mut self.trial {
            if trial.left < LARGE_CHECKS && now.since(trial.asked) < LARGE_EVERY {
                return Vec::new();
            }
            (trial.asked, trial.left, large) = (now, trial.left - 1, true);
            pairs.push(trial.pair);
            self.trial.take_if(|trial| trial.left == 0);
        } else {
            self.due_pairs(now, &mut pairs);
        }
        pairs.retain(|pair| pair.from.is_ipv4() == pair.to.is_ipv4());
        pairs.into_iter().filter_map(|pair| self.check(pair, large, now)).collect()
    }

    /// Adds the pairs of a round, and those that the far side checks.
    fn due_pairs(&mut self, now: MediaTime, pairs: &mut Vec<Pair>) {
        if now >= self.next_round {
            self.next_round = now + Duration::from_secs(1 << self.rounds.min(10)).min(LONGEST_PAUSE);
            self.rounds += 1;
            let all = self.sockets.iter().flat_map(|from| self.candidates.iter().map(|to| (*from, *to)));
            pairs.extend(all.map(|(from, to)| Pair { from, to }));
        }
        if now >= self.next_triggered && !self.triggered.is_empty() {
            self.next_triggered = now + TRIGGERED_EVERY;
            pairs.extend(self.triggered.drain(..self.triggered.len().min(TRIGGERED_AT_ONCE)));
        }
    }

    /// The far side has checked a pair, which is a reason to do the same (RFC 8445, 7.3.1.4).
    pub(super) fn was_checked(&mut self, pair: Pair) {
        if self.proven.is_none() && self.triggered.len() < MAX_CANDIDATES && !self.triggered.contains(&pair) {
            self.triggered.push_back(pair);
        }
    }

    /// Whether a message is the far side's answer to a check of this pair.
    pub(super) fn answered(&mut self, message: &Message<'_>, pair: Pair, now: MediaTime) -> bool {
        let transaction = message.transaction();
        let place = self.sent.iter().position(|sent| sent.transaction == transaction && sent.pair == pair);
        let Some(place) = place.filter(|_| message.kind() == BINDING_SUCCESS) else { return false };
        if !self.far.as_mut().is_some_and(|far| message.is_signed_by(&mut *far.mac)) {
            return false;
        }
        let Some(sent) = self.sent.remove(place) else { return false };
        let rtt = now.since(sent.at);
        match &mut self.proven {
            Some(proven) if proven.pair == pair => (proven.answered, proven.rtt) = (now, rtt),
            Some(_) => {}
            None if sent.large => {
                tracing::info!("a direct path is proven: media leaves the relay");
                self.trial = None;
                self.proven = Some(Proven { pair, since: now, asked: now, answered: now, rtt });
            }
            // The first one leads: its way is the shortest.
            None if self.trial.is_none() => self.trial = Some(Trial { pair, asked: now, left: LARGE_CHECKS }),
            None => {}
        }
        true
    }

    /// A check of a pair, which is noted as sent; `None` before the credentials are known.
    fn check(&mut self, pair: Pair, large: bool, now: MediaTime) -> Option<Check> {
        let far = self.far.as_ref().filter(|_| !self.own_ufrag.is_empty())?;
        let transaction = TransactionId::new();
        let provider = default_provider().ok()?;
        let integrity =
            MessageIntegrity::new_short_term_integrity_with_provider(far.password.clone(), provider.crypto());
        // No tie-breaker is smaller, or larger: if the roles were others than they are, the far side would keep its
        // own.
        let control: Box<dyn Setter> = match self.role? {
            Role::Offerer => Box::new(AttrControlling(0)),
            Role::Answerer => Box::new(AttrControlled(u64::MAX)),
        };
        let mut message = Written::new();
        let user_name = format!("{}:{}", far.ufrag, self.own_ufrag);
        message
            .build(&[
                Box::new(BINDING_REQUEST),
                Box::new(transaction),
                Box::new(TextAttribute::new(ATTR_USERNAME, user_name)),
                control,
                Box::new(PriorityAttr(PRIORITY)),
                Box::new(Fill(if large { LARGE } else { 0 })),
                Box::new(integrity),
                Box::new(FINGERPRINT),
            ])
            .inspect_err(|error| tracing::debug!(%error, "a check could not be written"))
            .ok()?;
        if self.sent.len() >= MAX_CHECKS {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { transaction: transaction.0, pair, at: now, large });
        Some(Check { pair, datagram: message.raw })
    }
}

/// Zeros that enlarge a check by so many bytes; none at all by 0.
struct Fill(usize);

impl Setter for Fill {
    fn add_to(&self, message: &mut Written) -> Result<(), rtc::shared::error::Error> {
        if self.0 > 0 {
            message.add(FILL, &[0; LARGE][..self.0]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
        let integrity =
            MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), provider.crypto());
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
}
