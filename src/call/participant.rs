//! A remote person in a conversation: their connection, and the streams that they send.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::media::{MAX_STREAMS, MIN_HEIGHT, MediaSet, MediaTime, StreamId};

use super::early_candidates::EarlyCandidates;
use super::restarts::Restarts;
use super::{Candidate, CandidateKind, Description, DescriptionKind, RecordedParticipant, Role};
use crate::identity::PeerId;

/// How long a connection may take to be made, if the engine does not give it up before.
pub(super) const CONNECTING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an interruption may last before the participant counts as lost.
pub(super) const INTERRUPTED_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a far side's close waits for the message that says why.
pub(super) const CLOSED_GRACE: Duration = Duration::from_secs(2);
/// Candidates that are kept until their description comes.
const MAX_EARLY_CANDIDATES: usize = 32;
/// Candidates of each description that are used: this computer sends checks to each of them.
const MAX_CANDIDATES: usize = 16;
/// Relayed ones beside them: they come last, and are there for when the others are of no use.
const MAX_RELAY_CANDIDATES: usize = 4;
/// The same of a whole call, however often it restarts.
const MAX_ALL_CANDIDATES: usize = 256;

/// State of the connection to a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParticipantState {
    /// Being made.
    Connecting {
        /// When it counts as failed.
        until: MediaTime,
    },
    /// Media flows.
    Connected,
    /// Media flowed and comes through no more.
    Interrupted {
        /// When it counts as lost.
        until: MediaTime,
    },
}

/// A description to apply, and then the candidates that came before it.
pub(super) struct Described {
    pub(super) description: Description,
    pub(super) early: Vec<Candidate>,
}

/// A remote person in a conversation.
#[derive(Debug)]
pub struct Participant {
    pub(super) name: String,
    pub(super) streams: MediaSet,
    pub(super) state: ParticipantState,
    pub(super) role: Role,
    pub(super) restarts: Restarts,
    /// Greatest height at which they draw each of this side's streams, once they have said it.
    wishes: BTreeMap<StreamId, u32>,
    /// When their computer closed the signaling connection, which it does when their program ends. Forgotten once media
    /// comes or the same run of their program is connected again.
    pub(super) closed_at: Option<MediaTime>,
    /// Time at which an announcement that did not arrive is sent again.
    pub(super) resend_at: Option<MediaTime>,
    /// Their first description: a restart changes its ICE credentials alone.
    first: Option<Description>,
    described: bool,
    early: EarlyCandidates,
    /// Candidates that are used of the present description, and of all.
    candidates: usize,
    relay_candidates: usize,
    all_candidates: usize,
}

impl Participant {
    pub(super) fn new(name: String, streams: MediaSet, role: Role, now: MediaTime) -> Self {
        Self {
            name,
            streams,
            state: ParticipantState::Connecting { until: now + CONNECTING_TIMEOUT },
            role,
            restarts: Restarts::default(),
            wishes: BTreeMap::new(),
            closed_at: None,
            resend_at: None,
            first: None,
            described: false,
            early: EarlyCandidates::new(MAX_EARLY_CANDIDATES),
            candidates: 0,
            relay_candidates: 0,
            all_candidates: 0,
        }
    }

    /// As the record of the call names them.
    pub(super) fn recorded(&self, peer: PeerId) -> RecordedParticipant {
        RecordedParticipant { peer, name: self.name.clone() }
    }

    /// The name that they chose.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their streams, on where they send.
    pub const fn streams(&self) -> MediaSet {
        self.streams
    }

    /// Greatest height at which they draw this side's `stream`; `None` until they say.
    pub fn wish(&self, stream: StreamId) -> Option<u32> {
        self.wishes.get(&stream).copied()
    }

    /// Greatest height at which they draw each of this side's streams, of which they have said it.
    pub const fn wishes(&self) -> &BTreeMap<StreamId, u32> {
        &self.wishes
    }

    /// Notes their wish. They draw no more streams than this side can have.
    pub(super) fn note_wish(&mut self, stream: StreamId, max_height: u32) {
        if self.wishes.len() < MAX_STREAMS || self.wishes.contains_key(&stream) {
            self.wishes.insert(stream, max_height.max(MIN_HEIGHT));
        }
    }

    /// Where the connection stands.
    pub const fn state(&self) -> ParticipantState {
        self.state
    }

    pub(super) const fn was_connected(&self) -> bool {
        match self.state {
            ParticipantState::Connecting { .. } => false,
            ParticipantState::Connected | ParticipantState::Interrupted { .. } => true,
        }
    }

