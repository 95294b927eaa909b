//! The sending task of one peer: takes encoded media from bounded queues, drives the send paths of `stream`, and writes
//! their packets to the tracks.
//!
//! The pacer, an interceptor of the connection, says when each packet leaves. The queues are short: when the connection
//! does not take the packets, audio loses single packets, and video stops until the next keyframe, because a frame
//! without its reference is of no use to the far side. Before that happens the encoder is held back.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, StreamId, VideoBudget};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::event::{Events, PeerEvent};
use crate::rtc::negotiation::description_sdp::StreamNumbers;
use crate::rtc::stream::{AudioSend, NumberedSound, PictureGate, VideoSend};

/// A quarter of a second at 30 frames a second: a busy computer's hiccup should not cost a keyframe.
const VIDEO_QUEUE: usize = 8;
const AUDIO_QUEUE: usize = 16;
/// Frames that may wait for their turn before the encoder is held back.
const MAX_WAITING: usize = 1;
/// Rate of the audio in kbit/s: 32 of Opus, and 50 times a second the headers of IPv4, UDP, SRTP and RTP.
const SOUND_KBPS: u32 = 58;
/// Rate that each RED copy adds to that, in kbit/s.
const COPY_KBPS: u32 = 32;
/// Headers of video: of the one packet of each small picture, in kbit/s, and as a share of full packets.
const HEADERS_KBPS: f64 = 8.0;
const PAYLOAD_SHARE: f64 = 0.94;

/// The near ends of the queues, held by the peer's handles.
pub(in crate::rtc) struct MediaQueues {
    video: mpsc::Sender<OutgoingPicture>,
    audio: mpsc::Sender<NumberedSound>,
    /// Number of the next sound.
    sound_number: AtomicU16,
    open: AtomicBool,
    sound_open: AtomicBool,
    /// Held for a moment by the encoder's thread, and when the connection opens.
    gate: Mutex<PictureGate>,
    state: ConnectionState,
    /// Weak: the handles of a peer do not keep its owner's closure alive, which may hold a handle.
    events: Weak<dyn Fn(PeerEvent) + Send + Sync>,
}

/// The far ends, for the sending task.
pub(in crate::rtc) struct MediaReceivers {
    pub(in crate::rtc) video: mpsc::Receiver<OutgoingPicture>,
    pub(in crate::rtc) audio: mpsc::Receiver<NumberedSound>,
}

pub(in crate::rtc) fn queues(state: &ConnectionState, events: &Events) -> (MediaQueues, MediaReceivers) {
    let (video, video_receiver) = mpsc::channel(VIDEO_QUEUE);
    let (audio, audio_receiver) = mpsc::channel(AUDIO_QUEUE);
    let queues = MediaQueues {
        video,
        audio,
        sound_number: AtomicU16::new(0),
        open: AtomicBool::new(false),
        sound_open: AtomicBool::new(false),
        gate: Mutex::new(PictureGate::new()),
        state: state.clone(),
        events: Arc::downgrade(events),
    };
    (queues, MediaReceivers { video: video_receiver, audio: audio_receiver })
}

impl MediaQueues {
    /// Lets sound through (the connection is up) or drops it.
    pub(in crate::rtc) fn set_sound_open(&self, open: bool) {
        self.sound_open.store(open, Relaxed);
    }

    /// Lets pictures through (the connection is up, and the far side knows the stream) or drops them.
    pub(in crate::rtc) fn set_open(&self, open: bool) {
        if open && !self.open.swap(true, Relaxed) {
            self.gate().on_opened();
            self.request_keyframe();
        } else if !open {
            self.open.store(false, Relaxed);
        }
    }

    pub(in crate::rtc) fn send_video(&self, picture: &OutgoingPicture) {
        let open = self.open.load(Relaxed);
        let mut gate = self.gate();
        if open && gate.admits(picture) && self.video.try_send(picture.clone()).is_ok() {
            return gate.on_taken();
        }
        self.state.counters.frames_dropped.fetch_add(1, Relaxed);
        // Nothing refers to a picture of the highest temporal layer: later pictures can be decoded without it.
        let ask = open && !picture.is_discardable() && gate.on_dropped(picture.captured_at);
        drop(gate);
        if ask {
            self.request_keyframe();
        }
    }

