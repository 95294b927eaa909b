//! One remote person in a conversation: their connection, and what they send.

use std::time::Duration;

use crate::media::MediaTime;

use super::restart::Restarts;
use super::{Candidate, Description, DescriptionKind, Role};

/// How long a connection may take to be made, if the engine does not give it up before.
pub(super) const CONNECTING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an interruption may last before the participant counts as lost.
pub(super) const INTERRUPTED_TIMEOUT: Duration = Duration::from_secs(30);
/// Between restarts that the far side begins at least: each of them costs sockets.
pub(super) const RESTART_INTERVAL: Duration = Duration::from_millis(500);
/// How long a far side's close waits for the message that says why.
pub(super) const CLOSED_GRACE: Duration = Duration::from_secs(2);
/// Candidates that are kept until the description comes; later ones are dropped.
const MAX_EARLY_CANDIDATES: usize = 32;
/// Candidates that a participant may give for each description.
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
    /// When they are told again what this side sends: the latest word of that did not arrive.
    pub(super) retell_at: Option<MediaTime>,
    described: bool,
    early: Vec<Candidate>,
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
            retell_at: None,
            described: false,
            early: Vec::new(),
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
        match self.link {
            Link::Connecting { until } => Some(until),
            Link::Interrupted { until } => Some(self.ask_at().map_or(until, |at| at.min(until))),
            Link::Connected => self.retell_at,
        }
    }

    /// The far side's description of the present generation has come.
    pub(super) const fn is_described(&self) -> bool {
        self.described
    }

    /// Takes the far side's description, once in each generation and only of the kind that the roles ask for; gives the
    /// candidates that came before it. Generations of an answerer follow the offers.
    pub(super) fn describe(&mut self, description: &Description, now: MediaTime) -> Option<Vec<Candidate>> {
        let Description { kind, generation, .. } = *description;
        let fits = match self.role {
            Role::Offerer => kind == DescriptionKind::Answer && !self.described && generation == self.generation(),
            Role::Answerer if !self.described => kind == DescriptionKind::Offer,
            Role::Answerer => {
                let soon = self.restarts.began.is_some_and(|at| now.since(at) < RESTART_INTERVAL);
                kind == DescriptionKind::Offer && generation > self.generation() && self.was_connected() && !soon
            }
        };
        if !fits {
            return None;
        }
        if generation > self.generation() {
            self.restarts.generation = generation;
            self.restarts.began = Some(now);
            self.candidates = 0;
        }
        self.described = true;
        let early = std::mem::take(&mut self.early);
        Some(early.into_iter().filter(|candidate| candidate.generation == generation).collect())
    }

    /// Begins the next generation, which waits for the far side's answer, and gives its number.
    pub(super) fn begin_restart(&mut self, now: MediaTime) -> u32 {
        self.restarts.generation = self.restarts.generation.saturating_add(1);
        self.restarts.began = Some(now);
        self.described = false;
        self.early.clear();
        self.candidates = 0;
        self.generation()
    }

    /// Takes a candidate: gives it back when it can be applied now, keeps it (within bounds) when the description is
    /// still to come. One of an earlier description is of no use.
    pub(super) fn trickle(&mut self, candidate: Candidate) -> Option<Candidate> {
        if self.candidates >= MAX_CANDIDATES || candidate.generation < self.generation() {
            return None;
        }
        self.candidates += 1;
        if self.described && candidate.generation == self.generation() {
            return Some(candidate);
        }
        if self.early.len() < MAX_EARLY_CANDIDATES {
            self.early.push(candidate);
        }
        None
    }

    /// Makes the connection count as gone soon, unless the reason comes first.
    pub(super) fn close_soon(&mut self, now: MediaTime) {
        self.restarts.stop_asking();
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
        for _ in 0..100 {
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
        };
        let early = participant.describe(&answer, MediaTime::default());
        assert_eq!(early.map(|early| early.len()), Some(MAX_EARLY_CANDIDATES));
        let applied = (0..10_000).filter(|_| participant.trickle(candidate.clone()).is_some()).count();
        assert_eq!(applied, MAX_CANDIDATES - 100);
    }
}
