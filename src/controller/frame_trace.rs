//! `trace_frames`: the age of the far side's pictures (test card or film) when they reach their tile. The pictures
//! carry the time of their capture, so both sides must run on one computer.
//!
//! Off, it costs one atomic load a frame.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::capture::barcode;
use crate::media::{FrameSlot, Latest, VideoFrame};

use super::Event;

/// Pictures noted at most: more than two minutes at 30 frames a second.
const MAX_NOTED: usize = 4096;

/// The notes.
#[derive(Debug, Default)]
pub(super) struct FrameTrace {
    on: AtomicBool,
    shown: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    /// Counter and age of each picture that says them.
    ages: Vec<(u16, u64)>,
    /// Time at which each picture was shown.
    times: Vec<u64>,
}

impl FrameTrace {
    /// Starts with empty notes.
    pub(super) fn start(&self) {
        *self.notes() = Notes::default();
        self.on.store(true, Ordering::Release);
    }

    /// Stops, and reports the notes.
    pub(super) fn stop(&self) -> Event {
        self.on.store(false, Ordering::Release);
        let Notes { ages, times } = std::mem::take(&mut *self.notes());
        Event::FrameTrace { shown: ages, times }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// Notes a picture that is shown at `unix_micros`; of one without barcodes only the time.
    fn note(&self, frame: &VideoFrame, unix_micros: u64) {
        let age = barcode::read(frame).zip(barcode::read_age(frame, unix_micros));
        let mut notes = self.notes();
        if notes.times.len() < MAX_NOTED {
            notes.times.push(unix_micros);
            notes.ages.extend(age.map(|(counter, age)| (counter, age.as_micros() as u64)));
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of a remote tile: notes its pictures while tracing is on, and calls `on_frame` for each (to repaint).
pub(super) fn traced_slot(trace: &Arc<FrameTrace>, on_frame: impl Fn() + Send + Sync + 'static) -> Arc<FrameSlot> {
    let trace = Arc::clone(trace);
    Arc::new_cyclic(|slot: &Weak<FrameSlot>| {
        let slot = slot.clone();
        Latest::with_notice(move || {
            if trace.is_on()
                && let Some(frame) = slot.upgrade().and_then(|slot| slot.get().0)
            {
                trace.note(&frame, barcode::unix_micros());
            }
            on_frame();
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_each_shown_picture_is_reported_once() {
        let trace = Arc::new(FrameTrace::default());
        let mut frame = VideoFrame::black(640, 360);
        barcode::write(&mut frame, 7);
        barcode::write_time(&mut frame, 1_000_000);
        trace.start();
        trace.note(&frame, 1_042_500);
        trace.note(&VideoFrame::black(640, 360), 1_050_000);
        assert_eq!(trace.stop(), Event::FrameTrace { shown: vec![(7, 42_500)], times: vec![1_042_500, 1_050_000] });
        assert_eq!(trace.stop(), Event::FrameTrace { shown: Vec::new(), times: Vec::new() });
    }

    #[test]
    fn pictures_are_noted_only_while_tracing_is_on() {
        let trace = Arc::new(FrameTrace::default());
        let slot = traced_slot(&trace, || {});
        let mut frame = VideoFrame::black(640, 360);
        barcode::write(&mut frame, 7);
        barcode::write_time(&mut frame, barcode::unix_micros());
        let frame = Arc::new(frame);
        slot.put(Arc::clone(&frame));
        trace.start();
        slot.put(Arc::clone(&frame));
        let Event::FrameTrace { shown, .. } = trace.stop() else { panic!("a trace") };
        assert_eq!(shown.iter().map(|(counter, _)| *counter).collect::<Vec<_>>(), [7]);
    }
}
