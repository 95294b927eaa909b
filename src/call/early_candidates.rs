//! ICE candidates that arrive before their description: they wait for it, and there is a bound.

use super::Candidate;

/// Waiting candidates of one far side.
#[derive(Debug)]
pub(super) struct EarlyCandidates {
    waiting: Vec<Candidate>,
    most: usize,
}

impl EarlyCandidates {
    /// Keeps `most` candidates at most.
    pub(super) const fn new(most: usize) -> Self {
        Self { waiting: Vec::new(), most }
    }

    /// Keeps `candidate`. When there is no room, one of an older description gives way: that description may have been
    /// replaced before it came. Otherwise the new one is dropped.
    pub(super) fn keep(&mut self, candidate: Candidate) {
        if self.waiting.len() < self.most {
            self.waiting.push(candidate);
        } else if let Some(older) = self.waiting.iter_mut().find(|kept| kept.generation < candidate.generation) {
            *older = candidate;
        }
    }

    /// The description of `generation` has come: gives its candidates in the order of their coming, forgets those of
    /// earlier ones, and goes on keeping those of later ones.
    pub(super) fn take(&mut self, generation: u32) -> Vec<Candidate> {
        let (later, mut due): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|candidate| candidate.generation > generation);
        self.waiting = later;
        due.retain(|candidate| candidate.generation == generation);
        due
    }
}

#[cfg(test)]
mod tests {
    use crate::call::CandidateKind;

    use super::*;

    fn candidate(generation: u32, port: u16) -> Candidate {
        Candidate {
            generation,
            foundation: "1".try_into().unwrap(),
            priority: 1,
            address: std::net::IpAddr::from([192, 0, 2, 1]),
            port,
            kind: CandidateKind::Host,
        }
    }

    fn ports(early: &mut EarlyCandidates, generation: u32) -> Vec<u16> {
        early.take(generation).iter().map(|candidate| candidate.port).collect()
    }

    #[test]
    fn each_waits_for_its_own_description() {
        let mut early = EarlyCandidates::new(8);
        for (generation, port) in [(1, 10), (2, 20), (1, 11), (3, 30)] {
            early.keep(candidate(generation, port));
        }
        assert_eq!(ports(&mut early, 1), [10, 11]);
        assert_eq!(ports(&mut early, 3), [30], "the second description was replaced by the third");
        assert!(ports(&mut early, 2).is_empty());
    }

    #[test]
    fn a_flood_is_bounded_and_the_newest_description_has_room() {
        let mut early = EarlyCandidates::new(4);
        (0..10_000).for_each(|port| early.keep(candidate(1, port)));
        assert_eq!(early.waiting.len(), 4);
        early.keep(candidate(2, 7));
        early.keep(candidate(1, 8));
        assert_eq!(early.waiting.len(), 4);
        assert_eq!(ports(&mut early, 2), [7]);
        (0..10_000).for_each(|number| early.keep(candidate(number, 9)));
        assert_eq!(early.waiting.len(), 4);
        assert!(early.waiting.capacity() <= 8);
    }
}
