//! Receive path of one video stream: RTP in, whole pictures and keyframe requests out.
//!
//! Sans-I/O: time is an argument. Owned by the receiving task, or by the virtual-time rig.

use std::time::Duration;

use rtc::rtp::Packet;

use super::arrival::Arrival;
use super::keyframe_requester::KeyframeRequester;
use super::sender_clock::SenderClock;
use crate::codec::VideoCodec;
use crate::jitter_buffer::{VideoJitterBuffer, VideoPacket};
use crate::media::{MediaTime, ReceivedPicture};

/// Between keyframe requests to the far side.
const FAR_SIDE_REQUEST_INTERVAL: Duration = Duration::from_millis(300);

/// Requests that leave without any packet between them at most: of a stream that is off nothing comes.
const UNANSWERED_REQUESTS: u32 = 4;

/// Output of the stream.
#[derive(Debug)]
pub(in crate::rtc) enum VideoReceiveOutput {
    /// A whole picture, in decoding order.
    Picture(ReceivedPicture),
    /// A keyframe is to be asked for now (PLI).
    KeyframeRequest,
}

/// Counts of a stream since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::rtc) struct VideoReceiveStats {
    /// Bytes of RTP payload that arrived.
    pub(in crate::rtc) payload_bytes: u64,
    /// Whole pictures.
    pub(in crate::rtc) pictures: u64,
    /// Packets given up for good.
    pub(in crate::rtc) packets_lost: u64,
}

/// Takes the packets of one video stream.
#[derive(Debug)]
pub(in crate::rtc) struct VideoReceive {
    jitter_buffer: VideoJitterBuffer,
    keyframes: KeyframeRequester,
    clock: SenderClock,
    /// Requests for the jitter buffer's sake that may leave before another packet comes.
    requests_left: u32,
    payload_bytes: u64,
    pictures: u64,
}

impl VideoReceive {
    /// A stream of which nothing has arrived.
    pub(in crate::rtc) fn new() -> Self {
        Self {
            jitter_buffer: VideoJitterBuffer::new(),
            keyframes: KeyframeRequester::new(FAR_SIDE_REQUEST_INTERVAL),
            clock: SenderClock::new(VideoCodec::PREFERRED.clock_rate_hz()),
            requests_left: 0,
            payload_bytes: 0,
            pictures: 0,
        }
    }

    /// Takes a packet that arrived at `now`. Call `poll` until it gives nothing afterwards.
    pub(in crate::rtc) fn handle(&mut self, arrival: Arrival, now: MediaTime) {
        match arrival {
            Arrival::SenderReport { ntp_time, rtp_time } => self.clock.report(ntp_time, rtp_time),
            Arrival::Rtp(Packet { header, payload }) => {
                // One that was never negotiated is nobody's.
                let Some(codec) = VideoCodec::of_payload_type(header.payload_type) else { return };
                self.payload_bytes += payload.len() as u64;
                self.requests_left = UNANSWERED_REQUESTS;
                let (sequence, timestamp, marker) = (header.sequence_number, header.timestamp, header.marker);
                self.jitter_buffer.insert(VideoPacket { codec, sequence, timestamp, marker, payload }, now);
            }
        }
    }

    /// The connection was interrupted: the first thing that comes afterwards is a keyframe, and nothing before it is
    /// worth a wait. Nothing is needed before something comes: the stream may be off.
    pub(in crate::rtc) fn on_interruption(&mut self) {
        self.requests_left = 0;
        self.jitter_buffer.restart_at_keyframe();
    }

    /// Sets the wait for retransmissions from the RTT; zero while that is not known.
    pub(in crate::rtc) fn set_rtt(&mut self, rtt: Duration) {
        self.jitter_buffer.set_round_trip(rtt);
    }

    /// The receiver of the pictures cannot go on without a keyframe.
    pub(in crate::rtc) fn need_keyframe(&mut self) {
        self.keyframes.need();
    }

    /// The next picture or request, if there is one at `now`.
    pub(in crate::rtc) fn poll(&mut self, now: MediaTime) -> Option<VideoReceiveOutput> {
        if let Some(mut picture) = self.jitter_buffer.poll(now) {
            self.pictures += 1;
            if picture.keyframe {
                self.keyframes.on_keyframe();
            }
            picture.capture_ntp = self.clock.capture_time(picture.rtp_timestamp);
            return Some(VideoReceiveOutput::Picture(picture));
        }
        if self.jitter_buffer.needs_keyframe() && self.requests_left > 0 {
            self.keyframes.need();
        }
        let request = self.keyframes.take_request(now);
        self.requests_left = self.requests_left.saturating_sub(request.into());
        request.then_some(VideoReceiveOutput::KeyframeRequest)
    }

    /// When `poll` should be called even if nothing arrives.
    pub(in crate::rtc) fn deadline(&self) -> Option<MediaTime> {
        [self.jitter_buffer.deadline(), self.keyframes.deadline()].into_iter().flatten().min()
    }

