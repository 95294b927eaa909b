//! Send path of one video stream: pictures in, RTP out, as long as the pacer has room.
//!
//! Sans-I/O: time is an argument. Owned by the sending task, or by the virtual-time rig.

use rtc::rtp::Packet;
use tokio::sync::watch;

use super::packetizer::VideoPacketizer;
use crate::media::{MediaTime, OutgoingPicture};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::deadline;
use crate::rtc::pacing::QueuedPicture;

/// Makes the packets of one video stream, and notes its pictures in the pacer's queue.
pub(in crate::rtc) struct VideoSend {
    packetizer: VideoPacketizer,
    ssrc: u32,
    state: ConnectionState,
    /// Told when there may be room again.
    room: watch::Receiver<()>,
}

impl VideoSend {
    /// The stream `ssrc`, whose numbering starts at a number of `random` (RFC 3550, 5.1).
    pub(in crate::rtc) fn new(ssrc: u32, random: u64, state: &ConnectionState) -> Self {
        let packetizer = VideoPacketizer::new(ssrc, random);
        Self { packetizer, ssrc, state: state.clone(), room: state.pacer.room() }
    }

    /// True while the next picture may come: few of them wait in the pacer.
    pub(in crate::rtc) fn has_room(&self, now: MediaTime) -> bool {
        self.state.pacer.has_room(now)
    }

    /// Waits until there may be room again: a picture leaves, or has waited for so long that it got lost.
    pub(in crate::rtc) async fn room(&mut self) {
        let by = self.state.pacer.room_by(MediaTime::now());
        tokio::select! {
            // The queue, which `state` holds, tells for as long as this waits.
            _ = self.room.changed() => {}
            () = deadline::reached(Some(by)) => {}
        }
    }

    /// The packets of a picture, all of which are to be given to the connection now: the pacer, one of its
    /// interceptors, lets them leave. Earlier contents of `packets` are dropped.
    pub(in crate::rtc) fn packetize(&mut self, picture: &OutgoingPicture, packets: &mut Vec<Packet>, now: MediaTime) {
        packets.clear();
        self.packetizer.packetize(picture, packets);
        let Some(first) = packets.first() else { return };
        let &OutgoingPicture { keyframe, captured_at, .. } = picture;
        // The engine stamps its sender reports as of now.
        self.state.video.set_capture_delay(now.since(captured_at));
        let (rtp_timestamp, bytes) = (first.header.timestamp, picture.data.len());
        let picture = QueuedPicture { ssrc: self.ssrc, rtp_timestamp, keyframe, captured_at, bytes };
        self.state.pacer.enter(picture, now);
    }

    /// The connection did not take a packet: its picture is not waited for.
    pub(in crate::rtc) fn on_refused(&self, rtp_timestamp: u32) {
        self.state.pacer.withdraw(self.ssrc, rtp_timestamp);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::codec::VideoCodec;

    #[test]
    fn pictures_wait_in_the_pacer_until_there_is_no_room() {
        let state = ConnectionState::default();
        let mut video = VideoSend::new(5, 1, &state);
        let mut packets = Vec::new();
        let mut send = |number: u64, video: &mut VideoSend| {
            let captured_at = MediaTime::from_millis(number * 33);
            let data = Bytes::from_static(&[0, 0, 1, 0x65, 1]);
            let (codec, keyframe) = (VideoCodec::PREFERRED, number == 1);
            let picture = OutgoingPicture { codec, data, keyframe, captured_at };
            video.packetize(&picture, &mut packets, captured_at + Duration::from_millis(12));
            (packets.len(), packets[0].header.timestamp)
        };
        let (count, timestamp) = send(1, &mut video);
        assert_eq!(
            (count, video.has_room(MediaTime::from_millis(100)), state.pacer.waiting(MediaTime::from_millis(100))),
            (1, true, 1)
        );
        assert_eq!(state.video.capture_delay(), Duration::from_millis(12));
        send(2, &mut video);
        assert!(!video.has_room(MediaTime::from_millis(100)));
        assert!(state.keyframe_in_flight(5, MediaTime::from_millis(100)), "a request for it is answered");
        video.on_refused(timestamp);
        assert!(video.has_room(MediaTime::from_millis(100)));
        assert!(!state.keyframe_in_flight(5, MediaTime::from_millis(100)), "it will never come");
    }
}
