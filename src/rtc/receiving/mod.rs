//! The receiving tasks of one peer, one for each kind of media: video through its jitter buffer to the decoder thread
//! (or to whoever wants it undecoded), sound packet by packet to its owner.

pub(in crate::rtc) mod lip_sync;
pub(in crate::rtc) mod media_tap;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rtc::rtp::Packet;
use tokio::sync::{mpsc, watch};

use crate::decoder::video::{DecoderEvent, VideoDecoding};
use crate::jitter_buffer::{VideoJitterBuffer, VideoOutput, VideoPacket};
use crate::media::{MediaTime, ReceivedPicture, ReceivedSound, StreamId};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::deadline;
use crate::rtc::engine::{Events, PeerEvent, VideoSink};
use crate::rtc::repair::redundancy::{Block, RedundancyDecoder};
use crate::rtc::stats::Counters;

/// Where keyframe requests to the far side go; a full queue holds one already.
pub(in crate::rtc) type KeyframeRequests = mpsc::Sender<()>;

/// Gives the sound of the far side to its owner, from `connected` until the connection ends.
pub(in crate::rtc) async fn receive_audio(
    mut packets: mpsc::Receiver<Packet>,
    mut connected: watch::Receiver<bool>,
    sink: Arc<dyn Fn(ReceivedSound) + Send + Sync>,
    counters: Arc<Counters>,
) {
    // An error means that the connection ended before.
    if connected.wait_for(|connected| *connected).await.is_err() {
        return;
    }
    let mut redundancy = RedundancyDecoder::default();
    while let Some(Packet { header, payload }) = packets.recv().await {
        let arrived_at = MediaTime::now();
        counters.audio_packets_received.fetch_add(1, Relaxed);
        counters.lip_sync().sound_arrived(header.timestamp, arrived_at);
        redundancy.take(header.payload_type, header.sequence_number, header.timestamp, payload, |block| {
            let Block { sequence, timestamp: rtp_timestamp, payload: data, copy: recovered } = block;
            sink(ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp: None, recovered });
        });
    }
}

/// Puts the video of the far side together, from `connected` until the connection ends.
pub(in crate::rtc) async fn receive_video(
    mut packets: mpsc::Receiver<Packet>,
    (mut connected, mut interruptions): (watch::Receiver<bool>, watch::Receiver<u32>),
    sink: VideoSink,
    state: ConnectionState,
    events: Events,
    keyframe_requests: KeyframeRequests,
) {
    if connected.wait_for(|connected| *connected).await.is_err() {
        return;
    }
    let counters = &state.counters;
    let mut buffer = VideoJitterBuffer::new();
    // Started by the first frame: a far side without a camera costs no thread.
    let mut output: Option<VideoOutputs> = None;
    loop {
        let buffer_deadline = buffer.deadline();
        let packet = tokio::select! {
            packet = packets.recv() => match packet {
                Some(packet) => Some(packet),
                None => break,
            },
            () = deadline::reached(buffer_deadline) => None,
            Ok(()) = interruptions.changed() => {
                // The first thing that comes afterwards is a keyframe: nothing before it is worth a wait.
                buffer.restart_at_keyframe();
                continue;
            }
        };
        let now = MediaTime::now();
        if let Some(Packet { header, payload }) = packet {
            counters.video_bytes_received.fetch_add(payload.len() as u64, Relaxed);
            let (sequence, timestamp, marker) = (header.sequence_number, header.timestamp, header.marker);
            buffer.insert(VideoPacket { sequence, timestamp, marker, payload }, now);
        }
        buffer.set_round_trip(state.path.rtt());
        while let Some(item) = buffer.poll(now) {
            let decodable = match item {
                VideoOutput::Frame(unit) => {
                    counters.frames_received.fetch_add(1, Relaxed);
                    let decoding = Duration::from_micros(counters.receive_delay_us.load(Relaxed));
                    counters.lip_sync().picture_shown(unit.rtp_timestamp, now + decoding);
                    output
                        .get_or_insert_with(|| {
                            VideoOutputs::start(&sink, counters, Arc::clone(&events), keyframe_requests.clone())
                        })
                        .take(unit)
                }
                VideoOutput::KeyframeNeeded => false,
            };
            if !decodable {
                // A full queue holds a request already.
                let _ = keyframe_requests.try_send(());
            }
        }
        counters.packets_lost.store(buffer.packets_lost(), Relaxed);
    }
    if let Some(output) = output {
        output.finish().await;
    }
}

/// Where access units go.
enum VideoOutputs {
    Decoder(VideoDecoding),
    Encoded(Arc<dyn Fn(ReceivedPicture) + Send + Sync>),
    /// The decoder thread could not be started.
    Nowhere,
}

impl VideoOutputs {
    /// Starts the decoder thread if there is to be one.
    fn start(sink: &VideoSink, counters: &Arc<Counters>, events: Events, keyframe_requests: KeyframeRequests) -> Self {
        let slot = match sink {
            VideoSink::Encoded(take) => return Self::Encoded(Arc::clone(take)),
            VideoSink::Decode(slot) => Arc::clone(slot),
        };
        let counters = Arc::clone(counters);
        let report = move |event| match event {
            DecoderEvent::KeyframeNeeded => {
                let _ = keyframe_requests.try_send(());
            }
            DecoderEvent::Picture { width, height, delay_us } => {
                match counters.picture(width, height, delay_us, MediaTime::now()) {
                    None => {}
                    Some((0, 0)) => events(PeerEvent::FirstFrame { stream: StreamId::CAMERA, width, height }),
                    Some(_) => events(PeerEvent::FrameSizeChanged { stream: StreamId::CAMERA, width, height }),
                }
            }
        };
        match VideoDecoding::start(slot, report) {
            Ok(decoding) => Self::Decoder(decoding),
            Err(error) => {
                tracing::error!(%error, "no thread for a video decoder");
                Self::Nowhere
            }
        }
    }

    /// Hands an access unit over; false when a keyframe should be requested.
    fn take(&mut self, unit: ReceivedPicture) -> bool {
        match self {
            Self::Decoder(decoding) => decoding.decode(unit),
            Self::Encoded(take) => {
                take(unit);
                true
            }
            Self::Nowhere => true,
        }
    }

    async fn finish(self) {
        if let Self::Decoder(decoding) = self
            && tokio::task::spawn_blocking(move || decoding.finish()).await.is_err()
        {
            tracing::warn!("a video decoder was not waited for");
        }
    }
}
