//! One remote person in a conversation: their connection, and what they send.

use std::time::Duration;

use crate::media::MediaTime;

use super::early_candidates::EarlyCandidates;
use super::restart::Restarts;
use super::{Candidate, Description, DescriptionKind, Role};

/// How long a connection may take to be made, if the engine does not give it up before.
pub(super) const CONNECTING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an interruption may last before the participant counts as lost.
pub(super) const INTERRUPTED_TIMEOUT: Duration = Duration::from_secs(30);
/// Between restarts that the far side begins at least: each of them costs sockets. What comes sooner waits.
pub(super) const RESTART_INTERVAL: Duration = Duration::from_millis(500);
/// How long a far side's close waits for the message that says why.
pub(super) const CLOSED_GRACE: Duration = Duration::from_secs(2);
/// Candidates that are kept until their description comes.
const MAX_EARLY_CANDIDATES: usize = 32;
/// Candidates that a participant may give for each description, besides early ones.
const MAX_CANDIDATES: usize = 128;

/// What somebody sends: sound, video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sends {
    pub(super) audio: bool,
    pub(super) video: bool,
}

impl Sends {
    /// What is in both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { audio: self.audio && other.audio, video: self.video && other.video }
    }
}

/// Where the connection to a participant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
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
    pub(super) sends: Sends,
    pub(super) link: Link,
    pub(super) role: Role,
    pub(super) restarts: Restarts,
    /// Lines that they draw of this side's picture at most; `None` until they say.
    pub(super) wish: Option<u32>,
    /// When their computer closed the signaling connection, which it does when their program ends. Forgotten once media
    /// comes or the same run of their program is connected again.
    pub(super) closed_at: Option<MediaTime>,
    /// When they are told again what this side sends: the latest word of that did not arrive.
    pub(super) retell_at: Option<MediaTime>,
    described: bool,
    early: EarlyCandidates,
    candidates: usize,
}

impl Participant {
    pub(super) fn new(name: String, sends: Sends, role: Role, now: MediaTime) -> Self {
        Self {
            name,
            sends,
            link: Link::Connecting { until: now + CONNECTING_TIMEOUT },
            role,
            restarts: Restarts::default(),
            wish: None,
            closed_at: None,
            retell_at: None,
            described: false,
            early: EarlyCandidates::new(MAX_EARLY_CANDIDATES),
            candidates: 0,
        }
    }

    /// The name that they chose.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// They send sound.
    pub const fn audio(&self) -> bool {
        self.sends.audio
    }

    /// They send video.
    pub const fn video(&self) -> bool {
        self.sends.video
    }

    /// Where the connection stands.
    pub const fn link(&self) -> Link {
        self.link
    }

    pub(super) const fn was_connected(&self) -> bool {
        match self.link {
            Link::Connecting { .. } => false,
            Link::Connected | Link::Interrupted { .. } => true,
        }
    }

    pub(super) fn deadline(&self) -> Option<MediaTime> {
        let link = match self.link {
            Link::Connecting { .. } => None,
            Link::Interrupted { .. } => self.ask_at(),
            Link::Connected => self.retell_at,
        };
        [self.gone_at(), link, self.held_until()].into_iter().flatten().min()
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
            self.candidates = 0;
        }
        self.described = true;
        Described { description, early: self.early.take(generation) }
    }

    /// Begins the next generation, which waits for the far side's answer, and gives its number.
    pub(super) fn begin_restart(&mut self, now: MediaTime) -> u32 {
        self.restarts.generation = self.restarts.generation.saturating_add(1);
        self.restarts.began = Some(now);
        self.described = false;
        self.candidates = 0;
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
        if self.candidates >= MAX_CANDIDATES {
            return None;
        }
        self.candidates += 1;
        Some(candidate)
    }

    /// Makes the connection count as gone soon, unless the reason comes first.
    pub(super) fn close_soon(&mut self, now: MediaTime) {
        self.restarts.stop();
        let soon = now + CLOSED_GRACE;
        self.link = match self.link {
            Link::Connecting { until } => Link::Connecting { until: until.min(soon) },
            Link::Connected => Link::Interrupted { until: soon },
            Link::Interrupted { until } => Link::Interrupted { until: until.min(soon) },
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::call::{CandidateKind, DtlsSetup};
    use crate::media::VideoLevel;

    use super::*;

    #[test]
    fn a_flood_of_candidates_is_bounded_before_and_after_the_description() {
        let sends = Sends { audio: true, video: true };
        let mut participant = Participant::new(String::new(), sends, Role::Offerer, MediaTime::default());
        let candidate = Candidate {
            generation: 0,
            foundation: "1".to_owned(),
            priority: 1,
            address: std::net::IpAddr::from([192, 0, 2, 1]),
            port: 5000,
            kind: CandidateKind::Host,
        };
        for _ in 0..10_000 {
            assert_eq!(participant.trickle(candidate.clone()), None);
        }
        let answer = Description {
            kind: DescriptionKind::Answer,
            generation: 0,
            ice_ufrag: String::new(),
            ice_pwd: String::new(),
            fingerprint: String::new(),
            setup: DtlsSetup::Active,
            audio_ssrc: 1,
            video_ssrc: 2,
            rtx_ssrc: 3,
            fec_ssrc: 4,
            audio_red: true,
            video_level: VideoLevel::FULL_HD,
        };
        let early = participant.describe(answer, MediaTime::default());
        assert_eq!(early.map(|described| described.early.len()), Some(MAX_EARLY_CANDIDATES));
        let applied = (0..10_000).filter(|_| participant.trickle(candidate.clone()).is_some()).count();
        assert_eq!(applied, MAX_CANDIDATES);
    }
}
