//! Takes received RTP, and the sender reports of its streams, off the engine's path, straight to the receiving tasks.
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
use rtc::rtcp::sender_report::SenderReport;
use tokio::sync::mpsc;

use crate::rtc::stage::{Passing, Stage};
use crate::rtc::stream::Arrival;

/// Packets of video that wait for their task at most.
const VIDEO_QUEUE: usize = 2048;
/// Packets of sound that wait for their task at most: five seconds.
const AUDIO_QUEUE: usize = 256;

/// The far ends of the queues.
pub(in crate::rtc) struct ReceivedMedia {
    pub(in crate::rtc) audio: mpsc::Receiver<Arrival>,
    pub(in crate::rtc) video: mpsc::Receiver<Arrival>,
}

/// Diverts the media of one peer connection.
pub(in crate::rtc) struct MediaTap {
    audio: mpsc::Sender<Arrival>,
    video: mpsc::Sender<Arrival>,
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

    fn divert(&self, ssrc: u32, arrival: Arrival) {
        let ssrc = Some(ssrc);
        let queue = if ssrc == self.video_ssrc {
            &self.video
        } else if ssrc == self.audio_ssrc {
            &self.audio
        } else {
            return;
        };
        if queue.try_send(arrival).is_err() {
            tracing::debug!("a received packet found its queue full");
        }
    }
}

impl Stage for MediaTap {
    fn read(&mut self, message: TaggedPacket, passing: &mut Passing) {
        match message.message.packet {
            Packet::Rtp(packet) => self.divert(packet.header.ssrc, Arrival::Rtp(packet)),
            Packet::Rtcp(ref packets) => {
                for report in packets.iter().filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>()) {
                    let SenderReport { ssrc, ntp_time, rtp_time, .. } = *report;
                    self.divert(ssrc, Arrival::SenderReport { ntp_time, rtp_time });
                }
                passing.reads.push_back(message);
            }
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
    use rtc::rtp;
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
        let mut read = |packet| {
            let message = AttributedPacket::new(packet);
            tap.handle_read(TaggedPacket { now: Instant::now(), transport: TransportContext::default(), message })
                .unwrap();
            tap.poll_read().is_some()
        };
        for ssrc in [1, 2, 2, 3, 4] {
            let header = rtp::header::Header { ssrc, ..Default::default() };
            assert!(!read(Packet::Rtp(rtp::Packet { header, payload: bytes::Bytes::new() })));
        }
        for ssrc in [1, 3] {
            let report = SenderReport { ssrc, ntp_time: 7, rtp_time: 8, ..Default::default() };
            assert!(read(Packet::Rtcp(vec![Box::new(report)])), "reports go on, too");
        }
        assert_eq!((received.audio.len(), received.video.len()), (2, 2));
        assert!(matches!(received.video.try_recv(), Ok(Arrival::Rtp(packet)) if packet.header.ssrc == 2));
        assert!(matches!(received.audio.try_recv(), Ok(Arrival::Rtp(_))));
        assert!(matches!(received.audio.try_recv(), Ok(Arrival::SenderReport { ntp_time: 7, rtp_time: 8 })));
    }
}
