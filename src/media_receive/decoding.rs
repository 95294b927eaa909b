//! Thread that decodes one received video stream into its slot.
//!
//! ```text
//! receiving task -> a short queue -> [the decoder thread here] -> FrameSlot (latest wins) -> tile
//! ```
//!
//! Later pictures refer to earlier ones, so a full queue drops up to the next keyframe.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use crate::decoder::video::VideoDecoder;
use crate::media::{FrameSlot, MediaTime, NtpTime, ReceivedPicture};

/// Pictures that wait for the decoder at most.
const QUEUE: usize = 8;

/// A picture that went into the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownPicture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// When the last of its packets arrived.
    pub arrived_at: MediaTime,
    /// Capture time on the sender's clock, if that is known.
    pub capture_ntp: Option<NtpTime>,
    /// When it went into the slot.
    pub shown_at: MediaTime,
}

/// The running decoder thread of one stream.
#[derive(Debug)]
pub struct VideoDecoding {
    queue: Option<SyncSender<(u64, ReceivedPicture)>>,
    thread: Option<JoinHandle<()>>,
    /// Pictures drop until a keyframe comes.
    dropping: bool,
    /// Number of the latest picture; they begin at 1.
    number: u64,
    progress: Arc<Progress>,
}

/// Numbers of pictures that the handle and the thread tell each other; 0 before the first.
#[derive(Debug, Default)]
struct Progress {
    /// The latest keyframe that the queue took.
    keyframe: AtomicU64,
    /// The latest picture that the decoder could not go on with.
    failed: AtomicU64,
}

impl Progress {
    /// Decoding cannot go on without a keyframe; a failure before the latest keyframe is over.
    fn awaits_keyframe(&self) -> bool {
        self.failed.load(Ordering::Acquire) >= self.keyframe.load(Ordering::Acquire).max(1)
    }
}

impl VideoDecoding {
    /// Starts the thread. Pictures go to `output`; `decoded` is called on the decoder thread after each attempt, with
    /// the picture that it gave; `needs_keyframe` there, as soon as decoding cannot go on without a keyframe.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        output: Arc<FrameSlot>,
        decoded: impl FnMut(Option<ShownPicture>) + Send + 'static,
        needs_keyframe: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, pictures) = sync_channel(QUEUE);
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("video-decoder".to_owned())
            .spawn(move || run(&pictures, &output, &shared, decoded, needs_keyframe))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), dropping: false, number: 0, progress })
    }

    /// Hands a picture over without waiting; false while decoding cannot go on without a keyframe.
    pub fn decode(&mut self, picture: ReceivedPicture) -> bool {
        let Some(queue) = &self.queue else { return true };
        self.number += 1;
        let keyframe = picture.keyframe;
        if !self.dropping || keyframe {
            self.dropping = matches!(queue.try_send((self.number, picture)), Err(TrySendError::Full(_)));
            if keyframe && !self.dropping {
                self.progress.keyframe.store(self.number, Ordering::Release);
            }
        }
        !self.dropping && !self.progress.awaits_keyframe()
    }

    /// Ends the thread and waits for it. Blocks: call it where that is allowed.
    pub fn finish(mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a video decoder thread ended by a panic");
        }
    }
}

fn run(
    pictures: &Receiver<(u64, ReceivedPicture)>,
    output: &FrameSlot,
    progress: &Progress,
    mut decoded: impl FnMut(Option<ShownPicture>),
    needs_keyframe: impl Fn(),
) {
    let mut decoder = VideoDecoder::new();
    while let Ok((number, picture)) = pictures.recv() {
        let frame = decoder.decode(&picture).unwrap_or_else(|error| {
            tracing::debug!(%error, "a picture could not be decoded");
            None
        });
        if decoder.awaits_keyframe() {
            progress.failed.store(number, Ordering::Release);
            if progress.awaits_keyframe() {
                needs_keyframe();
            }
        }
        decoded(frame.map(|frame| {
            let (width, height) = (frame.width(), frame.height());
            output.put(frame);
            let ReceivedPicture { arrived_at, capture_ntp, .. } = picture;
            ShownPicture { width, height, arrived_at, capture_ntp, shown_at: MediaTime::now() }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::decoder::video::encoded_for_test;

    #[test]
    fn a_keyframe_is_needed_until_it_comes() {
        let pictures = encoded_for_test(320, 180, 2);
        let (attempts, attempted) = mpsc::sync_channel(64);
        let (needs, needed) = mpsc::sync_channel(64);
        let decoded = move |shown: Option<ShownPicture>| {
            let _ = attempts.try_send(shown.is_some());
        };
        let needs_keyframe = move || {
            let _ = needs.try_send(());
        };
        let mut decoding = VideoDecoding::start(Arc::new(FrameSlot::new()), decoded, needs_keyframe).unwrap();
        let mut seen = Vec::new();
        for number in [1, 1, 0, 1] {
            let goes_on = decoding.decode(pictures[number].clone());
            // The decoder has come to the picture before the next one is handed over.
            seen.push((goes_on, attempted.recv().unwrap()));
        }
        decoding.finish();
        // The decoder may have come to the first one at once.
        seen[0].0 = false;
        assert_eq!(seen, [(false, false), (false, false), (true, true), (true, true)]);
        assert_eq!(needed.iter().count(), 2, "told without another picture");
    }

    #[test]
    fn a_full_queue_drops_up_to_the_next_keyframe() {
        let pictures = encoded_for_test(320, 180, 2);
        let (hold, held) = mpsc::sync_channel::<()>(0);
        let slot = Arc::new(FrameSlot::new());
        let decoded = move |_| {
            let _ = held.recv();
        };
        let mut decoding = VideoDecoding::start(Arc::clone(&slot), decoded, || {}).unwrap();
        let accepted = (0..64).take_while(|_| decoding.decode(pictures[0].clone())).count();
        assert!((QUEUE..=QUEUE + 2).contains(&accepted), "{accepted}");
        assert!(!decoding.decode(pictures[1].clone()), "without its reference");
        drop(hold);
        while decoding.dropping {
            decoding.decode(pictures[0].clone());
            std::thread::yield_now();
        }
        decoding.finish();
        assert!(slot.take().is_some());
    }
}