    pub(super) fn deadline(&self) -> Option<MediaTime> {
        let at_state = match self.state {
            ParticipantState::Connecting { .. } => None,
            ParticipantState::Interrupted { .. } => self.ask_at(),
            ParticipantState::Connected => self.resend_at,
        };
        [self.gone_at(), at_state, self.held_until()].into_iter().flatten().min()
    }

    /// The far side's description of the present generation has come.
    pub(super) const fn is_described(&self) -> bool {
        self.described
    }

    /// Takes the far side's description, once in each generation and only of the kind that the roles ask for; gives it
    /// with the candidates that came before it when it is to be applied now. Generations of an answerer follow the
    /// offers; an offer that comes too soon after another waits, and a newer one takes its place.
    pub(super) fn describe(&mut self, description: Description, now: MediaTime) -> Option<Described> {
        let Description { kind, generation, .. } = description;
        if !self.first.as_ref().is_none_or(|first| renews(first, &description)) {
            return None;
        }
        match self.role {
            Role::Offerer => {
                let fits = kind == DescriptionKind::Answer && !self.described && generation == self.generation();
                fits.then(|| self.apply(description, now))
            }
            Role::Answerer if kind != DescriptionKind::Offer => None,
            Role::Answerer if !self.described => Some(self.apply(description, now)),
            Role::Answerer if generation > self.generation() && self.was_connected() => {
                self.restarts.hold(description);
                self.describe_held(now)
            }
            Role::Answerer => None,
        }
    }

    /// Gives the offer that came too soon, when it is time for it.
    pub(super) fn describe_held(&mut self, now: MediaTime) -> Option<Described> {
        let description = self.restarts.take_held(now)?;
        Some(self.apply(description, now))
    }

    fn apply(&mut self, description: Description, now: MediaTime) -> Described {
        let generation = description.generation;
        if generation > self.generation() {
            self.restarts.generation = generation;
            self.restarts.began = Some(now);
            (self.candidates, self.relay_candidates) = (0, 0);
        }
        self.described = true;
        self.first.get_or_insert_with(|| description.clone());
        let mut early = self.early.take(generation);
        early.retain(|candidate| self.may_use(candidate));
        Described { description, early }
    }

    /// Counts a candidate that is to be used; false when there were enough.
    fn may_use(&mut self, candidate: &Candidate) -> bool {
        let (count, max) = match candidate.kind {
            CandidateKind::Relay => (&mut self.relay_candidates, MAX_RELAY_CANDIDATES),
            _ => (&mut self.candidates, MAX_CANDIDATES),
        };
        let fits = *count < max && self.all_candidates < MAX_ALL_CANDIDATES;
        *count += usize::from(fits);
        self.all_candidates += usize::from(fits);
        fits
    }

    /// Begins the next generation, which waits for the far side's answer, and gives its number.
    pub(super) fn begin_restart(&mut self, now: MediaTime) -> u32 {
        self.restarts.generation = self.restarts.generation.saturating_add(1);
        self.restarts.began = Some(now);
        self.described = false;
        (self.candidates, self.relay_candidates) = (0, 0);
        self.generation()
    }

    /// Takes a candidate: gives it back when it can be applied now, keeps it (within bounds) when its description is
    /// still to come. One of an earlier description is of no use.
    pub(super) fn trickle(&mut self, candidate: Candidate) -> Option<Candidate> {
        if candidate.generation < self.generation() {
            return None;
        }
        if !self.described || candidate.generation > self.generation() {
            self.early.keep(candidate);
            return None;
        }
        self.may_use(&candidate).then_some(candidate)
    }

    /// Makes the connection count as gone soon, unless the reason comes first.
    pub(super) fn close_soon(&mut self, now: MediaTime) {
        self.restarts.stop();
        let soon = now + CLOSED_GRACE;
        self.state = match self.state {
            ParticipantState::Connecting { until } => ParticipantState::Connecting { until: until.min(soon) },
            ParticipantState::Connected => ParticipantState::Interrupted { until: soon },
            ParticipantState::Interrupted { until } => ParticipantState::Interrupted { until: until.min(soon) },
        };
    }
}

/// Whether `description` is `first` with other ICE credentials.
fn renews(first: &Description, description: &Description) -> bool {
    let Description { ice_ufrag, ice_pwd, generation, .. } = description;
    let (ice_ufrag, ice_pwd) = (ice_ufrag.clone(), ice_pwd.clone());
    // A restart shakes no hands, so its description names no cookie.
    let dtls_cookie = description.dtls_cookie.clone();
    Description { ice_ufrag, ice_pwd, generation: *generation, dtls_cookie, ..first.clone() } == *description
}

