//! Dips of a link: the times in which it carries less than before and after.

use std::time::Duration;

use crate::controller::LinkProfile;

/// A blackout, or the time from a step down of the rate to the next step up. Seconds since the link began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dip {
    /// When it begins.
    pub start: f64,
    /// When it is over.
    pub end: f64,
    /// Nothing passes.
    pub blackout: bool,
}

/// The dips of a link that are over before `end` seconds.
pub fn dips(link: &LinkProfile, end: f64) -> Vec<Dip> {
    let seconds = |time: Duration| time.as_secs_f64();
    let mut dips: Vec<Dip> = link
        .blackouts
        .iter()
        .map(|&(start, length)| Dip { start: seconds(start), end: seconds(start + length), blackout: true })
        .collect();
    let mut down: Option<f64> = None;
    for pair in link.rates().windows(2) {
        let [(_, before), (at, after)] = *pair else { continue };
        let [before, after] = [before, after].map(|kbps| kbps.unwrap_or(u32::MAX));
        if after < before {
            down.get_or_insert(seconds(at));
        } else if after > before
            && let Some(start) = down.take()
        {
            dips.push(Dip { start, end: seconds(at), blackout: false });
        }
    }
    dips.retain(|dip| dip.end < end);
    dips
}

/// Delay after a bottleneck became narrower until everything that left before has arrived.
const TURN: f64 = 1.0;

/// Where a bottleneck is narrowest within a window, from when to when in seconds, and its kbit/s; `None` without one,
/// and where that is too short to tell.
pub fn narrowest(link: &LinkProfile, (from, to): (f64, f64)) -> Option<((f64, f64), f64)> {
    let rates = link.rates();
    let starts = rates.iter().map(|(at, _)| at.as_secs_f64());
    let ends = starts.clone().skip(1).chain([f64::INFINITY]);
    let pieces = starts.zip(ends).map(|(start, end)| ((start + TURN).max(from), end.min(to)));
    let narrow = pieces.zip(&rates).filter_map(|(piece, (_, kbps))| Some((piece, (*kbps)?)));
    let inside = narrow.filter(|((start, end), _)| start + TURN < *end);
    inside.min_by_key(|(_, kbps)| *kbps).map(|(piece, kbps)| (piece, f64::from(kbps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(link: &str) -> Vec<Dip> {
        dips(&link.parse().unwrap(), 60.0)
    }

    #[test]
    fn blackouts_and_steps_down_and_up_again_are_dips() {
        let step = Dip { start: 20.0, end: 40.0, blackout: false };
        assert_eq!(of("rate=3000,step=20:500,step=40:3000"), [step]);
        assert_eq!(of("rate=3000,step=20:500,step=30:200,step=40:3000"), [step]);
        assert_eq!(of("at=20:rate=150,at=40:rate=none"), [step]);
        assert_eq!(of("blackout=10:1.5"), [Dip { start: 10.0, end: 11.5, blackout: true }]);
        assert_eq!(of("loss=5,rate=500"), []);
        assert_eq!(of("rate=500,step=10:3000,step=20:500"), [], "nothing to come back to");
        assert_eq!(of("blackout=50:15"), [], "not over within the call");
    }

    #[test]
    fn a_bottleneck_is_narrowest_where_its_rate_is_least() {
        let of = |link: &str| narrowest(&link.parse().unwrap(), (2.0, 60.0));
        assert_eq!(of("rate=3000,step=20:500,step=40:3000"), Some(((21.0, 40.0), 500.0)));
        assert_eq!(of("rate=150"), Some(((2.0, 60.0), 150.0)));
        assert_eq!(of("rate=3000,step=57:1000,step=70:100"), Some(((58.0, 60.0), 1000.0)));
        assert_eq!(of("rate=3000,step=59:1000"), Some(((2.0, 59.0), 3000.0)), "too short to tell");
        assert_eq!(of("at=20:rate=150,at=40:rate=none"), Some(((21.0, 40.0), 150.0)));
        assert_eq!(of("loss=5"), None);
    }
}
