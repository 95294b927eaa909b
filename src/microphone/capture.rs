//! Capture of one microphone: delivers its sound to the level meter and the sink, and reports how it fares. Lives on
//! the microphone's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::device::DeviceError;
use crate::media::{LevelMeter, MediaTime};
use crate::sound_device::{Done, SoundEvent, SoundLog};
use crate::voice_processing::VoiceProcessor;

use super::silence::Silence;

pub(super) type Sink = Box<dyn FnMut(&[f32], MediaTime) + Send>;
pub(super) type OnEvent = Box<dyn Fn(SoundEvent) + Send + Sync>;

/// End of a microphone that its owner holds in common with its thread.
pub(super) struct Shared {
    pub(super) closed: AtomicBool,
    pub(super) done: Done,
}

/// State of the microphone thread.
pub(super) struct Capture {
    pub(super) shared: Arc<Shared>,
    processor: VoiceProcessor,
    level: Arc<LevelMeter>,
    /// The level is that of this microphone. Another microphone, which stands in for it, may share the meter.
    delivers: bool,
    sink: Sink,
    on_event: OnEvent,
    log: SoundLog,
    silence: Silence,
}

impl Capture {
    pub(super) fn new(
        shared: Arc<Shared>,
        processor: VoiceProcessor,
        level: Arc<LevelMeter>,
        sink: Sink,
        on_event: OnEvent,
    ) -> Self {
        let (log, silence) = (SoundLog::default(), Silence::default());
        Self { shared, processor, level, delivers: false, sink, on_event, log, silence }
    }

    pub(super) fn deliver(&mut self, frame: &[f32], at: MediaTime) {
        if !self.closed() {
            self.delivers = true;
            self.level.record(frame);
            (self.sink)(frame, at);
        }
    }

    /// Delivers recorded sound.
    pub(super) fn deliver_recorded(&mut self, frame: &[f32], at: MediaTime) {
        if !self.closed() {
            self.delivers = true;
            let (frame, delay) = self.processor.process(frame);
            self.level.record(frame);
            (self.sink)(frame, at - delay);
        }
    }

    /// Notes the sound of the device `name`, before it is processed.
    pub(super) fn note_silence(&mut self, name: &str, frame: &[f32], at: MediaTime) {
        if let Some(silent) = self.silence.note(frame, at) {
            self.report_silence(name, silent);
        }
    }

    /// The device `name` is closed: if it was told to be silent, it is no more.
    pub(super) fn end_silence(&mut self, name: &str) {
        if self.silence.end() {
            self.report_silence(name, false);
        }
    }

    fn report_silence(&self, name: &str, on: bool) {
        if !self.closed() {
            (self.on_event)(SoundEvent::Silence { name: name.to_owned(), on });
        }
    }

    /// The meter shows silence where it showed this microphone.
    pub(super) fn fall_silent(&mut self) {
        if std::mem::take(&mut self.delivers) {
            self.level.reset();
        }
    }

    pub(super) fn closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Waits for `duration`, or until closed.
    pub(super) fn park(&self, duration: Duration) {
        let until = MediaTime::now() + duration;
        while !self.closed() && MediaTime::now() < until {
            thread::park_timeout(until.since(MediaTime::now()));
        }
    }

    pub(super) fn report_working(&mut self, name: &str) {
        if let Some(event) = self.log.works(name) {
            (self.on_event)(event);
        }
    }

    pub(super) fn report_fault(&mut self, error: DeviceError) {
        if let Some(event) = self.log.failed(error) {
            tracing::info!(?event, "microphone");
            if !self.closed() {
                (self.on_event)(event);
            }
        }
    }
}
