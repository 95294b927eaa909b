//! Quality of a call with one person: a minute of seconds, and one smoothed word for it.
//!
//! The label is of the connection as the person meets it: loss that is recovered does no harm, nor does a far camera
//! that gives few pictures or none. It falls when two of three seconds are worse, and rises when five in a row are
//! better.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Seconds that are remembered.
const REMEMBERED: usize = 60;
/// Seconds of which the second worst counts, when it is worse than before. Before as many there is no word.
const LATELY: usize = 3;
/// Seconds that must all be better.
const CALM: usize = 5;

/// One word for how a call with a person goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Too early to tell.
    #[default]
    Measuring,
    /// Nothing to complain of.
    Good,
    /// Sound comes through; pictures stutter, come late, or are much smaller than wished.
    Unstable,
    /// Pictures stand still, or words are missing.
    Poor,
}

/// One second of a call with one person.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallSample {
    /// Kbit/s of video that the settings wish for; 0 while this side sends none.
    pub wanted_kbps: f32,
    /// Target of the encoder in kbit/s: the wish, as far as the path to everybody carries it.
    pub asked_kbps: f32,
    /// Kbit/s of video payload that left.
    pub sent_kbps: f32,
    /// Kbit/s of video payload that came.
    pub received_kbps: f32,
    /// Packets sent that did not arrive at first, in percent.
    pub sent_loss_percent: f32,
    /// Packets that did not come at first, in percent.
    pub received_loss_percent: f32,
    /// RTT in ms.
    pub round_trip_ms: f32,
    /// Estimated delay from the far side to the ear in ms: half the RTT and the buffers here.
    pub latency_ms: f32,
    /// Ms of this second that pictures stood still.
    pub frozen_ms: f32,
    /// Ms of this second whose sound was concealed.
    pub concealed_ms: f32,
    /// Every picture that was sent in this second came and was shown: its gaps are those of the far camera.
    pub shown_whole: bool,
}

/// Thresholds at which a measure makes a call unstable, and poor.
const LATENCY_MS: [f32; 2] = [400.0, 800.0];
const FROZEN_MS: [f32; 2] = [100.0, 400.0];
const CONCEALED_MS: [f32; 2] = [60.0, 200.0];
/// Share of the wished bit rate that the path leaves.
const SHARE: [f32; 2] = [0.35, 0.1];

impl CallSample {
    /// Grade of this second alone.
    fn grade(&self) -> Quality {
        let grade = |value: f32, [unstable, poor]: [f32; 2]| match value {
            value if value >= poor => Quality::Poor,
            value if value >= unstable => Quality::Unstable,
            _ => Quality::Good,
        };
        let share = if self.wanted_kbps > 0.0 { self.asked_kbps / self.wanted_kbps } else { 1.0 };
        [
            grade(self.latency_ms, LATENCY_MS),
            grade(if self.shown_whole { 0.0 } else { self.frozen_ms }, FROZEN_MS),
            grade(self.concealed_ms, CONCEALED_MS),
            grade(-share, SHARE.map(|share| -share)),
        ]
        .into_iter()
        .max()
        .unwrap_or_default()
    }
}

/// Quality after `before` of a call whose seconds (the latest last) are `history`.
pub fn quality(history: impl DoubleEndedIterator<Item = CallSample>, before: Quality) -> Quality {
    let mut lately: Vec<Quality> = history.rev().take(CALM).map(|sample| sample.grade()).collect();
    let calm = lately.iter().max().copied().filter(|_| lately.len() == CALM);
    lately.truncate(LATELY);
    lately.sort_unstable();
    let [.., second, _] = lately.as_slice() else { return Quality::Measuring };
    match calm {
        _ if lately.len() < LATELY => Quality::Measuring,
        _ if *second > before => *second,
        Some(calm) if calm < before => calm,
        _ => before,
    }
}

/// The last minute of a call with one person.
#[derive(Debug, Default)]
pub(super) struct CallHistory {
    samples: VecDeque<CallSample>,
    shared: Arc<[CallSample]>,
    quality: Quality,
}

