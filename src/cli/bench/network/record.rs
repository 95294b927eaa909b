//! Record of one side of a call, in the same terms for every program that is measured.

use super::dips::Dip;

/// Time in which a call settles before it is measured, in seconds.
pub const WARM_UP_S: u32 = 2;

/// A gap between pictures longer than this counts as frozen, in seconds.
const FREEZE: f64 = 0.2;
/// A freeze that begins this long after an event, in seconds, is not its consequence.
const ONSET: f64 = 1.0;
/// Rates are taken over this many seconds.
const RATE_WINDOW: f64 = 1.0;
/// A rate is back when it reaches this share of its earlier value.
const BACK: f64 = 0.9;
/// The rate before a dip is that of so many seconds before it.
const BEFORE_DIP: f64 = 5.0;

/// Counts of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the link began.
    pub at: f64,
    /// Video payload that arrived so far, in kbit.
    pub kbit: f64,
    /// Everything that arrived so far, headers included, in kbit.
    pub wire_kbit: f64,
    /// Concealed sound so far, in ms.
    pub concealed_ms: f64,
    /// Sound so far, in ms.
    pub sound_ms: f64,
    /// Lines of the latest picture.
    pub lines: u32,
}

/// One side of a call. Times are seconds since the link began.
#[derive(Clone, Debug, Default)]
pub struct SideRecord {
    /// When each picture was shown, in order.
    pub shown: Vec<f64>,
    /// From capture to the tile, in ms, of those pictures that could be read.
    pub delays: Vec<f64>,
    /// Those of pictures that came once the move of a host was settled.
    pub settled_delays: Vec<f64>,
    /// Counts, in order of time.
    pub samples: Vec<Sample>,
}

impl SideRecord {
    /// Pictures shown a second between two moments.
    pub fn fps(&self, (from, to): (f64, f64)) -> f64 {
        self.shown.iter().filter(|at| (from..to).contains(*at)).count() as f64 / (to - from).max(1e-3)
    }

    /// Percent of the time between two moments in gaps of more than 200 ms.
    pub fn frozen_percent(&self, (from, to): (f64, f64)) -> f64 {
        // From a zero: the sum of no numbers is a negative one.
        let frozen = self.gaps((from, to)).filter(|gap| *gap > FREEZE).fold(0.0, |sum, gap| sum + gap);
        frozen / (to - from).max(1e-3) * 100.0
    }

    /// The longest time between two pictures of those between two moments, which count as pictures, in seconds.
    pub fn longest_gap(&self, window: (f64, f64)) -> f64 {
        self.gaps(window).fold(0.0, f64::max)
    }

    /// Times between the pictures of a window, whose ends count as pictures, in seconds.
    fn gaps(&self, (from, to): (f64, f64)) -> impl Iterator<Item = f64> {
        let inside = self.shown.iter().copied().filter(move |at| (from..to).contains(at));
        inside.chain([to]).scan(from, |before, at| {
            let gap = at - *before;
            *before = at;
            Some(gap)
        })
    }

    /// Seconds from a moment to the end, before `end`, of the first freeze that goes on then or begins within a second:
    /// until the pictures move again. Zero where nothing freezes.
    pub fn seconds_until_moving(&self, from: f64, end: f64) -> f64 {
        let after = self.shown.iter().copied().filter(|at| (from..end).contains(at)).chain([end]);
        let mut before = self.shown.iter().copied().rfind(|at| *at < from).unwrap_or(from);
        for at in after {
            if before > from + ONSET {
                return 0.0;
            }
            if at - before > FREEZE {
                return at - from;
            }
            before = at;
        }
        0.0
    }

    /// Percent of the sound between two moments that was concealed, as far as there are samples.
    pub fn concealed_percent_in(&self, (from, to): (f64, f64)) -> f64 {
        let [first, .., last] = self.samples.as_slice() else { return 0.0 };
        let (from, to) = (from.max(first.at), to.min(last.at));
        let grown = |of: fn(&Sample) -> f64| self.count_at(of, to) - self.count_at(of, from);
        let sound = grown(|sample| sample.sound_ms);
        if sound > 0.0 { grown(|sample| sample.concealed_ms) / sound * 100.0 } else { 0.0 }
    }

    /// Concealed sound in percent.
    pub fn concealed_percent(&self) -> f64 {
        self.concealed_percent_in((f64::NEG_INFINITY, f64::INFINITY))
    }

    /// Video payload that arrived between two moments, in kbit/s, as far as there are samples, which straight lines
    /// join.
    pub fn kbps(&self, between: (f64, f64)) -> f64 {
        self.rate(|sample| sample.kbit, between)
    }

    /// Everything that arrived between two moments, headers included, in kbit/s.
    pub fn wire_kbps(&self, between: (f64, f64)) -> f64 {
        self.rate(|sample| sample.wire_kbit, between)
    }

    fn rate(&self, kbit: fn(&Sample) -> f64, (from, to): (f64, f64)) -> f64 {
        let [first, .., last] = self.samples.as_slice() else { return 0.0 };
        let (from, to) = (from.max(first.at), to.min(last.at));
        (self.count_at(kbit, to) - self.count_at(kbit, from)) / (to - from).max(1e-3)
    }

    /// The lines of the last picture.
    pub fn lines(&self) -> u32 {
        self.samples.last().map_or(0, |sample| sample.lines)
    }

