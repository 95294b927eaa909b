//! Uplink behind which the paths to several receivers lie: its bit rate, and whose path is probed. Pure; time is an
//! argument.
//!
//! Each path has an estimator of its own, which sees the queue of the uplink whoever fills it. Rates that fall together
//! tell that their bottleneck is one (compare RFC 8382): what was delivered then, all paths together, is what the
//! uplink carries; a path whose rate did not fall counts with no more than its pictures need. From then on the sum
//! stays below it, and rises slowly, until no two rates have fallen together for a while. A rate is the one of all
//! streams of a path together: a stream that begins halves the share of another one everywhere at once, which tells
//! nothing of the uplink. The streams share the bound equally, as they share each path.
//!
//! Probes of several paths at once would each find the others' queue, so they take turns, whichever stream wants them.

use std::time::Duration;

use crate::identity::PeerId;
use crate::media::{MediaTime, StreamId};

/// A rate below this share of what it was has fallen.
const FALLEN: f64 = 0.9;
/// Rates that fall within this time fall together.
const TOGETHER: Duration = Duration::from_millis(1000);
/// An estimator lowers its target to this share of what was delivered (`rtc/bwe/aimd.rs`).
const BACK_OFF: f64 = 0.85;
/// Share of the uplink that is used.
const USED: f64 = 0.95;
/// Growth of the bound in a second.
const GROWTH: f64 = 0.04;
/// The bound is forgotten when no two rates have fallen together for so long: the uplink may be another one.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// Time in which one path alone is probed.
const TURN: Duration = Duration::from_millis(1500);
/// Pictures of a stream are planned at least this often while it is encoded.
const PICTURE_PAUSES: Duration = Duration::from_secs(1);

/// Rate that congestion control grants all streams of pictures of a path together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathRate {
    /// ID of the peer at the far end.
    pub peer: PeerId,
    /// Bit rate in kbit/s; `u32::MAX` before it is known.
    pub kbps: u32,
    /// Bit rate that the peer's tile of the planned stream can use, in kbit/s.
    pub needed_kbps: u32,
}

/// One path through the uplink.
#[derive(Clone, Debug)]
struct Path {
    peer: PeerId,
    /// Granted rate, in kbit/s, and the highest one since it fell.
    kbps: f64,
    highest_kbps: f64,
    fell_at: Option<MediaTime>,
    /// Bit rate that the peer's tile of each stream can use, in kbit/s.
    needs: Vec<(StreamId, u32)>,
}

impl Path {
    fn fell_lately(&self, now: MediaTime) -> bool {
        self.fell_at.is_some_and(|at| now.since(at) <= TOGETHER)
    }

    /// Bit rate that the path carried before rates fell together, in kbit/s, at most.
    fn delivered_kbps(&self, now: MediaTime) -> f64 {
        let needed = self.needs.iter().map(|(_, kbps)| f64::from(*kbps)).sum();
        if self.fell_lately(now) { self.kbps / BACK_OFF } else { self.kbps.min(needed) }
    }
}

/// The uplink of this computer, as the paths to the receivers show it.
#[derive(Debug, Default)]
pub struct Uplink {
    paths: Vec<Path>,
    /// The streams that are encoded, and when a picture of each was planned last.
    streams: Vec<(StreamId, MediaTime)>,
    /// Bound in kbit/s, and since when.
    bound: Option<(f64, MediaTime)>,
    /// When rates last fell together.
    fell_at: MediaTime,
    /// The receiver whose path may be probed, and since when.
    turn: Option<(PeerId, MediaTime)>,
}

impl Uplink {
    /// Takes the rates of the paths at `now`, when a picture of a stream is planned; the kbit/s in which this
    /// stream may be sent to all receivers together, `u32::MAX` while no bound is known.
    pub fn follow(&mut self, stream: StreamId, rates: &[PathRate], now: MediaTime) -> u32 {
        self.note_stream(stream, now);
        self.take_turns(rates, now);
        self.follow_paths(stream, rates, now);
        match self.bound_at(now) {
            u32::MAX => u32::MAX,
            kbps => kbps / self.streams.len() as u32,
        }
    }

