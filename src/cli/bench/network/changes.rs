//! Measurement of paths that change in mid-call: the cost of the change in the seconds after it.

use serde::Serialize;

use super::record::SideRecord;
use super::{Measured, table};
use crate::cli::bench::figures::{median, round};
use crate::controller::LinkProfile;

/// The changes of the table, each after eight clean seconds: its name, and the link.
pub const CHANGES: [(&str, &str); 12] = [
    ("RTT 0 to 200 ms", "at=10:delay=100"),
    ("RTT 0 to 300 ms", "at=10:delay=150"),
    ("RTT 50 to 300 to 50 ms", "delay=25,at=10:delay=150,at=20:delay=25"),
    ("RTT 0 to 600 ms", "at=10:delay=300"),
    ("RTT 0 to 100 ms", "at=10:delay=50"),
    ("loss 0 to 20 %, RTT 50 ms", "delay=25,at=10:loss=20"),
    ("loss 0 to 10 %, RTT 50 ms", "delay=25,at=10:loss=10"),
    ("loss 0 to 10 % in bursts of 3, RTT 50 ms", "delay=25,at=10:loss=10+burst=3"),
    ("jitter 0 to 30 ms, RTT 100 ms", "delay=50,at=10:jitter=30"),
    ("jitter 0 to 30 ms, out of order, RTT 100 ms", "delay=50,at=10:jitter=30+reorder=100"),
    ("unlimited to 150 kbit/s", "delay=10,at=10:rate=150"),
    ("3000 to 150 kbit/s", "delay=10,rate=3000,at=10:rate=150"),
];

/// Length of the measured time after the change, in seconds.
const AFTER: f64 = 20.0;

/// Seconds of a call with a change: the warm-up, eight clean ones, those that are measured, and one to spare.
pub const SECONDS: u32 = 31;

/// Cost of one change in the twenty seconds after it: means of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeFigures {
    /// The program.
    pub peer: &'static str,
    /// The change, in words.
    pub change: String,
    /// The network, in words.
    pub link: String,
    /// Percent of the time in gaps of more than 200 ms.
    pub frozen_percent: f64,
    /// The longest time between two pictures of either side, in seconds.
    pub longest_gap: f64,
    /// Concealed sound in percent.
    pub audio_concealed_percent: f64,
    /// Pictures shown a second.
    pub fps: f64,
    /// Video payload that arrives, in kbit/s.
    pub kbps: f64,
}

impl ChangeFigures {
    /// The figures of a call of `peer` over `link`, whose first change is called `change`; one without a change counts
    /// from its start.
    pub fn of(peer: &'static str, change: &str, link: &LinkProfile, call: &Measured) -> Self {
        let from = link.first_change().map_or(call.window.0, |at| at.as_secs_f64());
        let after = (from, (from + AFTER).min(call.window.1));
        let mean = |of: &dyn Fn(&SideRecord) -> f64| call.mean(of);
        Self {
            peer,
            change: change.to_owned(),
            link: link.to_string(),
            frozen_percent: round(mean(&|side| side.frozen_percent(after)), 2),
            longest_gap: round(call.sides.iter().map(|side| side.longest_gap(after)).fold(0.0, f64::max), 2),
            audio_concealed_percent: round(mean(&|side| side.concealed_percent_in(after)), 2),
            fps: round(mean(&|side| side.fps(after)), 1),
            kbps: round(mean(&|side| side.kbps(after)), 0),
        }
    }

    /// The median of each figure of some runs, each for itself; `None` of no run.
    pub fn medians(runs: &[Self]) -> Option<Self> {
        let middle = |of: &dyn Fn(&Self) -> f64| median(runs.iter().map(of)).unwrap_or_default();
        Some(Self {
            frozen_percent: middle(&|run| run.frozen_percent),
            longest_gap: middle(&|run| run.longest_gap),
            audio_concealed_percent: middle(&|run| run.audio_concealed_percent),
            fps: middle(&|run| run.fps),
            kbps: middle(&|run| run.kbps),
            ..runs.first()?.clone()
        })
    }
}

/// A column: its heading, and its figure of a change.
const COLUMNS: [table::Column<ChangeFigures>; 5] = [
    ("Frozen (%)", |row| row.frozen_percent.to_string()),
    ("Longest gap (s)", |row| row.longest_gap.to_string()),
    ("Sound concealed (%)", |row| row.audio_concealed_percent.to_string()),
    ("Frames a second", |row| row.fps.to_string()),
    ("kbit/s", |row| row.kbps.to_string()),
];

/// The changes as a Markdown table; where there are two figures the first one is ours.
pub fn table(rows: &[(ChangeFigures, Option<ChangeFigures>)]) -> String {
    table::of("Change", &COLUMNS, |row| &row.change, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::namespaces::Began;
    use crate::cli::bench::network::Sample;

    /// A call that stands still from second 11 to 12, while nothing is concealed but in that second.
    fn figures(peer: &'static str) -> ChangeFigures {
        let sample = |at: f64| Sample {
            at,
            kbit: at * 1000.0,
            wire_kbit: at * 1100.0,
            concealed_ms: (at - 11.0).clamp(0.0, 1.0) * 400.0,
            sound_ms: at * 1000.0,
            lines: 720,
        };
        let shown = (0..930).map(|n| f64::from(n) / 30.0).filter(|at| !(11.01..12.0).contains(at)).collect();
        let still = SideRecord {
            shown,
            samples: (0..=62).map(|n| sample(f64::from(n) / 2.0)).collect(),
            ..SideRecord::default()
        };
        let fine = SideRecord { shown: (0..930).map(|n| f64::from(n) / 30.0).collect(), ..still.clone() };
        let (window, sides) = ((2.0, 31.0), [still, fine]);
        let call = Measured { setup_ms: 100.0, began: Began::now(), window, sides, psnr: Vec::new() };
        ChangeFigures::of(peer, "RTT", &"at=10:delay=100".parse().unwrap(), &call)
    }

    #[test]
    fn what_counts_is_the_time_after_the_change() {
        let figures = figures("visavis");
        assert_eq!(
            (figures.frozen_percent, figures.longest_gap),
            (2.5, 1.0),
            "one second of twenty, of one side of two"
        );
        assert_eq!((figures.audio_concealed_percent, figures.kbps), (2.0, 1000.0));
        assert!((figures.fps - 29.3).abs() < 0.11, "{}", figures.fps);
    }

    #[test]
    fn the_table_has_both_programs() {
        let rows = [(figures("visavis"), Some(figures("chromium")))];
        let text = table(&rows);
        assert!(text.contains("| Change | Frozen (%) | Longest gap (s) |"), "{text}");
        assert!(text.contains("| RTT | 2.5 / 2.5 | 1 / 1 | 2 / 2 |"), "{text}");
        let medians = ChangeFigures::medians(&[figures("visavis"), figures("visavis")]);
        assert_eq!(medians, Some(figures("visavis")));
    }

    #[test]
    fn every_change_can_be_read_and_comes_after_eight_clean_seconds() {
        for (name, link) in CHANGES {
            let link: LinkProfile = link.parse().unwrap();
            let at = link.first_change().map(|at| at.as_secs_f64()).unwrap();
            assert!(at >= f64::from(super::super::WARM_UP_S) + 8.0 && at + AFTER < f64::from(SECONDS), "{name}");
        }
    }
}
