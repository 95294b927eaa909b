//! Bandwidth estimator against emulated links, in virtual time.

use super::*;
use crate::media::MediaTime;
use crate::rtc::{LinkEmulator, LinkProfile};

/// A sender that obeys the target up to `wanted_bps`, a link, and feedback each 50 ms.
struct Call {
    estimator: BandwidthEstimator,
    link: LinkEmulator,
    start: Instant,
    /// In ms.
    now: u64,
    wanted_bps: f64,
    /// Bits that may leave.
    credit: f64,
    unreported: Vec<(PacketResult, u64)>,
    /// Delays of what arrived, in ms, with when it left.
    delays: Vec<(u64, f64)>,
    delivered_bits: f64,
    sent: u64,
}

const SIZE: usize = 1160;

impl Call {
    fn over(profile: &str, wanted_bps: f64) -> Self {
        let profile: LinkProfile = profile.parse().unwrap();
        Self {
            estimator: BandwidthEstimator::new(),
            link: LinkEmulator::new(profile, 1, MediaTime::default()),
            start: Instant::now(),
            now: 0,
            wanted_bps,
            // The first packets leave at once.
            credit: 12.0 * SIZE as f64 * 8.0,
            unreported: Vec::new(),
            delays: Vec::new(),
            delivered_bits: 0.0,
            sent: 0,
        }
    }

    /// Goes on for so many seconds.
    fn run(&mut self, seconds: u64) {
        self.delivered_bits = 0.0;
        self.delays.clear();
        for _ in 0..seconds * 1000 {
            self.now += 1;
            let now = self.start + Duration::from_millis(self.now);
            self.credit += (self.estimator.target_bps() as f64).min(self.wanted_bps) / 1000.0;
            while self.credit >= SIZE as f64 * 8.0 {
                self.credit -= SIZE as f64 * 8.0;
                self.send(now);
            }
            if self.now.is_multiple_of(50) {
                self.report(now);
            }
        }
    }

    fn send(&mut self, now: Instant) {
        self.estimator.on_departure(now);
        self.sent += 1;
        let sent_at = MediaTime::from_millis(self.now);
        let arrival = self.link.send(SIZE, sent_at)[0];
        if let Some(arrival) = arrival {
            self.delivered_bits += SIZE as f64 * 8.0;
            self.delays.push((self.now, arrival.since(sent_at).as_secs_f64() * 1000.0));
        }
        let known_at = arrival.map_or(self.now + 30, MediaTime::as_millis);
        let arrival = arrival.map(|at| Duration::from_secs(1000) + Duration::from_micros(at.as_micros()));
        self.unreported.push((PacketResult { departure: now, size: SIZE, arrival }, known_at));
    }

    fn report(&mut self, now: Instant) {
        let known = self.unreported.iter().take_while(|(_, known_at)| *known_at <= self.now).count();
        // Arrivals make the far side report; silence makes nothing.
        let known =
            self.unreported[..known].iter().rposition(|(report, _)| report.arrival.is_some()).map_or(0, |at| at + 1);
        let reports: Vec<PacketResult> = self.unreported.drain(..known).map(|(report, _)| report).collect();
        self.estimator.on_feedback(&reports, Duration::from_millis(40), now);
    }

    fn kbps(&self) -> u64 {
        self.estimator.target_bps() / 1000
    }

    fn delay_percentile(&self, share: f64) -> f64 {
        let mut delays: Vec<f64> = self.delays.iter().map(|(_, delay)| *delay).collect();
        delays.sort_by(f64::total_cmp);
        delays[(delays.len() as f64 * share) as usize]
    }
}

#[test]
fn a_fast_path_is_known_after_the_first_packets() {
    let mut call = Call::over("delay=10,rate=50000", 1_500_000.0);
    call.run(1);
    assert!(call.kbps() > 5_000, "{}", call.kbps());
    assert!(call.delay_percentile(0.95) < 15.0);
}

#[test]
fn a_thin_path_is_filled_and_its_queue_stays_short() {
    for rate in [150, 500, 1000, 3000] {
        let mut call = Call::over(&format!("delay=20,rate={rate},queue=300"), 10_000_000.0);
        call.run(10);
        call.run(30);
        let used = call.delivered_bits / 30_000.0 / f64::from(rate);
        let queued = call.delay_percentile(0.95) - 20.0;
        println!("{rate} kbit/s: {used:.2} of it used, {queued:.0} ms of queue");
        assert!(used > 0.75, "{rate} kbit/s: {used:.2} of it used");
        // A packet alone takes 63 ms of the thinnest one.
        assert!(queued < 200.0, "{rate} kbit/s: {queued:.0} ms of queue");
    }
}