    fn gate(&self) -> MutexGuard<'_, PictureGate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Budget of the encoder for this peer at `now`; `None` while the connection takes nothing. `wanted_kbps` would be
    /// encoded where the path carried it.
    pub(in crate::rtc) fn budget(&self, wanted_kbps: u32, now: MediaTime) -> Option<VideoBudget> {
        if !self.open.load(Relaxed) {
            return None;
        }
        let codec = self.state.far.video();
        let target = self.state.path.media_bps();
        if target == 0 {
            return Some(VideoBudget { codec, ..VideoBudget::UNLIMITED });
        }
        let sound = self.sound_kbps(now);
        let wanted = (f64::from(wanted_kbps) / PAYLOAD_SHARE + HEADERS_KBPS + f64::from(sound)) * 1000.0;
        self.state.video.set_wanted(wanted as u64, now);
        let video = video_kbps(target, sound);
        let waiting = self.video.max_capacity() - self.video.capacity() + self.state.pacer.waiting(now);
        let behind = waiting > MAX_WAITING || self.state.path.held_until(now).is_some();
        Some(VideoBudget { kbps: video.max(0.0) as u32, behind, codec, ..VideoBudget::UNLIMITED })
    }

    /// Bit rate that the path grants all pictures together at `now`, in kbit/s, `u32::MAX` before it is known; `None`
    /// while the connection takes nothing.
    pub(in crate::rtc) fn granted_kbps(&self, now: MediaTime) -> Option<u32> {
        self.open.load(Relaxed).then(|| match self.state.path.media_bps() {
            0 => u32::MAX,
            target => video_kbps(target, self.sound_kbps(now)) as u32,
        })
    }

    /// Bit rate of the sound, with its RED copies, in kbit/s.
    fn sound_kbps(&self, now: MediaTime) -> u32 {
        SOUND_KBPS + COPY_KBPS * self.state.audio.red_copies(now)
    }

    fn request_keyframe(&self) {
        if let Some(events) = self.events.upgrade() {
            events(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA });
        }
    }

    pub(in crate::rtc) fn send_audio(&self, sound: &OutgoingSound) {
        if self.sound_open.load(Relaxed) {
            let number = self.sound_number.fetch_add(1, Relaxed);
            // A full queue means that the connection takes nothing: late sound is worth less than none. Its number
            // tells the far side that it is missing.
            let _ = self.audio.try_send(NumberedSound { number, sound: sound.clone() });
        }
    }
}

/// Bit rate that is left for pictures of a target for all media in bit/s, beside so much sound; in kbit/s.
fn video_kbps(target_bps: u64, sound_kbps: u32) -> f64 {
    ((target_bps as f64 / 1000.0 - f64::from(sound_kbps) - HEADERS_KBPS) * PAYLOAD_SHARE).max(0.0)
}

/// Runs until the peer closes.
pub(in crate::rtc) async fn run(
    mut media: MediaReceivers,
    mut closed: watch::Receiver<bool>,
    video_track: Arc<TrackLocalStaticRTP>,
    audio_track: Arc<TrackLocalStaticRTP>,
    streams: StreamNumbers,
    state: ConnectionState,
    random: [u64; 2],
) {
    let mut video = VideoSend::new(streams.video, random[0], &state);
    let mut audio = AudioSend::new(streams.audio, random[1], &state);
    let mut packets = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = is_closed(&mut closed) => return,
            Some(sound) = media.audio.recv() => {
                let packet = audio.packetize(&sound, MediaTime::now());
                let Some(taken) = unless_closed(&mut closed, audio_track.write_rtp(packet)).await else { return };
                if taken.is_ok() {
                    state.counters.audio_packets_sent.fetch_add(1, Relaxed);
                }
            }
            () = video.room(), if !video.has_room(MediaTime::now()) => {}
            Some(picture) = media.video.recv(), if video.has_room(MediaTime::now()) => {
                video.packetize(&picture, &mut packets, MediaTime::now());
                for packet in packets.drain(..) {
                    let timestamp = packet.header.timestamp;
                    // Hanging up does not wait for the rest of a picture.
                    let Some(taken) = unless_closed(&mut closed, video_track.write_rtp(packet)).await else { return };
                    if taken.is_err() {
                        video.on_refused(timestamp);
                    }
                }
            }
        }
    }
}