    /// Counts so far.
    pub(in crate::rtc) fn stats(&self) -> VideoReceiveStats {
        let Self { payload_bytes, pictures, .. } = *self;
        VideoReceiveStats { payload_bytes, pictures, packets_lost: self.jitter_buffer.packets_lost() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc::rtp::header::Header;

    use super::*;
    use crate::media::NtpTime;

    const fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn packet(sequence_number: u16, picture: u32, marker: bool, payload: &'static [u8]) -> Arrival {
        let payload_type = VideoCodec::PREFERRED.payload_types().media;
        let header = Header { payload_type, sequence_number, timestamp: picture * 3000, marker, ..Header::default() };
        Arrival::Rtp(Packet { header, payload: Bytes::from_static(payload) })
    }

    fn keyframe(video: &mut VideoReceive, sequence: u16, picture: u32, now: MediaTime) {
        video.handle(packet(sequence, picture, false, &[0x67, 1]), now);
        video.handle(packet(sequence + 1, picture, true, &[0x65, 1]), now);
    }

    fn picture(video: &mut VideoReceive, now: MediaTime) -> Option<ReceivedPicture> {
        match video.poll(now)? {
            VideoReceiveOutput::Picture(picture) => Some(picture),
            VideoReceiveOutput::KeyframeRequest => None,
        }
    }

    #[test]
    fn a_picture_has_its_arrival_and_the_senders_capture_time() {
        let mut video = VideoReceive::new();
        keyframe(&mut video, 10, 1, at(20));
        assert_eq!(picture(&mut video, at(20)).map(|one| (one.arrived_at, one.capture_ntp)), Some((at(20), None)));
        video.handle(Arrival::SenderReport { ntp_time: 9 << 32, rtp_time: 3000 }, at(30));
        video.handle(packet(12, 4, true, &[0x41, 1]), at(120));
        let captured = NtpTime::from_ntp(9 << 32).plus_micros(100_000);
        assert_eq!(picture(&mut video, at(120)).unwrap().capture_ntp, Some(captured));
        assert_eq!(video.stats(), VideoReceiveStats { payload_bytes: 6, pictures: 2, packets_lost: 0 });
    }

    /// Times at which keyframes are asked for, of a stream whose second packet is lost and that goes on for a second.
    fn requests(decodes: bool) -> Vec<u64> {
        let mut video = VideoReceive::new();
        video.set_rtt(Duration::from_millis(1));
        keyframe(&mut video, 0, 0, at(0));
        let (mut lost, mut requests) = (decodes, Vec::new());
        for number in 1_u16..31 {
            let now = at(u64::from(number) * 33);
            if !std::mem::take(&mut lost) {
                video.handle(packet(number + 1, number.into(), true, &[0x41, 1]), now);
            }
            while let Some(output) = video.poll(now) {
                match output {
                    VideoReceiveOutput::KeyframeRequest => requests.push(now.as_millis()),
                    VideoReceiveOutput::Picture(_) if !decodes => video.need_keyframe(),
                    VideoReceiveOutput::Picture(_) => {}
                }
            }
        }
        requests
    }

    #[test]
    fn a_keyframe_is_asked_for_each_300_ms_for_jitter_buffer_and_decoder_alike() {
        // The gap shows at 66 ms, and is waited for for 100.
        assert_eq!(requests(true), [198, 528, 858]);
        assert_eq!(requests(false), [33, 363, 693]);
    }

    #[test]
    fn a_request_that_came_too_soon_leaves_in_time_unless_a_keyframe_comes_before() {
        let mut video = VideoReceive::new();
        video.need_keyframe();
        assert!(matches!(video.poll(at(1000)), Some(VideoReceiveOutput::KeyframeRequest)));
        video.need_keyframe();
        assert!(video.poll(at(1100)).is_none());
        assert_eq!(video.deadline(), Some(at(1300)));
        keyframe(&mut video, 10, 1, at(1200));
        assert!(picture(&mut video, at(1200)).is_some());
        assert_eq!(video.deadline(), None);
        assert!(video.poll(at(1300)).is_none());
    }

    /// Times in ms at which keyframes are asked for in the seconds from `from_ms` on, in which nothing comes.
    fn requests_in_silence(video: &mut VideoReceive, from_ms: u64) -> Vec<u64> {
        let mut asks = |now: &u64| matches!(video.poll(at(*now)), Some(VideoReceiveOutput::KeyframeRequest));
        (from_ms..from_ms + 10_000).step_by(10).filter(|now| asks(now)).collect()
    }

    #[test]
    fn of_a_stream_that_is_off_after_an_interruption_no_keyframe_is_asked_for() {
        let mut video = VideoReceive::new();
        keyframe(&mut video, 0, 0, at(0));
        assert!(picture(&mut video, at(0)).is_some());
        video.on_interruption();
        assert!(requests_in_silence(&mut video, 1000).is_empty());
        assert_eq!(video.deadline(), None);
        video.handle(packet(9, 9, true, &[0x41, 1]), at(12_000));
        assert!(matches!(video.poll(at(12_000)), Some(VideoReceiveOutput::KeyframeRequest)), "it goes on");
    }

    #[test]
    fn of_a_stream_that_ends_with_a_loss_a_keyframe_is_asked_for_a_few_times_alone() {
        let mut video = VideoReceive::new();
        video.set_rtt(Duration::from_millis(1));
        keyframe(&mut video, 0, 0, at(0));
        assert!(picture(&mut video, at(0)).is_some());
        video.handle(packet(3, 2, true, &[0x41, 1]), at(60));
        assert_eq!(requests_in_silence(&mut video, 60), [160, 460, 760, 1060]);
    }
}
