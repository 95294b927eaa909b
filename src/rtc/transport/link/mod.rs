//! Network emulator: outgoing datagrams are lost, delayed, reordered, repeated and throttled by a profile.
//!
//! ```text
//! datagram -> blackout? -> loss -> bottleneck (rate, queue) -> delay, jitter -> order -> delivery, perhaps twice
//! ```
//!
//! Pure and seeded: time is an argument, and the same profile, seed and datagrams give the same deliveries. Both sides
//! of a measured call impair what they send. A profile may change at moments that it names: a path that changes in
//! mid-call. For tests and measurements; no call has a link unless it is asked for.

mod profile;
mod relay;
mod sender;
mod tcp;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use profile::{Conditions, LinkProfile, ParseLinkError};
pub use relay::UdpRelay;
pub(in crate::rtc) use sender::LinkSender;

use crate::media::MediaTime;
use tcp::TcpFlow;

/// Bytes that IPv4 and UDP add to a datagram.
pub(in crate::rtc) const DATAGRAM_HEADERS: usize = 28;

/// One direction of an impaired path.
#[derive(Debug)]
pub struct LinkEmulator {
    profile: LinkProfile,
    random: fastrand::Rng,
    began: MediaTime,
    /// The last datagram was lost in a burst that may go on.
    in_burst: bool,
    bottleneck: Arc<Mutex<Bottleneck>>,
    /// The latest delivery so far: whatever is not reordered comes after it.
    latest: MediaTime,
}

/// The queue of a bottleneck, which several flows may share.
#[derive(Debug)]
struct Bottleneck {
    /// When it has sent what it holds.
    idle_at: MediaTime,
    /// Flows of other programs.
    flows: Vec<TcpFlow>,
}

impl Bottleneck {
    /// When a datagram that comes at `now` is through; `None` when the queue is full.
    fn pass(&mut self, size: usize, kbps: u32, queue: Duration, now: MediaTime) -> Option<MediaTime> {
        let start = self.idle_at.max(now);
        if start.since(now) > queue {
            return None;
        }
        let bits = (size + DATAGRAM_HEADERS) as u64 * 8;
        self.idle_at = start + Duration::from_micros(bits * 1000 / u64::from(kbps.max(1)));
        Some(self.idle_at)
    }

    /// Brings the flows of other programs up to `now`.
    fn bring_flows_to(&mut self, now: MediaTime, kbps: u32, conditions: &Conditions) {
        let wanted = conditions.tcp as usize;
        if self.flows.len() != wanted {
            self.flows.resize_with(wanted, || TcpFlow::new(now));
        }
        while let Some(next) = (0..wanted).min_by_key(|&flow| self.flows[flow].next_event())
            && self.flows[next].next_event() <= now
        {
            let mut flow = self.flows.swap_remove(next);
            flow.step(conditions.delay, |size, at| self.pass(size, kbps, conditions.queue, at));
            self.flows.push(flow);
        }
    }
}

impl LinkEmulator {
    /// A link that begins at `now`; the profile's changes and blackouts count from there. Each direction of a path
    /// needs a `seed` of its own.
    pub fn new(profile: LinkProfile, seed: u64, now: MediaTime) -> Self {
        let random = fastrand::Rng::with_seed(profile.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed);
        let bottleneck = Arc::new(Mutex::new(Bottleneck { idle_at: now, flows: Vec::new() }));
        Self { profile, random, began: now, in_burst: false, bottleneck, latest: now }
    }

    /// The profile's changes and blackouts count from `now` on.
    pub fn begin(&mut self, now: MediaTime) {
        self.began = now;
    }

    /// Another flow's link through the same bottleneck. Datagrams of both must be sent in the order of time.
    #[must_use]
    pub fn beside(&self, seed: u64) -> Self {
        let other = Self::new(self.profile.clone(), seed, self.began);
        Self { bottleneck: Arc::clone(&self.bottleneck), ..other }
    }

    /// Bytes that TCP flows beside the call have delivered.
    pub fn tcp_bytes(&self) -> u64 {
        self.bottleneck().flows.iter().map(TcpFlow::delivered_bytes).sum()
    }

    fn bottleneck(&self) -> MutexGuard<'_, Bottleneck> {
        self.bottleneck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a datagram of `size` bytes that is sent at `now` is delivered: never, once, or twice.
    pub fn send(&mut self, size: usize, now: MediaTime) -> [Option<MediaTime>; 2] {
        let conditions = self.profile.at(now.since(self.began)).clone();
        if self.is_black(now) || self.loses(&conditions) {
            return [None; 2];
        }
        let Some(departure) = self.pass_bottleneck(size, &conditions, now) else { return [None; 2] };
        let arrival = self.arrival(departure, &conditions);
        let again = self.chance(conditions.duplicate).then(|| arrival + Duration::from_millis(1));
        [Some(arrival), again]
    }

