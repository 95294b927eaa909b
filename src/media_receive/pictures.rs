//! Pictures of one received video stream on their way to a tile: the sink that `rtc` gives them to, which decodes them,
//! and the figures of the pictures shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::SharedAvSync;
use super::decoding::{ShownPicture, VideoDecoding};
use crate::media::{FrameSlot, MediaTime, PictureSink, ReceivedPicture};

/// A gap between pictures longer than this counts as frozen.
const FREEZE: Duration = Duration::from_millis(200);

/// Pictures of a stream that were shown since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureStats {
    /// Pictures decoded.
    pub frames_decoded: u64,
    /// Time in gaps of more than 200 ms between pictures, in ms; one that still goes on counts, too.
    pub frozen_ms: u64,
    /// From the arrival of a picture's last packet to the tile's slot, smoothed, in ms.
    pub receive_delay_ms: f32,
    /// Width of the latest picture in pixels; 0 before the first.
    pub width: u32,
    /// Height of the latest picture in pixels; 0 before the first.
    pub height: u32,
}

/// Meter of the shown pictures of one stream: written by its decoder thread, read at any time. Clones are the same
/// meter.
#[derive(Clone, Debug, Default)]
pub struct PictureMeter(Arc<Gauges>);

#[derive(Debug, Default)]
struct Gauges {
    frames_decoded: AtomicU64,
    frozen_us: AtomicU64,
    receive_delay_us: AtomicU64,
    width: AtomicU32,
    height: AtomicU32,
    /// When the latest picture went to its tile; 0 when none is expected.
    last_picture_us: AtomicU64,
    /// The far side's camera is off: a picture that still arrives starts no gap.
    pictures_off: AtomicBool,
}

impl PictureMeter {
    /// Tells whether pictures are expected. While they are not, and before the first one that then comes, nothing
    /// counts as frozen.
    pub fn expect_pictures(&self, expected: bool) {
        self.0.pictures_off.store(!expected, Relaxed);
        if !expected {
            self.0.last_picture_us.store(0, Relaxed);
        }
    }

    /// Counters until `now`.
    pub fn stats(&self, now: MediaTime) -> PictureStats {
        let gauges = &self.0;
        let frozen_us = gauges.frozen_us.load(Relaxed) + frozen_us(gauges.last_picture_us.load(Relaxed), now);
        PictureStats {
            frames_decoded: gauges.frames_decoded.load(Relaxed),
            frozen_ms: frozen_us / 1000,
            receive_delay_ms: gauges.receive_delay_us.load(Relaxed) as f32 / 1000.0,
            width: gauges.width.load(Relaxed),
            height: gauges.height.load(Relaxed),
        }
    }

    /// Counts a picture; true for the first one.
    fn note(&self, picture: &ShownPicture) -> bool {
        let gauges = &self.0;
        let shown_us = picture.shown_at.as_micros().max(1);
        let latest = if gauges.pictures_off.load(Relaxed) { 0 } else { shown_us };
        let before = gauges.last_picture_us.swap(latest, Relaxed);
        gauges.frozen_us.fetch_add(frozen_us(before, picture.shown_at), Relaxed);
        let delay_us = picture.shown_at.since(picture.arrived_at).as_micros() as u64;
        let smoothed_us = match gauges.receive_delay_us.load(Relaxed) {
            0 => delay_us,
            old => (old * 7 + delay_us) / 8,
        };
        gauges.receive_delay_us.store(smoothed_us.max(1), Relaxed);
        gauges.width.store(picture.width, Relaxed);
        gauges.height.store(picture.height, Relaxed);
        gauges.frames_decoded.fetch_add(1, Relaxed) == 0
    }
}

/// Frozen time that the gap from the picture at `before_us` (0: none is expected) to `now` adds, in microseconds.
fn frozen_us(before_us: u64, now: MediaTime) -> u64 {
    let gap = now.since(MediaTime::from_micros(before_us));
    if before_us != 0 && gap > FREEZE { gap.as_micros() as u64 } else { 0 }
}

/// Sink of one video stream: decodes its pictures into a slot. The decoder thread begins with the first picture, so
/// that a far side without a camera costs none.
pub struct PictureReceiver {
    /// Parts of the decoder thread, until it begins.
    output: Option<Output>,
    decoding: Option<VideoDecoding>,
}

