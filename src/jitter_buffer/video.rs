//! The video jitter buffer: from RTP packets to whole access units.
//!
//! ```text
//! RTP (repairs already put back under their own sequence number) -> [here] -> access units -> decoder
//! ```
//!
//! Owned by the tokio task of one remote video stream. A frame leaves as soon as its marker bit and everything before
//! it is here; it never waits for the next frame. When packets are missing it waits for their retransmission for a time
//! that follows the RTT, then gives the frame up, says that it needs a keyframe, and goes on at the next one: a
//! picture without its reference would be broken. Pictures that no other refers to are not waited for once the next one
//! is here. Time is an argument; memory is bounded by packets and by bytes.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::codec::{ReferenceChain, VideoCodec};
use crate::media::{MediaTime, ReceivedPicture, first_unwrapped, unwrap_sequence};

/// Packets kept at most: several keyframes at the highest bit rate.
const MAX_PACKETS: u64 = 2048;
/// Payload bytes kept at most, and so the greatest access unit.
const MAX_BYTES: usize = 4 << 20;
/// Least and greatest wait for a retransmission. On a local network there is time for several requests; beyond the
/// greatest one a new keyframe is sooner than a repair of a repair.
const MIN_WAIT: Duration = Duration::from_millis(100);
const MAX_WAIT: Duration = Duration::from_millis(600);
/// Requests and answers that there is time for, and the time that each takes beyond the RTT.
const ATTEMPTS: u32 = 4;
const ATTEMPT_MARGIN: Duration = Duration::from_millis(15);
/// The wait before the RTT is known.
const UNKNOWN_WAIT: Duration = Duration::from_millis(250);
/// Packets that may have been sent before the first one that arrives: the network reorders.
const MAX_OVERTAKEN: u64 = 32;
/// So many late packets in a row mean that the sender counts anew.
const LATE_BEFORE_RESTART: u32 = 100;

/// One RTP packet as the jitter buffer takes it.
#[derive(Clone, Debug)]
pub struct VideoPacket {
    /// Codec of the payload, by the RTP payload type.
    pub codec: VideoCodec,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, in units of the codec's clock rate.
    pub timestamp: u32,
    /// True on the last packet of an access unit.
    pub marker: bool,
    /// RTP payload, in the codec's payload format.
    pub payload: Bytes,
}

#[derive(Debug)]
struct Stored {
    codec: VideoCodec,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
    arrived_at: MediaTime,
}

/// How long to wait for a retransmission when the RTT is `round_trip` (zero: not known yet): time for four requests and
/// their answers, between 100 and 600 ms.
pub fn repair_wait(round_trip: Duration) -> Duration {
    if round_trip.is_zero() {
        UNKNOWN_WAIT
    } else {
        ((round_trip + ATTEMPT_MARGIN) * ATTEMPTS).clamp(MIN_WAIT, MAX_WAIT)
    }
}

/// Puts the packets of one video stream together.
#[derive(Debug)]
pub struct VideoJitterBuffer {
    /// Packets from `base` on; `None` is missing.
    packets: VecDeque<Option<Stored>>,
    /// Sequence number of the first slot, counted without wrapping.
    base: u64,
    /// Highest sequence number seen, counted without wrapping; `None` before the first packet.
    highest: Option<u64>,
    /// Sequence number of the latest packet that starts a keyframe.
    keyframe_at: Option<u64>,
    /// How many slots from `base` on are known to be one unfinished access unit without a gap.
    scanned: usize,
    bytes: usize,
    /// Packets before this one are not counted as lost: they may never have been sent.
    counted_from: u64,
    /// True until a keyframe starts: before the first one, and after a loss.
    awaiting_keyframe: bool,
    /// Reference pictures that have left.
    references: ReferenceChain,
    /// The missing packet that is waited for, and since when.
    gap: Option<(u64, MediaTime)>,
    /// `poll` found that nothing but a keyframe helps.
    keyframe_needed: bool,
    late_in_a_row: u32,
    wait: Duration,
    lost: u64,
    assembly: BytesMut,
}

impl Stored {
    fn starts_keyframe(&self) -> bool {
        self.codec.starts_keyframe(&self.payload)
    }

    /// True for a packet that no picture needs but its own: one of the highest temporal layer, or padding.
    fn is_discardable(&self) -> bool {
        self.payload.is_empty() || self.codec.is_discardable(&self.payload)
    }
}

impl Default for VideoJitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl VideoJitterBuffer {
    /// An empty buffer that starts at the first keyframe.
    pub fn new() -> Self {
        Self {
            packets: VecDeque::new(),
            base: 0,
            highest: None,
            counted_from: 0,
            keyframe_at: None,
            scanned: 0,
            bytes: 0,
            awaiting_keyframe: true,
            references: ReferenceChain::default(),
            gap: None,
            keyframe_needed: false,
            late_in_a_row: 0,
            wait: UNKNOWN_WAIT,
            lost: 0,
            assembly: BytesMut::new(),
        }
    }