impl CallHistory {
    /// Adds a second.
    pub(super) fn push(&mut self, sample: CallSample) {
        if self.samples.len() == REMEMBERED {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.quality = quality(self.samples.iter().copied(), self.quality);
        self.shared = self.samples.iter().copied().collect();
    }

    /// The seconds, the latest last.
    pub(super) const fn samples(&self) -> &Arc<[CallSample]> {
        &self.shared
    }

    /// The word for them.
    pub(super) const fn quality(&self) -> Quality {
        self.quality
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: CallSample = CallSample {
        wanted_kbps: 1500.0,
        asked_kbps: 1500.0,
        sent_kbps: 1480.0,
        received_kbps: 1480.0,
        sent_loss_percent: 2.0,
        received_loss_percent: 2.0,
        round_trip_ms: 50.0,
        latency_ms: 70.0,
        frozen_ms: 0.0,
        concealed_ms: 20.0,
        shown_whole: false,
    };
    const STUTTERS: CallSample = CallSample { frozen_ms: 250.0, ..GOOD };
    const STANDS: CallSample = CallSample { frozen_ms: 1000.0, ..GOOD };

    /// Quality after each of these seconds.
    fn said(samples: &[CallSample]) -> Vec<Quality> {
        let mut history = CallHistory::default();
        let say = |&sample| {
            history.push(sample);
            history.quality()
        };
        samples.iter().map(say).collect()
    }

    #[test]
    fn nothing_is_said_before_three_seconds() {
        use Quality::{Good, Measuring, Poor};
        assert_eq!(said(&[GOOD; 4]), [Measuring, Measuring, Good, Good]);
        assert_eq!(said(&[STANDS; 3]), [Measuring, Measuring, Poor]);
        assert_eq!(said(&[STANDS, GOOD, GOOD])[2], Good, "a start is not held against a call");
    }

    #[test]
    fn one_bad_second_is_passed_over_and_two_count() {
        let one = [GOOD, GOOD, GOOD, STANDS, GOOD, GOOD, STANDS, GOOD, GOOD];
        assert!(said(&one)[2..].iter().all(|&quality| quality == Quality::Good));
        let two = [GOOD, GOOD, GOOD, STANDS, GOOD, STANDS];
        assert_eq!(said(&two)[5], Quality::Poor);
    }

    #[test]
    fn it_gets_better_after_five_seconds_in_a_row_and_does_not_flicker() {
        let mut samples = vec![STANDS; 4];
        samples.extend([GOOD; 5]);
        let words = said(&samples);
        assert_eq!((words[7], words[8]), (Quality::Poor, Quality::Good));
        samples.truncate(4);
        samples.extend([STUTTERS, GOOD, GOOD, GOOD, STUTTERS]);
        assert_eq!(said(&samples)[8], Quality::Unstable, "better, but not well");
        let flickering: Vec<_> = (0..60).map(|second| if second % 2 == 0 { STUTTERS } else { GOOD }).collect();
        assert!(said(&flickering)[2..].iter().all(|&quality| quality == Quality::Unstable));
    }

    #[test]
    fn each_measure_can_make_a_call_unstable_or_poor() {
        for (sample, grade) in [
            (GOOD, Quality::Good),
            (CallSample { wanted_kbps: 0.0, asked_kbps: 0.0, ..GOOD }, Quality::Good),
            (CallSample { asked_kbps: 400.0, ..GOOD }, Quality::Unstable),
            (CallSample { asked_kbps: 100.0, ..GOOD }, Quality::Poor),
            (CallSample { frozen_ms: 450.0, ..GOOD }, Quality::Poor),
            (CallSample { shown_whole: true, ..STANDS }, Quality::Good),
            (CallSample { shown_whole: true, concealed_ms: 300.0, ..STANDS }, Quality::Poor),
            (CallSample { latency_ms: 500.0, ..GOOD }, Quality::Unstable),
            (CallSample { concealed_ms: 300.0, ..GOOD }, Quality::Poor),
        ] {
            assert_eq!(sample.grade(), grade, "{sample:?}");
        }
    }

    #[test]
    fn loss_that_is_repaired_is_no_trouble() {
        let lossy = CallSample { sent_loss_percent: 40.0, received_loss_percent: 40.0, ..GOOD };
        assert_eq!(lossy.grade(), Quality::Good);
        assert_eq!(CallSample { concealed_ms: 80.0, ..lossy }.grade(), Quality::Unstable, "what is not, is heard");
    }

    #[test]
    fn a_minute_is_remembered() {
        let mut history = CallHistory::default();
        for second in 0..1000_u16 {
            history.push(CallSample { sent_kbps: f32::from(second), ..GOOD });
        }
        let samples = history.samples();
        assert_eq!((samples.len(), samples[0].sent_kbps, samples[59].sent_kbps), (60, 940.0, 999.0));
    }
}
