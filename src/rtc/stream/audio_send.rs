//! Send path of one audio stream: Opus packets in, RTP out, with RED copies (RFC 2198) of earlier packets where the
//! path loses some.
//!
//! Sans-I/O: time is an argument. Owned by the sending task, or by the virtual-time rig.

use rtc::rtp::Packet;

use super::packetizer::{AudioPacketizer, NumberedSound};
use crate::media::MediaTime;
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::negotiation::description_sdp::OPUS_PAYLOAD_TYPE;
use crate::rtc::repair::redundancy::CopiesWanted;

/// Makes the packets of one audio stream.
pub(in crate::rtc) struct AudioSend {
    packetizer: AudioPacketizer,
    red: CopiesWanted,
    state: ConnectionState,
}

impl AudioSend {
    /// The stream `ssrc`, whose numbering starts at a number of `random` (RFC 3550, 5.1).
    pub(in crate::rtc) fn new(ssrc: u32, random: u64, state: &ConnectionState) -> Self {
        let packetizer = AudioPacketizer::new(ssrc, OPUS_PAYLOAD_TYPE, random);
        Self { packetizer, red: CopiesWanted::default(), state: state.clone() }
    }

    /// The packet of `sound`, which leaves at `now`.
    pub(in crate::rtc) fn packetize(&mut self, sound: &NumberedSound, now: MediaTime) -> Packet {
        let copies = self.state.red_copies(&mut self.red, now);
        self.state.audio.set_capture_delay(now.since(sound.sound.captured_at));
        self.packetizer.packetize(sound, copies)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::codec::CodecSupport;
    use crate::media::OutgoingSound;
    use crate::rtc::negotiation::description_sdp::RED_PAYLOAD_TYPE;
    use crate::rtc::path::PathLoss;

    #[test]
    fn packets_carry_copies_while_the_path_loses_some_and_the_far_side_takes_them() {
        let state = ConnectionState::default();
        let mut audio = AudioSend::new(7, 1, &state);
        state.path.set_target(1_000_000, 1_000_000);
        let mut payload_type = |number: u16| {
            let captured_at = MediaTime::from_millis(u64::from(number) * 20);
            let sound = OutgoingSound { data: Bytes::from_static(&[1; 60]), captured_at };
            let packet = audio.packetize(&NumberedSound { number, sound }, captured_at + Duration::from_millis(3));
            assert_eq!(packet.header.ssrc, 7);
            packet.header.payload_type
        };
        assert_eq!([payload_type(1), payload_type(2)], [OPUS_PAYLOAD_TYPE; 2]);
        state.path.set_loss(PathLoss { share: 0.1, run: 1.0 });
        assert_eq!(payload_type(3), OPUS_PAYLOAD_TYPE, "the far side has not said that it takes them");
        state.far.set(true, false, CodecSupport::default());
        assert_eq!(payload_type(4), RED_PAYLOAD_TYPE);
        assert_eq!(state.audio.capture_delay(), Duration::from_millis(3));
    }
}
