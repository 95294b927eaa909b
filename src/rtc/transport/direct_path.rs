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
#[path = "direct_path_tests.rs"]
mod tests;