    /// Notes the paths' rates, and bounds the sum where they have fallen together.
    fn follow_paths(&mut self, stream: StreamId, rates: &[PathRate], now: MediaTime) {
        self.paths.retain(|path| rates.iter().any(|rate| rate.peer == path.peer));
        let mut fell = false;
        // Before the first report of a path nothing is granted, and nothing bounded.
        for rate in rates.iter().filter(|rate| rate.kbps < u32::MAX) {
            let kbps = f64::from(rate.kbps);
            let Some(path) = self.paths.iter_mut().find(|path| path.peer == rate.peer) else {
                let needs = vec![(stream, rate.needed_kbps)];
                self.paths.push(Path { peer: rate.peer, kbps, highest_kbps: kbps, fell_at: None, needs });
                continue;
            };
            path.needs.retain(|&(id, _)| id != stream && self.streams.iter().any(|&(encoded, _)| encoded == id));
            path.needs.push((stream, rate.needed_kbps));
            path.kbps = kbps;
            path.highest_kbps = path.highest_kbps.max(kbps);
            if kbps < path.highest_kbps * FALLEN {
                (path.highest_kbps, path.fell_at) = (kbps, Some(now));
                fell = true;
            }
        }
        if fell && self.falls_together(now) {
            let delivered: f64 = self.paths.iter().map(|path| path.delivered_kbps(now)).sum();
            (self.bound, self.fell_at) = (Some((delivered * USED, now)), now);
        }
    }

    /// A picture of a stream is planned at `now`; streams of which none was for a while have ended.
    fn note_stream(&mut self, stream: StreamId, now: MediaTime) {
        self.streams.retain(|&(id, planned)| id != stream && now.since(planned) < PICTURE_PAUSES);
        self.streams.push((stream, now));
    }

    /// True where the path to this receiver may be probed now.
    pub fn may_probe(&self, peer: PeerId) -> bool {
        self.turn.is_none_or(|(turn, _)| turn == peer)
    }

    /// Whether the rates of at least two paths, and of half of them, have just fallen.
    fn falls_together(&self, now: MediaTime) -> bool {
        let fallen = self.paths.iter().filter(|path| path.fell_lately(now)).count();
        fallen >= 2 && fallen * 2 >= self.paths.len()
    }

    fn bound_at(&mut self, now: MediaTime) -> u32 {
        let Some((kbps, since)) = self.bound else { return u32::MAX };
        if now.since(self.fell_at) >= FORGOTTEN || self.paths.len() < 2 {
            self.bound = None;
            return u32::MAX;
        }
        let grown = kbps * (1.0 + GROWTH * now.since(since).as_secs_f64());
        self.bound = Some((grown, now));
        grown as u32
    }

