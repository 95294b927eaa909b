//! RED, redundant sound (RFC 2198): while packets are lost, each one carries earlier frames as well.
//!
//! ```text
//! sending task -> [copies put in, as many as the loss asks for] -> packets -> network
//! network -> packets -> [taken apart; frames that came already are left out] -> jitter buffer
//! ```
//!
//! A copy comes 20 or 60 ms after its original whatever the RTT, and restores the very sound. It costs as much as the
//! sound itself, so a path that loses nothing carries none. Pure: time is an argument.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::MediaTime;
use crate::rtc::mtu::MAX_PAYLOAD;
use crate::rtc::negotiation::description_sdp::RED_PAYLOAD_TYPE;

/// Which packets before it one carries copies of, the most important first. With both, a run of three losses is
/// repaired: losses come in runs, and a copy that is farther away is lost less often together with its original.
const DISTANCES: [usize; 2] = [1, 3];
/// Packets that are remembered for it.
const REMEMBERED: usize = 3;
/// Timestamps from one packet to the next: 20 ms.
const STEP: u32 = 960;
/// The bits of a payload type; the one above says that another block follows.
const TYPE_MASK: u8 = 0x7f;
/// Bits of a block's length, and of its timestamp's offset.
const LENGTH_BITS: u32 = 10;
const OFFSET_BITS: u32 = 14;
/// Bytes of a redundant block's header.
const BLOCK_HEADER: usize = 4;
/// Bytes allocated at a time: some ten seconds of redundant sound.
const MEMORY: usize = 128 * 1024;

/// Below this rate, in bit/s, packets are lost for want of room: copies and repairs would take more of it.
pub(in crate::rtc) const THIN: u64 = 250_000;

/// How many copies the loss of the path asks for.
#[derive(Debug, Default)]
pub(in crate::rtc) struct CopiesWanted {
    copies: usize,
    /// When as many were last needed.
    needed_at: MediaTime,
}

impl CopiesWanted {
    /// Loss from which on packets carry one copy, and all of them.
    const LOSS: [f64; DISTANCES.len()] = [0.005, 0.06];
    /// Copies go on for so long after the loss that asked for them.
    const HOLD: Duration = Duration::from_secs(10);

    /// The copies that a packet should carry now, after `loss` (0 to 1) on a path that takes `target_bps`.
    pub(in crate::rtc) fn at(&mut self, loss: f64, target_bps: u64, now: MediaTime) -> usize {
        let needed = Self::LOSS.iter().filter(|least| loss >= **least).count();
        if needed >= self.copies {
            self.copies = needed;
            self.needed_at = now;
        } else if now.since(self.needed_at) >= Self::HOLD {
            self.copies = needed;
        }
        if target_bps < THIN { 0 } else { self.copies }
    }
}

/// Puts copies of earlier packets into later ones.
#[derive(Debug)]
pub(in crate::rtc) struct RedundancyEncoder {
    /// RTP timestamps and payloads of the packets before, the latest first.
    earlier: [Option<(u32, Bytes)>; REMEMBERED],
    memory: BytesMut,
}

impl RedundancyEncoder {
    pub(in crate::rtc) fn new() -> Self {
        Self { earlier: [const { None }; REMEMBERED], memory: BytesMut::new() }
    }

    /// The payload of a redundant packet: `payload`, a packet of `payload_type`, behind up to `copies` of those before;
    /// `None` when there is nothing to repeat, or no room for it.
    pub(in crate::rtc) fn wrap(
        &mut self,
        timestamp: u32,
        payload_type: u8,
        payload: &Bytes,
        copies: usize,
    ) -> Option<Bytes> {
        let wrapped = self.with_copies(timestamp, payload_type, payload, copies);
        self.earlier.rotate_right(1);
        self.earlier[0] = Some((timestamp, payload.clone()));
        wrapped
    }

    fn with_copies(&mut self, timestamp: u32, payload_type: u8, payload: &Bytes, copies: usize) -> Option<Bytes> {
        // Across a pause nothing is repeated: a copy's number is told by its distance in time alone.
        let copy_at = |distance: usize| {
            let (before, copy) = self.earlier.get(distance - 1)?.as_ref()?;
            let offset = timestamp.wrapping_sub(*before);
            (offset == distance as u32 * STEP && copy.len() < 1 << LENGTH_BITS).then_some((offset, copy))
        };
        // The oldest first.
        let copies = DISTANCES[..copies.min(DISTANCES.len())].iter().rev().filter_map(|distance| copy_at(*distance));
        let (count, bytes) = copies.clone().fold((0, 0), |(count, bytes), copy| (count + 1, bytes + copy.1.len()));
        let length = bytes + count * BLOCK_HEADER + 1 + payload.len();
        if count == 0 || length > MAX_PAYLOAD {
            return None;
        }
        if self.memory.capacity() < length {
            self.memory.reserve(MEMORY);
        }
        for (offset, copy) in copies.clone() {
            self.memory.put_u32(u32::from(payload_type | !TYPE_MASK) << 24 | offset << LENGTH_BITS | copy.len() as u32);
        }
        self.memory.put_u8(payload_type & TYPE_MASK);
        for (_, copy) in copies {
            self.memory.put_slice(copy);
        }
        self.memory.put_slice(payload);
        Some(self.memory.split().freeze())
    }
}