    fn is_black(&self, now: MediaTime) -> bool {
        let at = now.since(self.began);
        self.profile.blackouts.iter().any(|&(start, length)| (start..start + length).contains(&at))
    }

    /// Gilbert's model (1960): bursts of a mean length, lost whole; losses are independent where that is 1.
    fn loses(&mut self, conditions: &Conditions) -> bool {
        let (loss, burst) = (conditions.loss, conditions.burst);
        let chance = if burst <= 1.0 {
            loss
        } else if self.in_burst {
            1.0 - 1.0 / burst
        } else {
            loss / (burst * (1.0 - loss).max(0.01))
        };
        self.in_burst = self.chance(chance);
        self.in_burst
    }

    /// When the bottleneck has sent the datagram; `None` when its queue is full.
    fn pass_bottleneck(&mut self, size: usize, conditions: &Conditions, now: MediaTime) -> Option<MediaTime> {
        let Some(kbps) = conditions.kbps else { return Some(now) };
        let mut bottleneck = self.bottleneck();
        bottleneck.bring_flows_to(now, kbps, conditions);
        bottleneck.pass(size, kbps, conditions.queue, now)
    }

    fn arrival(&mut self, departure: MediaTime, conditions: &Conditions) -> MediaTime {
        let jitter = conditions.jitter.as_secs_f64() * self.normal();
        let delay = (conditions.delay.as_secs_f64() + jitter).max(0.0);
        let arrival = departure + Duration::from_secs_f64(delay);
        if self.chance(conditions.reorder) {
            return arrival;
        }
        self.latest = self.latest.max(arrival);
        self.latest
    }

    fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.f64() < chance
    }

    /// A sample of the standard normal distribution (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.random.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.random.f64()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(profile: &str) -> LinkEmulator {
        LinkEmulator::new(profile.parse().unwrap(), 1, MediaTime::default())
    }

    /// Arrivals in ms of datagrams of 972 bytes (1000 with headers), one each `every` ms.
    fn arrivals(link: &mut LinkEmulator, count: u64, every: u64) -> Vec<[Option<f64>; 2]> {
        (0..count)
            .map(|number| {
                let millis = |at: MediaTime| at.as_micros() as f64 / 1000.0;
                link.send(972, MediaTime::from_millis(number * every)).map(|at| at.map(millis))
            })
            .collect()
    }

    fn lost(arrivals: &[[Option<f64>; 2]]) -> usize {
        arrivals.iter().filter(|copies| copies[0].is_none()).count()
    }

    #[test]
    fn a_perfect_link_delivers_at_once_and_in_order() {
        let arrivals = arrivals(&mut link(""), 100, 1);
        assert!(arrivals.iter().enumerate().all(|(n, copies)| *copies == [Some(n as f64), None]));
    }

    #[test]
    fn as_many_are_lost_as_asked_and_the_same_ones_each_time() {
        for (profile, mean_burst) in [("loss=10", 1.1), ("loss=10,burst=3", 3.0)] {
            let arrivals = [(); 2].map(|()| arrivals(&mut link(profile), 100_000, 1));
            assert_eq!(arrivals[0], arrivals[1]);
            let lost = lost(&arrivals[0]);
            assert!((9_000..11_000).contains(&lost), "{profile}: {lost}");
            let bursts = arrivals[0].windows(2).filter(|pair| pair[0][0].is_some() && pair[1][0].is_none()).count();
            let length = lost as f64 / bursts as f64;
            assert!((length - mean_burst).abs() < 0.2, "{profile}: bursts of {length}");
        }
        let other = LinkEmulator::new("loss=10".parse().unwrap(), 2, MediaTime::default());
        assert_ne!(arrivals(&mut { other }, 1000, 1), arrivals(&mut link("loss=10"), 1000, 1));
    }

    #[test]
    fn the_bottleneck_queues_and_then_drops_and_its_rate_steps() {
        let mut link = link("rate=800,step=10:80,queue=100");
        // 1000 bytes at 800 kbit/s take 10 ms; one comes each 5 ms.
        let first = arrivals(&mut link, 100, 5);
        assert_eq!(first[0][0], Some(10.0));
        assert_eq!(first[1][0], Some(20.0));
        let delays = first.iter().enumerate().filter_map(|(n, copies)| Some(copies[0]? - 5.0 * n as f64));
        assert!(delays.fold(0.0, f64::max) <= 110.0, "the queue holds 100 ms");
        assert!((35..50).contains(&lost(&first)), "{}", lost(&first));
        let slow = link.send(972, MediaTime::from_millis(20_000));
        assert_eq!(slow[0], Some(MediaTime::from_millis(20_100)));
    }

    #[test]
    fn jitter_keeps_the_order_unless_reordering_is_asked_for() {
        let mean = |arrivals: &[[Option<f64>; 2]]| {
            arrivals.iter().enumerate().filter_map(|(n, copies)| Some(copies[0]? - n as f64 * 20.0)).sum::<f64>()
                / arrivals.len() as f64
        };
        let kept = arrivals(&mut link("delay=100,jitter=20"), 5000, 20);
        assert!(kept.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
        assert!((100.0..115.0).contains(&mean(&kept)), "{}", mean(&kept));
        let mixed = arrivals(&mut link("delay=100,jitter=20,reorder=100"), 5000, 20);
        assert!(mixed.windows(2).any(|pair| pair[0][0] > pair[1][0]));
        assert!((mean(&mixed) - 100.0).abs() < 2.0, "{}", mean(&mixed));
    }

    #[test]
    fn a_link_changes_at_its_moments() {
        let arrivals = arrivals(&mut link("delay=10,at=1:delay=200,at=2:delay=30,at=3:loss=100"), 400, 10);
        let delay = |n: usize| arrivals[n][0].map(|at| at - 10.0 * n as f64);
        assert_eq!([0, 99, 100, 199].map(delay), [10.0, 10.0, 200.0, 200.0].map(Some));
        assert_eq!(delay(200), Some(190.0), "what follows does not overtake");
        assert_eq!([217, 299, 300, 399].map(delay), [Some(30.0), Some(30.0), None, None]);
    }

    #[test]
    fn the_changes_of_a_link_count_from_its_latest_beginning() {
        let mut link = link("delay=10,at=1:delay=200");
        let delay = |link: &mut LinkEmulator, ms| {
            let now = MediaTime::from_millis(ms);
            link.send(1, now)[0].map(|at| at.since(now).as_millis())
        };
        assert_eq!(delay(&mut link, 900), Some(10));
        link.begin(MediaTime::from_millis(950));
        assert_eq!([1100, 1949, 1950].map(|ms| delay(&mut link, ms)), [10, 10, 200].map(Some));
    }

    #[test]
    fn a_delay_that_falls_lets_what_follows_overtake_where_reordering_is_asked_for() {
        let arrivals = arrivals(&mut link("delay=200,at=1:delay=30+reorder=100"), 110, 10);
        assert_eq!((arrivals[99][0], arrivals[100][0]), (Some(1190.0), Some(1030.0)));
    }

    #[test]
    fn a_blackout_swallows_everything_and_ends() {
        let arrivals = arrivals(&mut link("blackout=1:0.5"), 200, 10);
        let black: Vec<usize> = (0..200).filter(|&n| arrivals[n][0].is_none()).collect();
        assert_eq!(black, (100..150).collect::<Vec<_>>());
    }

    #[test]
    fn two_flows_share_one_bottleneck() {
        let mut first = link("rate=800,queue=100");
        let mut second = first.beside(2);
        let sent =
            |link: &mut LinkEmulator, ms| link.send(972, MediaTime::from_millis(ms))[0].map(MediaTime::as_millis);
        assert_eq!(sent(&mut first, 0), Some(10));
        assert_eq!([sent(&mut second, 0), sent(&mut first, 15)], [Some(20), Some(30)]);
    }

    /// Kbit/s of a TCP flow and of a call of so many packets of 1000 bytes a second, and the percentage that the call
    /// loses.
    fn beside_tcp(profile: &str, packets: u64) -> (u64, u64, u64) {
        const SECONDS: u64 = 60;
        let mut link = link(profile);
        let count = packets * SECONDS;
        let came = (0..count)
            .filter(|n| link.send(972, MediaTime::from_micros(n * 1_000_000 / packets))[0].is_some())
            .count() as u64;
        (link.tcp_bytes() * 8 / SECONDS / 1000, came * 8 / SECONDS, 100 - came * 100 / count)
    }

    #[test]
    fn a_tcp_flow_fills_what_the_call_leaves() {
        for (profile, packets) in [("rate=3000,tcp=1,delay=20", 1), ("rate=3000,tcp=1,delay=20", 125)] {
            let (tcp, call, lost) = beside_tcp(profile, packets);
            let left = 3000 - packets * 8;
            assert!(tcp > left * 90 / 100 && tcp <= left * 101 / 100, "{tcp} of {left} kbit/s");
            // A queue that is full drops whatever comes.
            assert!(lost < 30, "{packets} packets a second: {call} kbit/s, {lost} % lost");
        }
        let (two, _, _) = beside_tcp("rate=3000,tcp=2,delay=20,queue=50", 1);
        assert!(two > 2700, "{two}");
        assert_eq!(beside_tcp("tcp=1,delay=20", 100), (0, 800, 0), "without a bottleneck there is no flow");
    }

    #[test]
    fn some_come_twice() {
        let arrivals = arrivals(&mut link("duplicate=20"), 1000, 1);
        let twice = arrivals.iter().filter(|copies| copies[1].is_some()).count();
        assert!((150..250).contains(&twice), "{twice}");
    }
}
