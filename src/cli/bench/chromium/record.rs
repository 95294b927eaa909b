//! A side's record from the reports of both pages.

use std::collections::HashMap;

use super::message::PageReport;
use crate::cli::bench::network::{Sample, SideRecord};

/// Older pictures are those of an earlier round of the film.
const OLDEST_MS: f64 = 2500.0;

/// Chromium's rate of sound.
const SAMPLES_PER_MS: f64 = 48.0;

/// Record of one side: the page with the reports `near`, as it received the one with the reports `far`. The link began
/// at `began`, in ms of Unix time; a move, if there was one, was settled at `settled_at`, in seconds.
pub fn side(near: &[PageReport], far: &[PageReport], began: f64, settled_at: Option<f64>) -> SideRecord {
    let seconds = move |at: f64| (at - began) / 1000.0;
    let shown = || near.iter().flat_map(|report| report.shown.iter().copied());
    let settled = |(_, at): &(i32, f64)| settled_at.is_some_and(|settled| seconds(*at) >= settled);
    SideRecord {
        shown: shown().map(|(_, at)| seconds(at)).collect(),
        delays: delays(shown(), far),
        settled_delays: delays(shown().filter(settled), far),
        samples: near
            .iter()
            .map(|report| Sample {
                at: seconds(report.at),
                kbit: report.video_bytes * 8.0 / 1000.0,
                wire_kbit: report.wire_bytes * 8.0 / 1000.0,
                concealed_ms: report.concealed_samples / SAMPLES_PER_MS,
                sound_ms: report.samples / SAMPLES_PER_MS,
                lines: report.lines,
            })
            .collect(),
    }
}

/// The ages of the pictures that could be read: each was captured when its counter last was, before it was shown.
fn delays(shown: impl Iterator<Item = (i32, f64)>, far: &[PageReport]) -> Vec<f64> {
    let mut captured: HashMap<i32, Vec<f64>> = HashMap::new();
    for &(counter, at) in far.iter().flat_map(|report| &report.captured).filter(|(counter, _)| *counter >= 0) {
        captured.entry(counter).or_default().push(at);
    }
    let age = |(counter, at): (i32, f64)| {
        let ages = captured.get(&counter)?.iter().map(|captured| at - captured);
        ages.filter(|age| (0.0..OLDEST_MS).contains(age)).min_by(f64::total_cmp)
    };
    shown.filter_map(age).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_as_old_as_its_latest_capture_before_it() {
        let captured = vec![(1, 1000.0), (2, 1033.0), (-1, 1066.0), (1, 6000.0)];
        let far = PageReport { captured, ..PageReport::default() };
        let shown = vec![(1, 1060.0), (2, 1100.0), (-1, 1120.0), (3, 1150.0), (1, 6040.0)];
        let near = PageReport { at: 7000.0, video_bytes: 1000.0, samples: 96.0, shown, ..PageReport::default() };
        let side = side(&[near], &[far], 1000.0, Some(4.0));
        assert_eq!(side.delays, [60.0, 67.0, 40.0]);
        assert_eq!(side.settled_delays, [40.0]);
        assert_eq!(side.shown.len(), 5, "pictures that cannot be read were shown nevertheless");
        assert_eq!((side.samples[0].at, side.samples[0].kbit, side.samples[0].sound_ms), (6.0, 8.0, 2.0));
    }
}