/// A packet of sound that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct RedBlock {
    pub(in crate::rtc) sequence: u16,
    pub(in crate::rtc) timestamp: u32,
    pub(in crate::rtc) payload: Bytes,
    /// A copy, whose original has not come.
    pub(in crate::rtc) copy: bool,
}

/// Takes redundant packets apart, and lets each packet of sound through once.
#[derive(Debug, Default)]
pub(in crate::rtc) struct RedundancyDecoder {
    /// The highest sequence number so far, and which of it and the 63 before it have come.
    seen: Option<(u16, u64)>,
}

impl RedundancyDecoder {
    /// Calls `each` for the sound in a packet, the oldest first. A payload that is not well-formed holds none.
    pub(in crate::rtc) fn take(
        &mut self,
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
        payload: Bytes,
        mut each: impl FnMut(RedBlock),
    ) {
        if payload_type != RED_PAYLOAD_TYPE {
            return self.emit(RedBlock { sequence, timestamp, payload, copy: false }, &mut each);
        }
        let Some(headers) = Headers::of(&payload) else { return };
        let mut rest = payload.slice(headers.bytes()..);
        for (index, &(offset, length)) in headers.copies().iter().enumerate() {
            if rest.len() < length {
                return;
            }
            let payload = rest.split_to(length);
            // Packets of another length than ours: the ones right before.
            let back = if offset % STEP == 0 { offset / STEP } else { (headers.count - index) as u32 } as u16;
            if back == 0 {
                continue;
            }
            let (sequence, timestamp) = (sequence.wrapping_sub(back), timestamp.wrapping_sub(offset));
            self.emit(RedBlock { sequence, timestamp, payload, copy: true }, &mut each);
        }
        self.emit(RedBlock { sequence, timestamp, payload: rest, copy: false }, &mut each);
    }

    fn emit(&mut self, block: RedBlock, each: &mut impl FnMut(RedBlock)) {
        // Nothing came before the first packet: a copy of earlier sound is not missed.
        if block.payload.is_empty() || (self.seen.is_none() && block.copy) {
            return;
        }
        if self.is_new(block.sequence) {
            each(block);
        }
    }

    /// True for the first packet of its number; also for those too old to tell, which the jitter buffer judges.
    fn is_new(&mut self, sequence: u16) -> bool {
        let Some((highest, seen)) = &mut self.seen else {
            self.seen = Some((sequence, 1));
            return true;
        };
        let ahead = sequence.wrapping_sub(*highest) as i16;
        if ahead > 0 {
            *seen = seen.checked_shl(ahead as u32).unwrap_or(0) | 1;
            *highest = sequence;
            return true;
        }
        let back = u32::from(ahead.unsigned_abs());
        if back >= u64::BITS {
            // Far back: a sender that starts anew has other numbers.
            self.seen = None;
            return self.is_new(sequence);
        }
        let new = *seen & 1 << back == 0;
        *seen |= 1 << back;
        new
    }
}

/// The block headers of a redundant payload.
struct Headers {
    /// Timestamp offset and length of each copy.
    blocks: [(u32, usize); Headers::MAX],
    count: usize,
}

impl Headers {
    /// Copies that a packet of any sender may carry.
    const MAX: usize = 8;

    fn of(payload: &[u8]) -> Option<Self> {
        let mut headers = Self { blocks: [(0, 0); Self::MAX], count: 0 };
        while payload.get(headers.bytes() - 1)? & !TYPE_MASK != 0 {
            let word = u32::from_be_bytes(*payload.get(headers.bytes() - 1..)?.first_chunk()?);
            let length = (word & ((1 << LENGTH_BITS) - 1)) as usize;
            *headers.blocks.get_mut(headers.count)? = (word >> LENGTH_BITS & ((1 << OFFSET_BITS) - 1), length);
            headers.count += 1;
        }
        Some(headers)
    }

    fn copies(&self) -> &[(u32, usize)] {
        &self.blocks[..self.count]
    }