#[test]
fn feedback_on_a_probe_alone_is_no_silence() {
    for (heard, share) in [(true, 1.0), (false, 0.5)] {
        let mut call = Call::over("delay=10,rate=5000", 1_500_000.0);
        call.run(3);
        let before = call.estimator.target_bps() as f64;
        for n in 1..=70 {
            let now = call.start + Duration::from_millis(call.now + n * 20);
            call.estimator.on_departure(now);
            if heard {
                call.estimator.on_probe_feedback(now);
            }
        }
        let after = call.estimator.target_bps() as f64;
        assert!((after / before - share).abs() < 0.11, "{after} of {before}");
    }
}

#[test]
fn a_path_with_hardly_any_queue_is_not_flooded() {
    for profile in ["rate=150,queue=80", "rate=300,queue=50", "rate=500,queue=20", "rate=800,queue=80"] {
        let mut call = Call::over(&format!("delay=20,{profile}"), 10_000_000.0);
        call.run(20);
        let sent_before = call.sent;
        call.run(30);
        let lost = 1.0 - call.delays.len() as f64 / (call.sent - sent_before) as f64;
        assert!(lost < 0.15, "{profile}: {lost:.2} lost");
    }
}

#[test]
fn a_pause_of_ones_own_costs_no_rate() {
    let mut call = Call::over("delay=20,rate=5000", 1_000_000.0);
    call.run(5);
    for _ in 0..10 {
        call.wanted_bps = 0.0;
        call.run(2);
        call.wanted_bps = 1_000_000.0;
        call.run(1);
    }
    assert!(call.kbps() > 900, "{}", call.kbps());
}

#[test]
fn a_hostile_clock_does_not_panic() {
    let start = Instant::now();
    let mut estimator = BandwidthEstimator::new();
    for n in 0..40_000_u64 {
        let arrival = Some(Duration::from_millis(64 * ((1 << 24) - n % (1 << 24))));
        let report = PacketResult { departure: start, size: 1200, arrival };
        estimator.on_feedback(&[report; 3], Duration::ZERO, start + Duration::from_millis(n));
    }
    assert!(estimator.target_bps() >= 80_000);
}

#[test]
fn a_path_that_shrinks_and_widens_is_followed() {
    let mut call = Call::over("delay=10,rate=3000,step=20:500,step=40:3000,queue=200", 2_500_000.0);
    call.run(20);
    assert!(call.kbps() > 2000, "{}", call.kbps());
    let mut least = u64::MAX;
    for _ in 0..3 {
        call.run(1);
        least = least.min(call.kbps());
    }
    assert!(call.kbps() < 650 && least > 250, "{} {least}", call.kbps());
    call.run(17);
    assert!(call.kbps() < 700 && call.kbps() > 250, "{}", call.kbps());
    call.run(6);
    assert!(call.kbps() > 2000, "{}", call.kbps());
}

#[test]
fn loss_that_is_the_paths_own_costs_no_rate() {
    for loss in [2, 10, 20] {
        let mut call = Call::over(&format!("delay=25,loss={loss}"), 1_500_000.0);
        call.run(5);
        call.run(10);
        let carried = call.delivered_bits / 10_000.0;
        assert!(carried > 1400.0 * (1.0 - f64::from(loss) / 100.0), "{loss} %: {carried} kbit/s");
    }
}

#[test]
fn jitter_costs_little() {
    for jitter in [15, 30] {
        let mut call = Call::over(&format!("delay=80,jitter={jitter}"), 1_500_000.0);
        call.run(20);
        call.run(20);
        let carried = call.delivered_bits / 20_000.0;
        assert!(carried > 1200.0, "{jitter} ms: {carried} kbit/s, {} granted", call.kbps());
    }
}

#[test]
fn what_is_not_sent_proves_nothing() {
    let mut call = Call::over("delay=10,rate=2000", 200_000.0);
    call.run(30);
    assert!(call.kbps() < 2000, "{}", call.kbps());
}

#[test]
fn silence_lowers_the_rate_and_its_end_raises_it() {
    let mut call = Call::over("delay=10,rate=4000,blackout=10:5", 1_500_000.0);
    call.run(10);
    let before = call.kbps();
    call.run(5);
    assert!(call.kbps() < before / 4, "{before} -> {}", call.kbps());
    call.run(5);
    assert!(call.kbps() > 1400, "{}", call.kbps());
}

#[test]
fn a_path_that_becomes_longer_or_shorter_costs_no_rate() {
    for link in [
        "delay=10,at=10:delay=110",
        "delay=10,rate=4000,at=10:delay=160",
        "delay=150,at=10:delay=20",
        "delay=30,jitter=10,at=10:delay=150",
    ] {
        let mut call = Call::over(link, 1_500_000.0);
        call.run(10);
        call.run(2);
        call.run(5);
        let carried = call.delivered_bits / 5000.0;
        assert!(carried > 1400.0, "{link}: {carried} kbit/s");
    }
}