struct Output {
    slot: Arc<FrameSlot>,
    meter: PictureMeter,
    av_sync: Option<SharedAvSync>,
    on_first: Box<dyn FnOnce(u32, u32) + Send>,
    needs_keyframe: Box<dyn Fn() + Send>,
}

impl PictureReceiver {
    /// A sink that shows pictures in `slot` and counts them in `meter`; `av_sync` hears of them where sound goes with
    /// them. `on_first` is called with width and height of the first picture, on the decoder thread: must not block.
    pub fn new(
        slot: Arc<FrameSlot>,
        meter: PictureMeter,
        av_sync: Option<SharedAvSync>,
        on_first: impl FnOnce(u32, u32) + Send + 'static,
    ) -> Self {
        let (on_first, needs_keyframe) = (Box::new(on_first), Box::new(|| {}));
        let output = Output { slot, meter, av_sync, on_first, needs_keyframe };
        Self { output: Some(output), decoding: None }
    }

    fn start(output: Output) -> Option<VideoDecoding> {
        let Output { slot, meter, av_sync, on_first, needs_keyframe } = output;
        let mut on_first = Some(on_first);
        let decoded = move |shown: Option<ShownPicture>| {
            let Some(picture) = shown else { return };
            if let (Some(av_sync), Some(captured)) = (&av_sync, picture.capture_ntp) {
                av_sync.lock().on_picture(captured, picture.shown_at);
            }
            if meter.note(&picture)
                && let Some(on_first) = on_first.take()
            {
                on_first(picture.width, picture.height);
            }
        };
        let started = VideoDecoding::start(slot, decoded, needs_keyframe);
        started.inspect_err(|error| tracing::error!(%error, "no thread for a video decoder")).ok()
    }
}

impl PictureSink for PictureReceiver {
    fn take(&mut self, picture: ReceivedPicture) -> bool {
        if let Some(output) = self.output.take() {
            self.decoding = Self::start(output);
        }
        self.decoding.as_mut().is_none_or(|decoding| decoding.decode(picture))
    }

    fn on_start(&mut self, needs_keyframe: Box<dyn Fn() + Send>) {
        if let Some(output) = &mut self.output {
            output.needs_keyframe = needs_keyframe;
        }
    }

    fn finish(mut self: Box<Self>) {
        if let Some(decoding) = self.decoding.take() {
            decoding.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::decoder::video::encoded_for_test;
    use crate::media::NtpTime;

    #[test]
    fn gaps_between_expected_pictures_count_as_frozen() {
        let meter = PictureMeter::default();
        let at = MediaTime::from_millis;
        let picture = |millis| {
            let (arrived_at, shown_at) = (at(millis - 1), at(millis));
            meter.note(&ShownPicture { width: 640, height: 360, arrived_at, capture_ntp: None, shown_at })
        };
        assert!(picture(1000));
        assert!(!picture(1200));
        picture(1701);
        meter.expect_pictures(false);
        picture(1720);
        meter.expect_pictures(true);
        picture(9000);
        picture(9033);
        let stats = meter.stats(at(9050));
        assert_eq!((stats.frozen_ms, stats.frames_decoded, stats.receive_delay_ms), (501, 6, 1.0));
        assert_eq!((stats.width, stats.height), (640, 360));
        assert_eq!(meter.stats(at(10_033)).frozen_ms, 1501, "a picture that stands still now is frozen now");
    }

    #[test]
    fn the_first_picture_is_told_once_and_all_of_them_to_the_synchronisation_with_sound() {
        let (slot, meter, av_sync) = (Arc::new(FrameSlot::new()), PictureMeter::default(), SharedAvSync::default());
        let (told, first) = mpsc::sync_channel(4);
        let mut sink = PictureReceiver::new(Arc::clone(&slot), meter.clone(), Some(av_sync.clone()), move |w, h| {
            told.send((w, h)).unwrap();
        });
        let captured = NtpTime::from_ntp(1 << 32);
        for picture in encoded_for_test(320, 180, 3) {
            assert!(sink.take(ReceivedPicture { capture_ntp: Some(captured), ..picture }));
        }
        Box::new(sink).finish();
        assert_eq!(first.iter().collect::<Vec<_>>(), [(320, 180)]);
        assert_eq!(meter.stats(MediaTime::now()).frames_decoded, 3);
        av_sync.lock().on_sound(captured, MediaTime::now());
        assert!(av_sync.lock().pictures_behind_sound_us().is_some());
        assert!(slot.take().is_some());
    }
}
