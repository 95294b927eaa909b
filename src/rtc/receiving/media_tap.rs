//! Takes received RTP off the engine's path, straight to the receiving tasks.
//!
//! ```text
//! ... NACK generator -> reports -> [this interceptor] -> receiving tasks
//! ```
//!
//! The engine's own tracks hold 256 packets, and what they drop is lost after the NACK generator has seen it, so
//! nothing repairs it: a large keyframe on a busy computer would be lost again each time that it is requested. The
//! queues here are as long as the jitter buffer. Runs on the tokio task of the peer connection, farthest from the
//! network.

use rtc::interceptor::{Packet, Slot, StreamInfo, TaggedPacket};
use rtc::rtp;
use tokio::sync::mpsc;

use crate::rtc::stage::{Passing, Stage};

/// Packets of video that wait for their task at most.
const VIDEO_QUEUE: usize = 2048;
/// Packets of sound that wait for their task at most: five seconds.
const AUDIO_QUEUE: usize = 256;

/// The far ends of the queues.
pub(in crate::rtc) struct ReceivedMedia {
    pub(in crate::rtc) audio: mpsc::Receiver<rtp::Packet>,
    pub(in crate::rtc) video: mpsc::Receiver<rtp::Packet>,
}

/// Diverts the media of one peer connection.
pub(in crate::rtc) struct MediaTap {
    audio: mpsc::Sender<rtp::Packet>,
    video: mpsc::Sender<rtp::Packet>,
    audio_ssrc: Option<u32>,
    video_ssrc: Option<u32>,
}

impl MediaTap {
    pub(in crate::rtc) fn new() -> (Self, ReceivedMedia) {
        let (audio, audio_receiver) = mpsc::channel(AUDIO_QUEUE);
        let (video, video_receiver) = mpsc::channel(VIDEO_QUEUE);
        let tap = Self { audio, video, audio_ssrc: None, video_ssrc: None };
        (tap, ReceivedMedia { audio: audio_receiver, video: video_receiver })
    }

    /// Farther from the network than everything that measures or repairs.
    pub(in crate::rtc) fn slot() -> Slot {
        Slot::from(12_500)
    }

    fn divert(&self, packet: rtp::Packet) {
        let ssrc = Some(packet.header.ssrc);
        let queue = if ssrc == self.video_ssrc {
            &self.video
        } else if ssrc == self.audio_ssrc {
            &self.audio
        } else {
            return;
        };
        if queue.try_send(packet).is_err() {
            tracing::debug!("a received packet found its queue full");
        }
    }
}

impl Stage for MediaTap {
    fn read(&mut self, message: TaggedPacket, passing: &mut Passing) {
        match message.message.packet {
            Packet::Rtp(packet) => self.divert(packet),
            _ => passing.reads.push_back(message),
        }
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        // The stream of retransmissions is bound, too, under the video's codec; it names none of its own.
        if stream.mime_type.starts_with("audio/") {
            self.audio_ssrc = Some(stream.ssrc);
        } else if stream.ssrc_rtx.is_some() {
            self.video_ssrc = Some(stream.ssrc);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtc::interceptor::{AttributedPacket, Interceptor};
    use rtc::sansio::Protocol;
    use rtc::shared::TransportContext;

    use super::*;
    use crate::rtc::stage::Staged;

    #[test]
    fn each_stream_goes_to_its_queue_and_strange_ones_nowhere() {
        let (tap, mut received) = MediaTap::new();
        let mut tap = Staged::new(tap);
        let stream = |ssrc, ssrc_rtx, mime_type: &str| StreamInfo {
            ssrc,
            ssrc_rtx,
            mime_type: mime_type.to_owned(),
            ..StreamInfo::default()
        };
        tap.bind_remote_stream(&stream(1, None, "audio/opus"));
        tap.bind_remote_stream(&stream(2, Some(3), "video/H264"));
        tap.bind_remote_stream(&stream(3, None, "video/H264"));
        for ssrc in [1, 2, 2, 3, 4] {
            let header = rtp::header::Header { ssrc, ..Default::default() };
            let packet = Packet::Rtp(rtp::Packet { header, payload: bytes::Bytes::new() });
            let message = AttributedPacket::new(packet);
            tap.handle_read(TaggedPacket { now: Instant::now(), transport: TransportContext::default(), message })
                .unwrap();
        }
        assert!(tap.poll_read().is_none());
        assert_eq!((received.audio.len(), received.video.len()), (1, 2));
        assert_eq!(received.video.try_recv().unwrap().header.ssrc, 2);
    }
}
