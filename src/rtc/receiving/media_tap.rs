//! Interceptor that takes received RTP, and the sender reports of its streams, off the engine's path, straight to the
//! receiving tasks.
//!
//! ```text
//! ... NACK generator -> reports -> [this interceptor] -> receiving tasks
//! ```
//!
//! The engine's own tracks hold 256 packets, and a packet that they drop is lost after the NACK generator has seen it,
//! so nothing repairs it: a large keyframe on a busy computer would be lost again each time that it is requested. The
//! queues here are as long as the jitter buffer. Runs on the tokio task of the peer connection, farthest from the
//! network.

use rtc::interceptor::{Packet, Slot, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport;
use tokio::sync::mpsc;

use crate::media::StreamId;
use crate::rtc::stage::{Stage, StageContext};
use crate::rtc::stream::Arrival;
use crate::rtc::streams::FarStreams;

/// Packets of video that wait for their task at most.
const VIDEO_QUEUE: usize = 2048;
/// Packets of sound that wait for their task at most: five seconds.
const AUDIO_QUEUE: usize = 256;

/// The far ends of the queues.
pub(in crate::rtc) struct ReceivedMedia {
    pub(in crate::rtc) audio: mpsc::Receiver<Arrival>,
    pub(in crate::rtc) video: mpsc::Receiver<Arrival>,
    /// Streams of pictures beside the camera's.
    pub(in crate::rtc) further: Vec<(StreamId, mpsc::Receiver<Arrival>)>,
}

impl ReceivedMedia {
    /// The queue of the sound, and those of the streams of pictures.
    pub(in crate::rtc) fn into_queues(self) -> (mpsc::Receiver<Arrival>, Vec<(StreamId, mpsc::Receiver<Arrival>)>) {
        let mut pictures = self.further;
        pictures.push((StreamId::CAMERA, self.video));
        (self.audio, pictures)
    }
}

/// Diverts the media of one peer connection.
pub(in crate::rtc) struct MediaTap {
    /// One for each stream.
    queues: Vec<(StreamId, mpsc::Sender<Arrival>)>,
    far: FarStreams,
    /// The streams that are bound, by their SSRC.
    bound: Vec<(u32, StreamId)>,
}

impl MediaTap {
    pub(in crate::rtc) fn new() -> (Self, ReceivedMedia) {
        let (audio, audio_receiver) = mpsc::channel(AUDIO_QUEUE);
        let (video, video_receiver) = mpsc::channel(VIDEO_QUEUE);
        let queues = vec![(StreamId::AUDIO, audio), (StreamId::CAMERA, video)];
        let tap = Self { queues, far: FarStreams::default(), bound: Vec::new() };
        (tap, ReceivedMedia { audio: audio_receiver, video: video_receiver, further: Vec::new() })
    }

    /// The same, with the far side's streams as its description names them.
    pub(in crate::rtc) fn of_streams(self, far: FarStreams) -> Self {
        Self { far, ..self }
    }

    /// Diverts a further stream of pictures, too; its packets come out of the queue that is returned.
    pub(in crate::rtc) fn add_stream(&mut self, id: StreamId) -> mpsc::Receiver<Arrival> {
        let (queue, receiver) = mpsc::channel(VIDEO_QUEUE);
        self.queues.push((id, queue));
        receiver
    }

    /// Farther from the network than everything that measures or repairs.
    pub(in crate::rtc) fn slot() -> Slot {
        Slot::from(12_500)
    }

    fn divert(&self, ssrc: u32, arrival: Arrival) {
        let Some((_, id)) = self.bound.iter().find(|(one, _)| *one == ssrc) else { return };
        let Some((_, queue)) = self.queues.iter().find(|(one, _)| one == id) else { return };
        if queue.try_send(arrival).is_err() {
            tracing::debug!("a received packet found its queue full");
        }
    }
}

impl Stage for MediaTap {
    fn read(&mut self, message: TaggedPacket, passing: &mut StageContext) {
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
        // Retransmissions are bound, too, under the video's codec; they name none of their own.
        let described = self.far.of_media(stream.ssrc);
        let is_described = described.is_some();
        let id = match described {
            Some(described) => described.id,
            None if stream.mime_type.starts_with("audio/") => StreamId::AUDIO,
            None if stream.ssrc_rtx.is_some() => StreamId::CAMERA,
            None => return,
        };
        // Two streams of one queue would be taken for one: without a description the latest takes the place of those
        // before.
        self.bound.retain(|(ssrc, one)| *ssrc != stream.ssrc && (is_described || *one != id));
        self.bound.push((stream.ssrc, id));
    }

    fn unbind_remote(&mut self, stream: &StreamInfo) {
        self.bound.retain(|(ssrc, _)| *ssrc != stream.ssrc);
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
    use crate::codec::VideoCodec;
    use crate::rtc::stage::Staged;

    #[test]
    fn streams_of_one_kind_are_told_apart_by_the_description() {
        use crate::call::{DescribedStream, StreamSsrcs};
        use crate::media::StreamKind;
        let far = FarStreams::default();
        let described = |id, kind, media| {
            let ssrcs = StreamSsrcs { media, rtx: Some(media + 1), fec: None };
            DescribedStream { id, kind, ssrcs }
        };
        far.set(&[
            described(StreamId::SCREEN, StreamKind::Screen, 20),
            described(StreamId::CAMERA, StreamKind::Camera, 10),
            described(StreamId::new(7), StreamKind::Camera, 30),
        ]);
        let (tap, received) = MediaTap::new();
        let mut tap = tap.of_streams(far);
        let screen = tap.add_stream(StreamId::SCREEN);
        let mut tap = Staged::new(tap);
        for ssrc in [10, 20, 30] {
            let mime_type = VideoCodec::PREFERRED.mime_type();
            tap.bind_remote_stream(&StreamInfo { ssrc, ssrc_rtx: Some(ssrc + 1), mime_type, ..StreamInfo::default() });
        }
        for ssrc in [20, 10, 20, 30] {
            let header = rtp::header::Header { ssrc, ..Default::default() };
            let packet = Packet::Rtp(rtp::Packet { header, payload: bytes::Bytes::new() });
            let message = AttributedPacket::new(packet);
            tap.handle_read(TaggedPacket { now: Instant::now(), transport: TransportContext::default(), message })
                .unwrap();
        }
        assert_eq!((received.video.len(), screen.len(), received.audio.len()), (1, 2, 0));
    }

    #[test]
    fn the_latest_of_two_streams_without_a_description_takes_the_queue() {
        let (tap, received) = MediaTap::new();
        let mut tap = Staged::new(tap);
        for ssrc in [1, 5] {
            let mime_type = VideoCodec::PREFERRED.mime_type();
            tap.bind_remote_stream(&StreamInfo { ssrc, ssrc_rtx: Some(ssrc + 1), mime_type, ..StreamInfo::default() });
        }
        for ssrc in [1, 5, 5] {
            let header = rtp::header::Header { ssrc, ..Default::default() };
            let packet = Packet::Rtp(rtp::Packet { header, payload: bytes::Bytes::new() });
            let message = AttributedPacket::new(packet);
            tap.handle_read(TaggedPacket { now: Instant::now(), transport: TransportContext::default(), message })
                .unwrap();
        }
        assert_eq!(received.video.len(), 2);
    }

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
        tap.bind_remote_stream(&stream(2, Some(3), &VideoCodec::PREFERRED.mime_type()));
        tap.bind_remote_stream(&stream(3, None, &VideoCodec::PREFERRED.mime_type()));
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
