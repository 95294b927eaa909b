//! The video encoder: H.264 constrained baseline by openh264, a rendition once for all who watch it.
//!
//! ```text
//! camera -> FrameSlot (latest wins) -> [thread here, each rendition: shape, scale, encode] -> access units -> peers
//! ```
//!
//! One thread, which owns the codecs. A picture is encoded as an IDR only at the start, after a change of size and on
//! request: an IDR costs ten ordinary pictures. The rate control may leave a picture out rather than exceed the bit
//! rate.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::h264::Rate;
use super::renditions::Renditions;
use crate::media::{FrameSlot, MediaTime, OutgoingPicture, PictureSource, RenditionPlans, VideoFormat};

/// How soon the thread notices that it should end while no picture comes.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Counters of the encoder since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodingStats {
    /// Pictures encoded.
    pub frames: u64,
    /// Pictures that were left out: by the rate control, or because earlier ones still waited to be sent.
    pub skipped: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Bytes of access units.
    pub bytes: u64,
    /// Time spent encoding, in microseconds.
    pub busy_us: u64,
    /// From the camera to the end of encoding, for the latest picture, in microseconds.
    pub delay_us: u64,
    /// Size of the latest picture; 0 before the first.
    pub width: u32,
    /// Size of the latest picture; 0 before the first.
    pub height: u32,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    kbps: AtomicU32,
    max_fps: AtomicU32,
    frames: AtomicU64,
    skipped: AtomicU64,
    keyframes: AtomicU64,
    bytes: AtomicU64,
    busy_us: AtomicU64,
    delay_us: AtomicU64,
    size: AtomicU64,
}

/// The running encoder thread. Dropping it ends the thread, within 100 ms.
#[derive(Debug)]
pub struct VideoEncoding {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl VideoEncoding {
    /// Starts the thread: it takes the latest picture of `input`, encodes its renditions and hands each access unit to
    /// `output`, on the encoder thread. Pictures keep their own size while the budget allows; `format` gives the rate
    /// of pictures and bits at most, `plans`, which is asked before each picture, the renditions and the rate that the
    /// network takes of that.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        input: Arc<FrameSlot>,
        format: VideoFormat,
        plans: impl FnMut(PictureSource) -> RenditionPlans + Send + 'static,
        output: impl FnMut(usize, OutgoingPicture) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut encoding = Self { shared: Arc::clone(&shared), thread: None };
        encoding.set_format(format);
        let thread = std::thread::Builder::new()
            .name("video-encoder".to_owned())
            .spawn(move || run(&shared, &input, plans, output))?;
        encoding.thread = Some(thread);
        Ok(encoding)
    }

    /// Changes the greatest rate of pictures and bits; the size follows the pictures by itself.
    pub fn set_format(&self, format: VideoFormat) {
        self.shared.max_fps.store(format.max_fps.max(1), Ordering::Relaxed);
        self.set_bit_rate(format.max_kbps);
    }

    /// Changes the bit rate, in kbit/s, held to `VideoFormat::KBPS_RANGE`.
    pub fn set_bit_rate(&self, kbps: u32) {
        let kbps = kbps.clamp(*VideoFormat::KBPS_RANGE.start(), *VideoFormat::KBPS_RANGE.end());
        self.shared.kbps.store(kbps, Ordering::Relaxed);
    }

    /// Counters since the start.
    pub fn stats(&self) -> EncodingStats {
        let shared = &self.shared;
        let size = shared.size.load(Ordering::Relaxed);
        EncodingStats {
            frames: shared.frames.load(Ordering::Relaxed),
            skipped: shared.skipped.load(Ordering::Relaxed),
            keyframes: shared.keyframes.load(Ordering::Relaxed),
            bytes: shared.bytes.load(Ordering::Relaxed),
            busy_us: shared.busy_us.load(Ordering::Relaxed),
            delay_us: shared.delay_us.load(Ordering::Relaxed),
            width: (size >> 32) as u32,
            height: size as u32,
        }
    }
}

impl Drop for VideoEncoding {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the video encoder thread ended by a panic");
        }
    }
}

fn run(
    shared: &Shared,
    input: &FrameSlot,
    mut plans: impl FnMut(PictureSource) -> RenditionPlans,
    mut output: impl FnMut(usize, OutgoingPicture),
) {
    let mut renditions = Renditions::default();
    while !shared.stop.load(Ordering::Relaxed) && !input.is_closed() {
        let Some(frame) = input.take_timeout(STOP_CHECK) else { continue };
        let most = Rate { kbps: shared.kbps.load(Ordering::Relaxed), max_fps: shared.max_fps.load(Ordering::Relaxed) };
        let plans = plans(PictureSource { lines: frame.height(), max_kbps: most.kbps });
        for (rendition, plan) in plans.in_order() {
            let Some(encoded) = renditions.encode(rendition, plan, &frame, most, MediaTime::now) else { continue };
            // Before the unit goes on: its receivers may ask for these.
            shared.skipped.store(renditions.skipped, Ordering::Relaxed);
            shared.busy_us.store(renditions.busy.as_micros() as u64, Ordering::Relaxed);
            let (width, height) = renditions.size();
            shared.size.store(u64::from(width) << 32 | u64::from(height), Ordering::Relaxed);
            match encoded {
                Ok(Some(unit)) => {
                    shared.frames.fetch_add(1, Ordering::Relaxed);
                    shared.keyframes.fetch_add(u64::from(unit.keyframe), Ordering::Relaxed);
                    shared.bytes.fetch_add(unit.data.len() as u64, Ordering::Relaxed);
                    let delay = MediaTime::now().since(frame.captured_at);
                    shared.delay_us.store(delay.as_micros() as u64, Ordering::Relaxed);
                    output(rendition, unit);
                }
                Ok(None) => {}
                Err(error) => {
                    // The codec is gone with the error; the next picture makes a new one and is a keyframe.
                    tracing::warn!(%error, "a picture could not be encoded");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{VideoBudget, VideoFrame};

    #[test]
    fn the_thread_encodes_what_is_put_and_ends_when_dropped() {
        let input = Arc::new(FrameSlot::new());
        let (units, received) = std::sync::mpsc::sync_channel(4);
        let format = VideoFormat { width: 640, height: 360, max_fps: 30, max_kbps: 600 };
        let encoding = VideoEncoding::start(
            Arc::clone(&input),
            format,
            |_| RenditionPlans::one(VideoBudget::UNLIMITED),
            move |_, unit| {
                let _ = units.try_send(unit);
            },
        )
        .unwrap();
        input.put(Arc::new(VideoFrame::black(640, 360)));
        let unit = received.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(unit.keyframe);
        let stats = encoding.stats();
        assert_eq!((stats.frames, stats.keyframes, stats.width, stats.height), (1, 1, 640, 360));
        drop(encoding);
        assert!(received.recv().is_err(), "the output is dropped with the thread");
    }
}