    /// Sets the wait for retransmissions from the RTT; zero while that is not known.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.wait = repair_wait(round_trip);
    }

    /// Packets given up for good since the start.
    pub fn packets_lost(&self) -> u64 {
        self.lost
    }

    /// Drops all packets and goes on at the next keyframe: the decoder has lost its reference.
    pub fn restart_at_keyframe(&mut self) {
        self.awaiting_keyframe = true;
        self.references = ReferenceChain::default();
        self.scanned = 0;
        self.gap = None;
    }

    /// Takes one packet in. Call `poll` until it gives nothing afterwards.
    pub fn insert(&mut self, packet: VideoPacket, now: MediaTime) {
        let Some(index) = self.slot_for(packet.sequence) else { return };
        while self.packets.len() <= index {
            self.packets.push_back(None);
        }
        let Some(slot) = self.packets.get_mut(index) else { return };
        if slot.is_some() {
            return;
        }
        self.bytes += packet.payload.len();
        let VideoPacket { codec, timestamp, marker, payload, .. } = packet;
        let stored = Stored { codec, timestamp, marker, payload, arrived_at: now };
        self.keyframe_at = self.keyframe_at.max(stored.starts_keyframe().then_some(self.base + index as u64));
        *slot = Some(stored);
        if self.bytes > MAX_BYTES {
            let next = self.highest.map_or(0, |highest| highest + 1);
            self.start_anew(next);
        }
    }

    /// The next whole access unit in decoding order, if there is one now.
    pub fn poll(&mut self, now: MediaTime) -> Option<ReceivedPicture> {
        self.keyframe_needed = false;
        loop {
            if self.awaiting_keyframe {
                match self.find_keyframe(now) {
                    Search::Found => {}
                    Search::Overtaken => return None,
                    Search::Nothing => {
                        // Of a stream that has not begun nothing is needed.
                        self.keyframe_needed = self.highest.is_some();
                        return None;
                    }
                }
            }
            match self.scan() {
                Scan::Complete(count) => match self.assemble(count) {
                    Some(picture) => return Some(picture),
                    None => self.restart_at_keyframe(),
                },
                Scan::Padding => {
                    self.pop();
                }
                Scan::Waiting => {
                    self.gap = None;
                    return None;
                }
                Scan::Gap(index) => {
                    if self.skip_to_keyframe(index) || self.skip_discardable(index) {
                        continue;
                    }
                    if !self.start_or_check_wait(index, now) {
                        return None;
                    }
                    self.give_up(index);
                }
            }
        }
    }

    /// True when the last `poll` found that decoding cannot go on without a keyframe.
    pub fn needs_keyframe(&self) -> bool {
        self.keyframe_needed
    }

    /// When `poll` should be called even if no packet comes.
    pub fn deadline(&self) -> Option<MediaTime> {
        self.gap.map(|(_, since)| since + self.wait)
    }

    /// The slot of a sequence number; `None` when it is too late or the packet cannot be kept.
    fn slot_for(&mut self, sequence: u16) -> Option<usize> {
        let Some(highest) = self.highest else {
            let first = first_unwrapped(sequence);
            self.highest = Some(first);
            self.base = first - MAX_OVERTAKEN;
            self.counted_from = first;
            return Some(MAX_OVERTAKEN as usize);
        };
        let extended = unwrap_sequence(highest, sequence);
        if extended < self.base {
            self.late_in_a_row += 1;
            if self.late_in_a_row < LATE_BEFORE_RESTART {
                return None;
            }
            self.start_anew(extended);
        }
        self.late_in_a_row = 0;
        if extended - self.base >= MAX_PACKETS {
            self.start_anew(extended);
        }
        self.highest = Some(self.highest.map_or(extended, |highest| highest.max(extended)));
        Some((extended - self.base) as usize)
    }

    fn start_anew(&mut self, base: u64) {
        self.packets.clear();
        self.bytes = 0;
        self.base = base;
        self.counted_from = base;
        self.highest = Some(base);
        self.late_in_a_row = 0;
        self.keyframe_at = None;
        self.restart_at_keyframe();
    }

    /// Looks at the access unit at `base`.
    fn scan(&mut self) -> Scan {
        let Some(first) = self.packets.front() else { return Scan::Waiting };
        let Some(first) = first else { return Scan::Gap(0) };
        if first.payload.is_empty() {
            return Scan::Padding;
        }
        let timestamp = first.timestamp;
        loop {
            match self.packets.get(self.scanned) {
                None => return Scan::Waiting,
                Some(None) => return Scan::Gap(self.scanned),
                Some(Some(packet)) if packet.timestamp != timestamp => return Scan::Complete(self.scanned),
                Some(Some(packet)) if packet.marker => return Scan::Complete(self.scanned + 1),
                Some(Some(_)) => self.scanned += 1,
            }
        }
    }

    /// Takes `count` packets out and makes an access unit of them; `None` when they are malformed.
    fn assemble(&mut self, count: usize) -> Option<ReceivedPicture> {
        let packets = || self.packets.iter().take(count).flatten();
        let &Stored { codec, timestamp: rtp_timestamp, .. } = packets().next()?;
        let arrived_at = packets().map(|packet| packet.arrived_at).max().unwrap_or_default();
        self.assembly.clear();
        self.assembly.reserve(packets().map(|packet| packet.payload.len() + 4).sum());
        let mut payloads = packets().map(|packet| &packet.payload[..]);
        let keyframe = codec.depacketize(&mut payloads, &mut self.assembly);
        (0..count).for_each(|_| drop(self.pop()));
        let (keyframe, data) = (keyframe.ok()?, self.assembly.split().freeze());
        codec.note_references(&mut self.references, &data);
        Some(ReceivedPicture { codec, data, keyframe, arrived_at, rtp_timestamp, capture_ntp: None })
    }

    fn pop(&mut self) -> Option<Stored> {
        let slot = self.packets.pop_front()?;
        if slot.is_none() && self.base >= self.counted_from {
            self.lost += 1;
        }
        self.base += 1;
        self.scanned = 0;
        self.gap = None;
        if let Some(packet) = &slot {
            self.bytes -= packet.payload.len();
        }
        slot
    }

    /// Gives up everything through the gap at `index`, and waits for a keyframe.
    fn give_up(&mut self, index: usize) {
        for _ in 0..index {
            self.pop();
        }
        self.pop_gap();
        self.restart_at_keyframe();
    }

    /// True when the packet missing at `index` has been waited for long enough; starts waiting otherwise.
    fn start_or_check_wait(&mut self, index: usize, now: MediaTime) -> bool {
        let missing = self.base + index as u64;
        let since = match self.gap {
            Some((sequence, since)) if sequence == missing => since,
            _ => now,
        };
        self.gap = Some((missing, since));
        now.since(since) >= self.wait
    }

    /// Goes on at a keyframe behind the gap at `gap` if a whole one is here: nothing before it is of use.
    fn skip_to_keyframe(&mut self, gap: usize) -> bool {
        let Some(at) = self.keyframe_at.and_then(|at| at.checked_sub(self.base)).map(|at| at as usize) else {
            return false;
        };
        self.skip_to(at, gap)
    }

    /// Goes on at a whole picture behind the gap at `gap` where everything before it, here or missing, is of pictures
    /// that no other refers to.
    fn skip_discardable(&mut self, gap: usize) -> bool {
        let mut missing = 0;
        for at in 0..self.packets.len() {
            match &self.packets[at] {
                None => missing += 1,
                Some(packet) if at > gap && packet.codec.follows(&self.references, &packet.payload) => {
                    return self.references.can_lack(missing) && self.skip_to(at, gap);
                }
                Some(packet) if !packet.is_discardable() => return false,
                Some(_) => {}
            }
        }
        false
    }

    /// Drops everything before the packet at `at`, behind the gap, if a whole picture is there.
    fn skip_to(&mut self, at: usize, gap: usize) -> bool {
        let mut rest = self.packets.iter().skip(at).take_while(|slot| slot.is_some()).flatten();
        let whole = at > gap && rest.any(|packet| packet.marker);
        if whole {
            (0..at).for_each(|_| drop(self.pop()));
        }
        whole
    }

    fn pop_gap(&mut self) {
        while matches!(self.packets.front(), Some(None)) {
            self.pop();
        }
    }

    /// Drops packets before the first one that starts a keyframe. A packet missing at the front may be that one, on its
    /// way again or overtaken: it is waited for, unless a keyframe starts later.
    fn find_keyframe(&mut self, now: MediaTime) -> Search {
        let starts = |slot: &Option<Stored>| slot.as_ref().is_some_and(Stored::starts_keyframe);
        if let Some(index) = self.packets.iter().position(starts) {
            for _ in 0..index {
                self.pop();
            }
            self.awaiting_keyframe = false;
            self.gap = None;
            return Search::Found;
        }
        while let Some(front) = self.packets.front() {
            if front.is_some() {
                self.pop();
            } else if self.start_or_check_wait(0, now) {
                self.pop_gap();
            } else if self.base < self.counted_from {
                return Search::Overtaken;
            } else {
                return Search::Nothing;
            }
        }
        Search::Nothing
    }
}

/// State of waiting for a keyframe.
enum Search {
    /// One starts at the front.
    Found,
    /// The stream has only just begun: its first packets may have been overtaken by those that are here.
    Overtaken,
    /// None is here.
    Nothing,
}

enum Scan {
    /// So many slots from the front on are a whole access unit.
    Complete(usize),
    /// The front packet is padding.
    Padding,
    /// More packets have to come.
    Waiting,
    /// The slot at this index is missing, and later ones are here.
    Gap(usize),
}

#[cfg(test)]
mod tests;