    /// Seconds from a dip's end to the next picture; the end of the record at `end` counts as one.
    pub fn seconds_to_picture(&self, dip: &Dip, end: f64) -> f64 {
        self.shown.iter().copied().find(|at| *at >= dip.end).unwrap_or(end) - dip.end
    }

    /// Seconds from a dip's end until a second begins whose rate is 90 % of that before the dip; all there are until
    /// `end` if none does.
    pub fn seconds_back(&self, dip: &Dip, end: f64) -> f64 {
        let before = self.kbps(((dip.start - BEFORE_DIP).max(0.0), dip.start));
        let moments =
            self.samples.iter().map(|sample| sample.at).filter(|at| (dip.end..=end - RATE_WINDOW).contains(at));
        let mut back =
            [dip.end].into_iter().chain(moments).filter(|at| self.kbps((*at, at + RATE_WINDOW)) >= BACK * before);
        back.next().unwrap_or(end) - dip.end
    }

    fn count_at(&self, count: fn(&Sample) -> f64, time: f64) -> f64 {
        let after = self.samples.partition_point(|sample| sample.at <= time);
        match (after.checked_sub(1).and_then(|before| self.samples.get(before)), self.samples.get(after)) {
            (Some(a), Some(b)) => count(a) + (count(b) - count(a)) * (time - a.at) / (b.at - a.at).max(1e-6),
            (Some(only), None) | (None, Some(only)) => count(only),
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample each half second, at the rate (kbit/s) that `rate` gives for the time before it.
    fn samples(seconds: u32, rate: impl Fn(f64) -> f64) -> Vec<Sample> {
        let mut kbit = 0.0;
        (0..=seconds * 2)
            .map(|half| {
                let at = f64::from(half) / 2.0;
                kbit += if half == 0 { 0.0 } else { rate(at) / 2.0 };
                Sample { at, kbit, wire_kbit: kbit * 1.1, concealed_ms: at * 20.0, sound_ms: at * 1000.0, lines: 720 }
            })
            .collect()
    }

    #[test]
    fn pictures_are_counted_and_long_gaps_are_frozen() {
        let shown = (0..300).map(|n| f64::from(n) / 30.0).filter(|at| !(4.0..5.0).contains(at)).collect();
        let side = SideRecord { shown, ..SideRecord::default() };
        assert!((side.fps((0.0, 10.0)) - 27.0).abs() < 0.2, "{}", side.fps((0.0, 10.0)));
        assert!((side.frozen_percent((0.0, 10.0)) - 10.3).abs() < 0.1, "{}", side.frozen_percent((0.0, 10.0)));
        let still = side.frozen_percent((8.0, 12.0));
        assert!((still - 50.8).abs() < 0.2, "a picture that stands still at the end is frozen, too: {still}");
        assert_eq!(SideRecord::default().frozen_percent((0.0, 10.0)), 100.0);
    }

    #[test]
    fn pictures_move_again_at_the_end_of_the_first_freeze() {
        let moving = |gaps: &[(f64, f64)]| {
            let shown = (0..600).map(|n| f64::from(n) / 30.0);
            let shown = shown.filter(|at| !gaps.iter().any(|(from, to)| (*from..*to).contains(at))).collect();
            (SideRecord { shown, ..SideRecord::default() }.seconds_until_moving(10.0, 18.0) * 10.0).round() / 10.0
        };
        assert_eq!(moving(&[]), 0.0);
        assert_eq!(moving(&[(4.0, 5.0), (10.05, 11.5)]), 1.5);
        assert_eq!(moving(&[(9.9, 10.8), (13.0, 14.0)]), 0.8);
        assert_eq!(moving(&[(10.1, 20.0)]), 8.0, "not by the end");
        assert_eq!(moving(&[(11.5, 12.5)]), 0.0, "too late to be of the same cause");
    }

    #[test]
    fn rates_and_shares_are_those_of_the_samples() {
        let side =
            SideRecord { samples: samples(20, |at| if at <= 10.0 { 1000.0 } else { 500.0 }), ..Default::default() };
        assert_eq!((side.kbps((0.0, 10.0)), side.kbps((10.0, 20.0)), side.kbps((9.0, 11.0))), (1000.0, 500.0, 750.0));
        assert_eq!((side.wire_kbps((10.0, 20.0)).round(), side.concealed_percent(), side.lines()), (550.0, 2.0, 720));
        let empty = SideRecord::default();
        assert_eq!((empty.kbps((0.0, 1.0)), empty.concealed_percent(), empty.lines()), (0.0, 0.0, 0));
    }

    #[test]
    fn the_way_back_from_a_dip_is_timed() {
        let dip = Dip { start: 20.0, end: 30.0, blackout: true };
        let rate = |at: f64| match at {
            at if at <= 20.0 => 1500.0,
            at if at <= 30.0 => 0.0,
            at => (150.0 * (at - 30.0)).min(1500.0),
        };
        let shown = (0..600).map(f64::from).map(|at| if at < 20.0 { at } else { at + 10.25 }).collect();
        let side = SideRecord { shown, samples: samples(60, rate), ..Default::default() };
        assert_eq!(side.seconds_to_picture(&dip, 60.0), 0.25);
        assert_eq!(side.seconds_back(&dip, 60.0), 8.5, "from 38.5 to 39.5 s the rate is 1350 kbit/s");
        assert_eq!(side.seconds_back(&dip, 36.0), 6.0, "not by then");
        assert_eq!(SideRecord::default().seconds_to_picture(&dip, 60.0), 30.0);
    }
}