    /// One receiver after the other, in their order.
    fn take_turns(&mut self, rates: &[PathRate], now: MediaTime) {
        let place = self.turn.and_then(|(peer, _)| rates.iter().position(|rate| rate.peer == peer));
        let is_over = self.turn.is_none_or(|(_, since)| now.since(since) >= TURN);
        let next = match place {
            Some(_) if !is_over => return,
            Some(place) => (place + 1) % rates.len(),
            None => 0,
        };
        self.turn = rates.get(next).map(|rate| (rate.peer, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MS: u64 = 33;

    fn peer(number: usize) -> PeerId {
        PeerId::from_bytes([number as u8 + 1; 32])
    }

    fn rates(kbps: &[u32]) -> Vec<PathRate> {
        let rate = |(number, &kbps)| PathRate { peer: peer(number), kbps, needed_kbps: 1500 };
        kbps.iter().enumerate().map(rate).collect()
    }

    /// Bounds, one a picture, while the granted rates change with the time in ms.
    fn bounds(millis: u64, kbps: impl Fn(u64) -> Vec<u32>) -> Vec<(u64, u32)> {
        let mut uplink = Uplink::default();
        let times = (0..millis).step_by(TICK_MS as usize);
        times.map(|ms| (ms, uplink.follow(StreamId::CAMERA, &rates(&kbps(ms)), MediaTime::from_millis(ms)))).collect()
    }

    #[test]
    fn one_path_that_narrows_bounds_nobody_else() {
        let alone = bounds(60_000, |ms| vec![if (ms / 5000) % 2 == 1 { 300 } else { 1500 }]);
        let of_three = bounds(60_000, |ms| vec![1500, if (ms / 5000) % 2 == 1 { 300 } else { 1500 }, 1500]);
        let apart = bounds(60_000, |ms| vec![if ms > 5000 { 700 } else { 1500 }, if ms > 8000 { 700 } else { 1500 }]);
        assert!(alone.iter().chain(&of_three).chain(&apart).all(|(_, bound)| *bound == u32::MAX));
    }

    #[test]
    fn rates_that_fall_together_bound_the_sum_to_what_was_delivered_and_it_rises_slowly() {
        let fallen = |ms: u64, at: u64| if ms >= at { 425 } else { 1000 };
        let bounds = bounds(20_000, |ms| vec![fallen(ms, 5000), fallen(ms, 5400), fallen(ms, 5600)]);
        let at = |ms: u64| bounds.iter().rfind(|(time, _)| *time <= ms).unwrap().1;
        assert_eq!(at(5300), u32::MAX);
        // Three times 425 kbit/s are 0.85 of 1500, of which 0.95 are used.
        assert_eq!(at(5640), 1425);
        assert!((1425 + 50..1425 + 70).contains(&at(6640)), "4 % in a second: {}", at(6640));
        assert!(at(19_000) > 2300, "{}", at(19_000));
    }

    #[test]
    fn a_path_with_a_large_rate_that_does_not_fall_counts_with_what_its_pictures_need() {
        let mut uplink = Uplink::default();
        let mut follow = |stream, kbps, needed_kbps, ms| {
            let mut rates = rates(&[kbps, kbps, 20_000]);
            rates[2].needed_kbps = needed_kbps;
            uplink.follow(stream, &rates, MediaTime::from_millis(ms))
        };
        follow(StreamId::CAMERA, 1000, 190, 0);
        // Twice 425 kbit/s are 0.85 of 1000; with the third path 1190 kbit/s, of which 0.95 are used.
        assert_eq!(follow(StreamId::CAMERA, 425, 190, 33), 1130);
        follow(StreamId::CAMERA, 1000, 190, 2000);
        follow(StreamId::SCREEN, 1000, 1000, 2010);
        assert_eq!(follow(StreamId::CAMERA, 425, 190, 2033), (2190.0 * 0.95 / 2.0) as u32, "two streams are needed");
        follow(StreamId::CAMERA, 1000, 190, 5000);
        assert_eq!(follow(StreamId::CAMERA, 425, 190, 5033), 1130, "the screen has ended");
    }

    #[test]
    fn a_bound_is_forgotten_after_a_while_and_when_nobody_shares_the_uplink_any_more() {
        let fallen = |ms: u64| if ms >= 5000 { 500 } else { 1000 };
        let both = bounds(40_000, |ms| vec![fallen(ms); 2]);
        let unbounded = |bounds: &[(u64, u32)]| bounds.iter().rfind(|one| one.1 < u32::MAX).map(|one| one.0);
        assert!(unbounded(&both).is_some_and(|last| (34_900..35_100).contains(&last)), "{:?}", unbounded(&both));
        let left = bounds(40_000, |ms| vec![fallen(ms); if ms < 10_000 { 2 } else { 1 }]);
        assert!(unbounded(&left).is_some_and(|last| last < 10_000));
        let unknown = bounds(1000, |_| vec![u32::MAX; 3]);
        assert_eq!(unbounded(&unknown), None, "before the first reports");
    }

    #[test]
    fn streams_share_the_bound_while_they_are_encoded() {
        let mut uplink = Uplink::default();
        let at = MediaTime::from_millis;
        let mut follow = |stream, kbps, ms| uplink.follow(stream, &rates(&[kbps; 2]), at(ms));
        follow(StreamId::CAMERA, 1000, 0);
        assert_eq!(follow(StreamId::SCREEN, 1000, 10), u32::MAX, "no bound is known yet");
        // Twice 425 kbit/s are 0.85 of 1000, of which 0.95 are used: half for each.
        assert_eq!(follow(StreamId::CAMERA, 425, 20), 475);
        assert_eq!(follow(StreamId::SCREEN, 425, 20), 475);
        assert!((475..500).contains(&follow(StreamId::CAMERA, 425, 900)));
        assert!((950..1000).contains(&follow(StreamId::CAMERA, 425, 1020)), "the screen has ended");
    }

    #[test]
    fn one_path_is_probed_at_a_time_and_each_has_its_turn() {
        let mut uplink = Uplink::default();
        assert!(uplink.may_probe(peer(0)), "before anybody is known");
        let mut turns = Vec::new();
        for ms in (0..9000).step_by(TICK_MS as usize) {
            // The screen has a fifth of the pictures.
            let stream = if ms % 5 == 0 { StreamId::SCREEN } else { StreamId::CAMERA };
            uplink.follow(stream, &rates(&[1000; 3]), MediaTime::from_millis(ms));
            let may: Vec<_> = (0..3).filter(|&number| uplink.may_probe(peer(number))).collect();
            assert_eq!(may.len(), 1);
            if turns.last() != Some(&may[0]) {
                turns.push(may[0]);
            }
        }
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        uplink.follow(StreamId::CAMERA, &rates(&[1000]), MediaTime::from_millis(9010));
        assert!(uplink.may_probe(peer(0)), "whoever has the turn is gone");
        uplink.follow(StreamId::CAMERA, &rates(&[1000]), MediaTime::from_millis(20_000));
        assert!(uplink.may_probe(peer(0)), "one alone");
    }
}
