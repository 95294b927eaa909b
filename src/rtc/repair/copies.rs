//! Spreads the repetitions of an RTX over time: congestion control sends each one twice where much is lost, and a burst
//! should not take both.
//!
//! ```text
//! SEND     retransmission buffer -> [this interceptor holds the second copy back] -> numbers -> SRTP
//! ```
//!
//! Runs on the tokio task of the peer connection; time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::interceptor::{Packet, Slot, StreamInfo, TaggedPacket};

use crate::rtc::stage::{Stage, StageContext};

/// Between a retransmission and its copy.
const SPACING: Duration = Duration::from_millis(10);
/// Copies that wait at most; the others leave at once.
const MAX_HELD: usize = 256;

/// Holds the second copies of retransmissions back.
#[derive(Default)]
pub(in crate::rtc) struct RepairCopies {
    /// SSRCs of this side's retransmissions.
    retransmissions: Vec<u32>,
    /// Streams and sequence numbers that were retransmitted at one moment, and when that was.
    sent: Vec<(u32, u16)>,
    sent_at: Option<Instant>,
    /// Waiting packets with their times, the soonest first.
    held: VecDeque<(Instant, TaggedPacket)>,
}

impl RepairCopies {
    /// Nearer to the network than the retransmission buffer; packets get their transport-wide numbers after it.
    pub(in crate::rtc) fn slot() -> Slot {
        Slot::from(3_500)
    }

    /// True for packets that were retransmitted at this moment already.
    fn is_copy(&mut self, message: &TaggedPacket) -> bool {
        let Packet::Rtp(packet) = &message.message.packet else { return false };
        if !self.retransmissions.contains(&packet.header.ssrc) {
            return false;
        }
        let Some(number) = packet.payload.first_chunk().map(|number| u16::from_be_bytes(*number)) else { return false };
        let number = (packet.header.ssrc, number);
        if self.sent_at.replace(message.now) != Some(message.now) {
            self.sent.clear();
        }
        let copy = self.sent.contains(&number);
        if !copy {
            self.sent.push(number);
        }
        copy
    }
}

impl Stage for RepairCopies {
    fn write(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        if self.is_copy(&message) && self.held.len() < MAX_HELD {
            self.held.push_back((message.now + SPACING, message));
        } else {
            passing.writes.push_back(message);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.held.front().map(|(until, _)| *until)
    }

    fn timeout(&mut self, now: Instant, passing: &mut StageContext) {
        while self.held.front().is_some_and(|(until, _)| *until <= now) {
            let copy = self.held.pop_front();
            passing.writes.extend(copy.map(|(_, message)| TaggedPacket { now, ..message }));
        }
    }

    fn bind_local(&mut self, stream: &StreamInfo) {
        self.retransmissions.extend(stream.ssrc_rtx);
    }

    fn unbind_local(&mut self, stream: &StreamInfo) {
        self.retransmissions.retain(|ssrc| Some(*ssrc) != stream.ssrc_rtx);
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use rtc::interceptor::{AttributedPacket, Interceptor};
    use rtc::rtp;
    use rtc::sansio::Protocol;
    use rtc::shared::TransportContext;

    use super::*;
    use crate::rtc::stage::Staged;

    /// A retransmission (SSRC 20) or another packet whose payload begins with `number`.
    fn packet(now: Instant, ssrc: u32, number: u16) -> TaggedPacket {
        let header = rtp::header::Header { version: 2, ssrc, ..Default::default() };
        let payload = number.to_be_bytes().to_vec().into();
        let message = AttributedPacket::new(Packet::Rtp(rtp::Packet { header, payload }));
        TaggedPacket { now, transport: TransportContext::default(), message }
    }

    #[test]
    fn a_copy_leaves_later_and_everything_else_at_once() {
        let start = Instant::now();
        let mut copies = Staged::new(RepairCopies::default());
        copies.bind_local_stream(&StreamInfo { ssrc: 10, ssrc_rtx: Some(20), ..StreamInfo::default() });
        let left = |copies: &mut Staged<RepairCopies>| std::iter::from_fn(|| copies.poll_write()).count();
        for (ssrc, number) in [(20, 5), (20, 6), (20, 5), (20, 6), (10, 5), (10, 5)] {
            copies.handle_write(packet(start, ssrc, number)).unwrap();
        }
        assert_eq!((left(&mut copies), copies.poll_timeout()), (4, Some(start + SPACING)));
        copies.handle_timeout(start + SPACING / 2).unwrap();
        assert_eq!(left(&mut copies), 0);
        copies.handle_timeout(start + SPACING).unwrap();
        assert_eq!((left(&mut copies), copies.poll_timeout()), (2, None));
        copies.handle_write(packet(start + SPACING * 6, 20, 5)).unwrap();
        assert_eq!(left(&mut copies), 1, "asked for again, it is no copy");
    }

    #[test]
    fn few_copies_wait() {
        let now = Instant::now();
        let (mut copies, mut passing) = (RepairCopies::default(), StageContext::default());
        copies.bind_local(&StreamInfo { ssrc_rtx: Some(20), ..StreamInfo::default() });
        for _ in 0..2 {
            (0..500).for_each(|number| copies.write(packet(now, 20, number), &mut passing));
        }
        assert_eq!((copies.held.len(), passing.writes.len()), (MAX_HELD, 1000 - MAX_HELD));
    }
}