/// Output of `future`, or `None` when the peer is closed before: a connection that takes nothing holds nobody up.
pub(in crate::rtc) async fn unless_closed<T>(
    closed: &mut watch::Receiver<bool>,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = is_closed(closed) => None,
        output = future => Some(output),
    }
}

/// Waits for the closing of a peer.
pub(in crate::rtc) async fn is_closed(closed: &mut watch::Receiver<bool>) {
    // An error means that the last handle is gone, which closes, too.
    let _ = closed.wait_for(|closed| *closed).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use bytes::Bytes;

    use super::*;
    use crate::codec::VideoCodec;

    fn unit(millis: u64, keyframe: bool) -> OutgoingPicture {
        let captured_at = MediaTime::from_millis(millis);
        let (codec, data) = (VideoCodec::PREFERRED, Bytes::from_static(&[0, 0, 1, 0x65, 1]));
        OutgoingPicture { codec, data, keyframe, captured_at }
    }

    #[test]
    fn sound_goes_to_a_far_side_that_does_not_know_the_pictures_it_travels_with() {
        let events: Events = Arc::new(|event| panic!("{event:?}"));
        let state = ConnectionState::default();
        let (queues, mut receivers) = queues(&state, &events);
        queues.set_sound_open(true);
        queues.send_video(&unit(33, true));
        queues.send_audio(&OutgoingSound { data: Bytes::from_static(&[1]), captured_at: MediaTime::from_millis(40) });
        assert!(receivers.video.try_recv().is_err() && receivers.audio.try_recv().is_ok());
        assert!(queues.budget(1000, MediaTime::from_millis(40)).is_none(), "nothing is encoded for it");
        assert_eq!(state.counters.frames_dropped.load(Relaxed), 1);
    }

    #[test]
    fn a_keyframe_is_asked_for_again_until_the_queue_has_taken_one() {
        let requests = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&requests);
        let events: Events = Arc::new(move |event| {
            assert_eq!(event, PeerEvent::KeyframeRequested { stream: StreamId::CAMERA });
            counted.fetch_add(1, Relaxed);
        });
        let (queues, mut receivers) = queues(&ConnectionState::default(), &events);
        queues.set_open(true);
        assert_eq!(requests.load(Relaxed), 1, "a new connection");
        for number in 0..VIDEO_QUEUE as u64 {
            queues.send_video(&unit(number * 33, number == 0));
        }
        assert_eq!(requests.load(Relaxed), 1);
        queues.send_video(&unit(300, false));
        assert_eq!(requests.load(Relaxed), 2, "the queue is full");
        queues.send_video(&unit(333, true));
        queues.send_video(&unit(366, false));
        assert_eq!(requests.load(Relaxed), 2, "the keyframe found it full, too; not yet time to ask again");
        queues.send_video(&unit(800, false));
        assert_eq!(requests.load(Relaxed), 3);
        while receivers.video.try_recv().is_ok() {}
        queues.send_video(&unit(833, false));
        assert!(receivers.video.try_recv().is_err(), "of no use without its reference");
        queues.send_video(&unit(866, true));
        queues.send_video(&unit(900, false));
        assert!(receivers.video.try_recv().is_ok() && receivers.video.try_recv().is_ok());
        queues.send_video(&unit(2000, false));
        assert_eq!(requests.load(Relaxed), 3);
    }
}