    /// Bytes of all headers, that of the primary block included.
    fn bytes(&self) -> usize {
        self.count * BLOCK_HEADER + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPUS: u8 = 111;

    fn payload(number: u16) -> Bytes {
        Bytes::from(vec![number as u8; 1 + usize::from(number % 90)])
    }

    /// Packets that are played of `count` with `copies` blocks of redundancy each, where those that `lost` names do not
    /// come.
    fn heard(count: u16, copies: usize, lost: impl Fn(u16) -> bool) -> Vec<RedBlock> {
        let (mut encoder, mut decoder) = (RedundancyEncoder::new(), RedundancyDecoder::default());
        let mut heard = Vec::new();
        for number in 0..count {
            let (sequence, timestamp) = (number.wrapping_add(65_530), u32::from(number) * 960);
            let wrapped = encoder.wrap(timestamp, OPUS, &payload(number), copies);
            let payload_type = if wrapped.is_some() { RED_PAYLOAD_TYPE } else { OPUS };
            if !lost(number) {
                let payload = wrapped.unwrap_or_else(|| payload(number));
                decoder.take(payload_type, sequence, timestamp, payload, |block| heard.push(block));
            }
        }
        heard
    }

    fn numbers(blocks: &[RedBlock]) -> Vec<u16> {
        blocks.iter().map(|block| block.sequence.wrapping_sub(65_530)).collect()
    }

    #[test]
    fn runs_of_losses_are_repaired() {
        let all: Vec<u16> = (0..100).collect();
        assert_eq!(numbers(&heard(100, 0, |_| false)), all);
        let repaired = heard(100, 1, |number| number % 7 == 3);
        assert_eq!(numbers(&repaired), all);
        assert!(repaired.iter().all(|block| block.copy == (numbers(std::slice::from_ref(block))[0] % 7 == 3)));
        for block in &repaired {
            let number = block.sequence.wrapping_sub(65_530);
            assert_eq!((block.timestamp, &block.payload), (u32::from(number) * 960, &payload(number)));
        }
        let mut repaired = numbers(&heard(100, 2, |number| (3..6).contains(&(number % 9))));
        repaired.sort_unstable();
        assert_eq!(repaired, all, "runs of three");
        let (one_copy, lost) = (numbers(&heard(100, 1, |number| number == 20 || number == 21)), 20);
        assert!(!one_copy.contains(&lost) && one_copy.contains(&21));
    }

    #[test]
    fn nothing_is_repeated_across_a_pause_or_beyond_a_packet() {
        let mut encoder = RedundancyEncoder::new();
        assert_eq!(encoder.wrap(0, OPUS, &payload(1), 2), None, "there is nothing before the first packet");
        assert!(encoder.wrap(960, OPUS, &payload(2), 2).is_some());
        assert_eq!(encoder.wrap(48_000, OPUS, &payload(3), 2), None);
        assert_eq!(encoder.wrap(48_960, OPUS, &Bytes::from(vec![0; 1149]), 1), None);
    }

    #[test]
    fn each_packet_comes_out_once_though_the_network_repeats_or_swaps_it() {
        let mut decoder = RedundancyDecoder::default();
        let mut heard = Vec::new();
        for sequence in [10, 12, 11, 11, 12, 13, 40_000, 40_000, 40_001] {
            decoder.take(OPUS, sequence, 0, payload(7), |block| heard.push(block.sequence));
        }
        assert_eq!(heard, [10, 12, 11, 13, 40_000, 40_001]);
    }

    #[test]
    fn copies_follow_the_loss_at_once_and_leave_slowly_and_never_crowd_a_thin_path() {
        let mut wanted = CopiesWanted::default();
        let mut at =
            |loss, kbps: u64, seconds: u64| wanted.at(loss, kbps * 1000, MediaTime::from_millis(seconds * 1000));
        assert_eq!([at(0.0, 1000, 1), at(0.02, 1000, 2), at(0.1, 1000, 3)], [0, 1, 2]);
        assert_eq!([at(0.02, 1000, 12), at(0.02, 1000, 14), at(0.0, 1000, 30)], [2, 1, 0]);
        assert_eq!(at(0.2, 150, 31), 0);
    }

    proptest! {
        #[test]
        fn any_payload_is_taken_apart_or_dropped(payload in prop::collection::vec(any::<u8>(), 0..60), sequence: u16) {
            let mut decoder = RedundancyDecoder::default();
            let length = payload.len();
            let mut total = 0;
            decoder.take(OPUS, sequence.wrapping_sub(9), 0, Bytes::from_static(&[1]), |_| {});
            decoder.take(RED_PAYLOAD_TYPE, sequence, 0, payload.into(), |block| total += block.payload.len());
            prop_assert!(total <= length);
        }
    }
}
