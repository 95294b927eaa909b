//! The reference signal: sound for the speaker, on its way from the playout thread to the microphone's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::media::SAMPLE_RATE;

/// Samples that wait at most: 200 ms. A microphone that takes none for longer has stopped.
const CAPACITY: usize = SAMPLE_RATE as usize / 5;

/// The playout thread's end.
pub struct ReferenceWriter {
    ring: Producer<f32>,
    queued_us: Arc<AtomicU32>,
}

/// The microphone thread's end.
pub struct ReferenceReader {
    ring: Consumer<f32>,
    queued_us: Arc<AtomicU32>,
}

/// A wait-free ring for the sound that a speaker is given: 48 kHz, one channel, 200 ms at most.
pub fn echo_reference() -> (ReferenceWriter, ReferenceReader) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    let queued_us = Arc::new(AtomicU32::new(0));
    (
        ReferenceWriter { ring: producer, queued_us: Arc::clone(&queued_us) },
        ReferenceReader { ring: consumer, queued_us },
    )
}

impl ReferenceWriter {
    /// Puts in a frame that has just been given to the speaker, before which `queued` of sound still waits there. Left
    /// out when there is no room for it.
    pub fn push(&mut self, frame: &[f32], queued: Duration) {
        self.queued_us.store(queued.as_micros().min(1_000_000) as u32, Ordering::Relaxed);
        // Not in part: half a frame would move everything after it.
        let _ = self.ring.push_entire_slice(frame);
    }

    /// True once nobody will read any more.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

impl ReferenceReader {
    /// Samples that can be taken.
    pub fn available(&self) -> usize {
        self.ring.slots()
    }

    /// Fills `block` with the oldest samples; false, and nothing taken, when there are not enough.
    pub fn take(&mut self, block: &mut [f32]) -> bool {
        self.ring.pop_entire_slice(block).is_ok()
    }

    /// How much sound waited for the speaker when the latest frame was given to it.
    pub fn queued(&self) -> Duration {
        Duration::from_micros(u64::from(self.queued_us.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME_SAMPLES;

    #[test]
    fn a_reader_that_sleeps_costs_frames_and_no_memory() {
        let (mut writer, mut reader) = echo_reference();
        for frame in 0..100 {
            writer.push(&[frame as f32; FRAME_SAMPLES], Duration::from_millis(30));
        }
        assert_eq!(reader.available(), CAPACITY);
        let mut block = [0.0; FRAME_SAMPLES];
        for frame in 0..10 {
            assert!(
                reader.take(&mut block) && block == [frame as f32; FRAME_SAMPLES],
                "whole frames, the oldest first"
            );
        }
        assert!(!reader.take(&mut block));
        assert_eq!(reader.queued(), Duration::from_millis(30));
        assert!(!writer.is_abandoned());
        drop(reader);
        assert!(writer.is_abandoned());
    }
}
