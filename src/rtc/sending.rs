//! The sending task of one peer: takes encoded media from bounded queues, packetizes it and writes it to the tracks.
//!
//! Sound goes first. The queues are short: when the connection does not take what comes, sound loses single packets, and
//! video stops until the next keyframe, because a frame without its reference is of no use to the far side.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rtc::rtp::Packet;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::description_sdp::{H264_PAYLOAD_TYPE, OPUS_PAYLOAD_TYPE, StreamNumbers};
use super::engine::{Events, PeerEvent};
use super::packetizer::{AudioPacketizer, VideoPacketizer};
use super::stats::Counters;
use crate::media::{EncodedAudio, EncodedVideo, MediaTime};

/// A quarter of a second at 30 frames a second: a busy computer's hiccup should not cost a keyframe.
const VIDEO_QUEUE: usize = 8;
const AUDIO_QUEUE: usize = 16;
/// A large keyframe leaves in bursts of so many packets with a gap between them (150 Mbit/s), lest it overrun the socket
/// buffers of a system's default size. Ordinary frames are shorter than a burst.
const BURST: usize = 40;
const BURST_GAP: Duration = Duration::from_millis(2);

/// The near ends of the queues, held by the peer's handles.
pub(super) struct MediaQueues {
    video: mpsc::Sender<EncodedVideo>,
    audio: mpsc::Sender<EncodedAudio>,
    open: AtomicBool,
    /// Video is dropped until a keyframe comes.
    awaiting_keyframe: AtomicBool,
    counters: Arc<Counters>,
    /// Weak: the handles of a peer do not keep alive what its owner's closure holds, such as a handle.
    events: Weak<dyn Fn(PeerEvent) + Send + Sync>,
}

/// The far ends, for the sending task.
pub(super) struct MediaReceivers {
    video: mpsc::Receiver<EncodedVideo>,
    audio: mpsc::Receiver<EncodedAudio>,
}

pub(super) fn queues(counters: Arc<Counters>, events: &Events) -> (MediaQueues, MediaReceivers) {
    let (video, video_receiver) = mpsc::channel(VIDEO_QUEUE);
    let (audio, audio_receiver) = mpsc::channel(AUDIO_QUEUE);
    let queues = MediaQueues {
        video,
        audio,
        open: AtomicBool::new(false),
        awaiting_keyframe: AtomicBool::new(true),
        counters,
        events: Arc::downgrade(events),
    };
    (queues, MediaReceivers { video: video_receiver, audio: audio_receiver })
}

impl MediaQueues {
    /// Lets media through (the connection is up) or drops it.
    pub(super) fn set_open(&self, open: bool) {
        if open && !self.open.swap(true, Relaxed) {
            self.awaiting_keyframe.store(true, Relaxed);
            self.request_keyframe();
        } else if !open {
            self.open.store(false, Relaxed);
        }
    }

    pub(super) fn send_video(&self, unit: &EncodedVideo) {
        let waits = !self.open.load(Relaxed) || (self.awaiting_keyframe.load(Relaxed) && !unit.keyframe);
        if waits {
            self.counters.frames_dropped.fetch_add(1, Relaxed);
            return;
        }
        if self.video.try_send(unit.clone()).is_ok() {
            self.awaiting_keyframe.store(false, Relaxed);
            return;
        }
        self.counters.frames_dropped.fetch_add(1, Relaxed);
        if !self.awaiting_keyframe.swap(true, Relaxed) {
            self.request_keyframe();
        }
    }

    fn request_keyframe(&self) {
        if let Some(events) = self.events.upgrade() {
            events(PeerEvent::KeyframeRequested);
        }
    }

    pub(super) fn send_audio(&self, audio: &EncodedAudio) {
        if self.open.load(Relaxed) {
            // A full queue means that the connection takes nothing: late sound is worth less than none.
            let _ = self.audio.try_send(audio.clone());
        }
    }
}

/// Runs until the peer closes.
pub(super) async fn run(
    mut media: MediaReceivers,
    mut closed: watch::Receiver<bool>,
    video_track: Arc<TrackLocalStaticRTP>,
    audio_track: Arc<TrackLocalStaticRTP>,
    streams: StreamNumbers,
    counters: Arc<Counters>,
    random: [u64; 2],
) {
    let mut video = VideoPacketizer::new(streams.video, H264_PAYLOAD_TYPE, random[0]);
    let mut audio = AudioPacketizer::new(streams.audio, OPUS_PAYLOAD_TYPE, random[1]);
    let mut packets: Vec<Packet> = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = is_closed(&mut closed) => return,
            Some(sound) = media.audio.recv() => {
                if audio_track.write_rtp(audio.packetize(&sound)).await.is_ok() {
                    counters.audio_packets_sent.fetch_add(1, Relaxed);
                }
            }
            Some(unit) = media.video.recv() => {
                video.packetize(&unit, &mut packets);
                let mut taken = true;
                for (number, packet) in packets.drain(..).enumerate() {
                    // Hanging up does not wait for the rest of a frame.
                    if *closed.borrow() {
                        return;
                    }
                    if number % BURST == BURST - 1 {
                        tokio::time::sleep(BURST_GAP).await;
                    }
                    taken &= video_track.write_rtp(packet).await.is_ok();
                }
                if taken {
                    counters.frames_sent.fetch_add(1, Relaxed);
                    counters.video_bytes_sent.fetch_add(unit.data.len() as u64, Relaxed);
                    let delay = MediaTime::now().since(unit.captured_at);
                    counters.send_delay_us.store(delay.as_micros() as u64, Relaxed);
                }
            }
        }
    }
}

/// Waits for the closing of a peer.
pub(super) async fn is_closed(closed: &mut watch::Receiver<bool>) {
    // An error means that the last handle is gone, which closes, too.
    let _ = closed.wait_for(|closed| *closed).await;
}