#[cfg(test)]
mod tests {
    use crate::call::CandidateKind;

    use super::*;

    #[test]
    fn a_flood_of_candidates_is_bounded_before_and_after_the_description() {
        let streams = MediaSet::of_call(true, true);
        let mut participant = Participant::new(String::new(), streams, Role::Offerer, MediaTime::default());
        let candidate = Candidate {
            generation: 0,
            foundation: "1".try_into().unwrap(),
            priority: 1,
            address: std::net::IpAddr::from([192, 0, 2, 1]),
            port: 5000,
            kind: CandidateKind::Host,
        };
        for _ in 0..10_000 {
            assert_eq!(participant.trickle(candidate.clone()), None);
        }
        let answer = Description { kind: DescriptionKind::Answer, ..Description::for_test() };
        let early = participant.describe(answer, MediaTime::default());
        assert_eq!(early.map(|described| described.early.len()), Some(MAX_CANDIDATES));
        let applied = (0..10_000).filter(|_| participant.trickle(candidate.clone()).is_some()).count();
        assert_eq!(applied, 0, "early ones count, too");
        let relayed = Candidate { kind: CandidateKind::Relay, ..candidate.clone() };
        let applied = (0..100).filter(|_| participant.trickle(relayed.clone()).is_some()).count();
        assert_eq!(applied, MAX_RELAY_CANDIDATES, "which have places of their own");
        let mut all = MAX_CANDIDATES + MAX_RELAY_CANDIDATES;
        for _ in 0..100 {
            let generation = participant.begin_restart(MediaTime::default());
            let answer = Description { generation, kind: DescriptionKind::Answer, ..Description::for_test() };
            assert!(participant.describe(answer, MediaTime::default()).is_some());
            let of_this = Candidate { generation, ..candidate.clone() };
            all += (0..100).filter(|_| participant.trickle(of_this.clone()).is_some()).count();
        }
        assert_eq!(all, MAX_ALL_CANDIDATES, "however often it restarts");
    }

    #[test]
    fn a_restart_changes_the_ice_credentials_alone() {
        let streams = MediaSet::of_call(true, true);
        let mut participant = Participant::new(String::new(), streams, Role::Offerer, MediaTime::default());
        let answer = || Description { kind: DescriptionKind::Answer, ..Description::for_test() };
        assert!(participant.describe(answer(), MediaTime::default()).is_some());
        let generation = participant.begin_restart(MediaTime::default());
        let renewed = Description { generation, ice_ufrag: "renewed1".try_into().unwrap(), ..answer() };
        let forged = ["CD"; 32].join(":").try_into().unwrap();
        let mut other_stream = renewed.clone();
        other_stream.streams[0].ssrcs.media += 100;
        for changed in [
            Description { fingerprint: forged, ..renewed.clone() },
            Description { red: false, ..renewed.clone() },
            other_stream,
        ] {
            assert!(participant.describe(changed, MediaTime::default()).is_none());
        }
        assert!(participant.describe(renewed, MediaTime::default()).is_some());
    }

    #[test]
    fn wishes_are_kept_by_stream_and_are_no_more_than_streams_can_be() {
        let streams = MediaSet::of_call(true, true);
        let mut participant = Participant::new(String::new(), streams, Role::Offerer, MediaTime::default());
        assert_eq!(participant.wish(StreamId::CAMERA), None);
        participant.note_wish(StreamId::CAMERA, 1);
        participant.note_wish(StreamId::SCREEN, 1080);
        assert_eq!(participant.wish(StreamId::CAMERA), Some(MIN_HEIGHT), "fewer lines are of no use");
        assert_eq!(participant.wish(StreamId::SCREEN), Some(1080));
        (0..=u8::MAX).for_each(|number| participant.note_wish(StreamId::new(number), 720));
        assert_eq!((participant.wishes.len(), participant.wish(StreamId::CAMERA)), (MAX_STREAMS, Some(720)));
    }

    #[test]
    fn a_restart_without_a_cookie_renews_a_description_that_had_one() {
        let cookie = crate::call::HelloCookie::try_from("0a".repeat(20)).ok();
        let first = Description { dtls_cookie: cookie, ..Description::for_test() };
        assert!(renews(&first, &Description { generation: 1, dtls_cookie: None, ..first.clone() }));
        assert!(!renews(&first, &Description { red: !first.red, ..first.clone() }));
    }
}
