//! FEC blocks: from RTP payloads to repair payloads, and back to payloads that were lost.
//!
//! ```text
//! repair payload:  first sequence number (2 bytes) | sources | repairs | number of this repair | one piece
//! piece of a source:  marker (1 bit), length (15 bits) | RTP payload | zeros up to the longest
//! ```
//!
//! All sources of a block have the RTP timestamp of its repairs, so a frame, or a part of one, is a block. A repair
//! protects the payload and the marker; the rest of the header follows from the stream.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::erasure::{self, MAX_PIECES};

/// Sources of a block at most; a large frame is several blocks.
pub(super) const MAX_SOURCES: usize = 48;
/// Losses of a block that are recovered at most: more is the work of a hostile far side.
const MAX_MISSING: usize = 24;
/// Bytes before the piece.
const HEADER: usize = 5;
/// Bytes before the payload in a piece.
const LENGTH: usize = 2;
const MARKER: u16 = 0x8000;
/// Packets that are remembered, a power of two: more than a keyframe and the sound beside it.
const REMEMBERED: usize = 512;
/// Blocks whose repairs wait for more.
const MAX_BLOCKS: usize = 16;

/// Protected part of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Bytes,
}

impl Source {
    /// The head of its piece; `None` where the payload is longer than a piece can tell.
    fn head(&self) -> Option<[u8; LENGTH]> {
        let length = u16::try_from(self.payload.len()).ok().filter(|length| length & MARKER == 0)?;
        Some((length | if self.marker { MARKER } else { 0 }).to_be_bytes())
    }

    fn add_to(&self, piece: &mut [u8], repair: u8, number: u8) -> Option<()> {
        let head = self.head()?;
        let (start, rest) = piece.split_at_mut_checked(LENGTH)?;
        erasure::add_source(start, repair, number, &head);
        erasure::add_source(rest, repair, number, &self.payload);
        Some(())
    }
}

/// The payloads of `count` repairs for `sources`, which follow each other.
pub(super) fn repairs(sources: &[Source], count: usize) -> Vec<Bytes> {
    let Some(first) = sources.first() else { return Vec::new() };
    let count = count.min(MAX_PIECES - MAX_SOURCES);
    let piece = LENGTH + sources.iter().map(|source| source.payload.len()).max().unwrap_or(0);
    let mut memory = BytesMut::with_capacity(count * (HEADER + piece));
    (0..count)
        .filter_map(|repair| {
            memory.put_u16(first.sequence);
            memory.put_slice(&[sources.len() as u8, count as u8, repair as u8]);
            memory.put_bytes(0, piece);
            let mut payload = memory.split();
            for (number, source) in sources.iter().enumerate() {
                source.add_to(&mut payload[HEADER..], repair as u8, number as u8)?;
            }
            Some(payload.freeze())
        })
        .collect()
}

/// The sequence number behind the packets that a repair protects, and whether it is the last repair of them; `None` for
/// a packet that is no repair.
pub(in crate::rtc) fn repaired_by(payload: &[u8]) -> Option<(u16, bool)> {
    let &[high, low, sources, repairs, number] = payload.first_chunk::<HEADER>()?;
    let end = u16::from_be_bytes([high, low]).wrapping_add(u16::from(sources));
    (usize::from(sources) <= MAX_SOURCES && number < repairs).then(|| (end, number + 1 == repairs))
}

/// Remembers the packets that came, and recovers the others.
#[derive(Debug)]
pub(super) struct Recovery {
    /// By sequence number, modulo their count.
    sources: Box<[Option<Source>]>,
    blocks: VecDeque<FecBlock>,
}

/// A block with losses, and the repairs of it that have come.
#[derive(Debug)]
struct FecBlock {
    first: u16,
    sources: u8,
    timestamp: u32,
    piece: usize,
    repairs: Vec<(u8, Bytes)>,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { sources: vec![None; REMEMBERED].into(), blocks: VecDeque::with_capacity(MAX_BLOCKS) }
    }
}

impl Recovery {
    /// Takes a packet that came. Returns the packets that can be recovered now.
    pub(super) fn source(&mut self, source: Source) -> Vec<Source> {
        let (sequence, timestamp) = (source.sequence, source.timestamp);
        self.remember(source);
        let waiting = self.blocks.iter().position(|block| {
            block.timestamp == timestamp && sequence.wrapping_sub(block.first) < u16::from(block.sources)
        });
        waiting.map_or_else(Vec::new, |block| self.work_out(block))
    }

    /// Takes the payload of a repair that came. Returns the packets that can be recovered now; none for one that is no
    /// repair.
    pub(super) fn repair(&mut self, timestamp: u32, payload: &Bytes) -> Vec<Source> {
        let Some((&[high, low, sources, repairs, number], piece)) = payload.split_first_chunk::<HEADER>() else {
            return Vec::new();
        };
        let first = u16::from_be_bytes([high, low]);
        let fits = usize::from(sources) <= MAX_SOURCES && usize::from(repairs) <= MAX_PIECES - MAX_SOURCES;
        if sources == 0 || number >= repairs || piece.len() < LENGTH || !fits {
            return Vec::new();
        }
        let same = |block: &FecBlock| (block.first, block.sources, block.timestamp) == (first, sources, timestamp);
        let index = match self.blocks.iter().position(same) {
            Some(index) => index,
            None => {
                if self.blocks.len() == MAX_BLOCKS {
                    self.blocks.pop_front();
                }
                self.blocks.push_back(FecBlock { first, sources, timestamp, piece: piece.len(), repairs: Vec::new() });
                self.blocks.len() - 1
            }
        };
        let block = &mut self.blocks[index];
        if block.piece != piece.len() || block.repairs.iter().any(|(one, _)| *one == number) {
            return Vec::new();
        }
        block.repairs.push((number, payload.slice(HEADER..)));
        self.work_out(index)
    }

    fn remember(&mut self, source: Source) {
        let slot = usize::from(source.sequence) % REMEMBERED;
        self.sources[slot] = Some(source);
    }

    fn known(&self, sequence: u16, timestamp: u32) -> Option<&Source> {
        let known = self.sources[usize::from(sequence) % REMEMBERED].as_ref()?;
        (known.sequence == sequence && known.timestamp == timestamp).then_some(known)
    }

    /// Recovers the missing packets of a block, once as many repairs have come, and forgets it.
    fn work_out(&mut self, index: usize) -> Vec<Source> {
        let Some(block) = self.blocks.get(index) else { return Vec::new() };
        let sequence = |number: u8| block.first.wrapping_add(u16::from(number));
        let missing: Vec<u8> =
            (0..block.sources).filter(|&number| self.known(sequence(number), block.timestamp).is_none()).collect();
        if missing.len() > block.repairs.len() {
            return Vec::new();
        }
        let solved = if missing.len() <= MAX_MISSING { self.solve(block, &missing) } else { Vec::new() };
        self.blocks.remove(index);
        for source in &solved {
            self.remember(source.clone());
        }
        solved
    }

    fn solve(&self, block: &FecBlock, missing: &[u8]) -> Vec<Source> {
        let mut pieces: Vec<(u8, Vec<u8>)> =
            block.repairs.iter().take(missing.len()).map(|(number, piece)| (*number, piece.to_vec())).collect();
        for (repair, piece) in &mut pieces {
            for number in (0..block.sources).filter(|number| !missing.contains(number)) {
                let sequence = block.first.wrapping_add(u16::from(number));
                let Some(known) = self.known(sequence, block.timestamp) else { return Vec::new() };
                if known.add_to(piece, *repair, number).is_none() {
                    return Vec::new();
                }
            }
        }
        erasure::solve(missing, &mut pieces);
        let source = |(&number, (_, piece)): (&u8, (u8, Vec<u8>))| {
            let (&head, _) = piece.split_first_chunk::<LENGTH>()?;
            let head = u16::from_be_bytes(head);
            let length = usize::from(head & !MARKER);
            let payload =
                (LENGTH + length <= piece.len()).then(|| Bytes::from(piece).slice(LENGTH..LENGTH + length))?;
            let sequence = block.first.wrapping_add(u16::from(number));
            Some(Source { sequence, timestamp: block.timestamp, marker: head & MARKER != 0, payload })
        };
        missing.iter().zip(pieces).filter_map(source).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u16, lengths: &[usize]) -> Vec<Source> {
        lengths
            .iter()
            .enumerate()
            .map(|(n, &length)| Source {
                sequence: first.wrapping_add(n as u16),
                timestamp: 9000,
                marker: n + 1 == lengths.len(),
                payload: vec![n as u8 + 1; length].into(),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_lost_is_worked_out_whatever_comes_first(
            lengths in prop::collection::vec(1..1150_usize, 1..=MAX_SOURCES),
            first in any::<u16>(), count in 1..10_usize, seed in any::<u64>(),
        ) {
            let sources = frame(first, &lengths);
            let mut random = fastrand::Rng::with_seed(seed);
            let lost = random.usize(0..=count.min(lengths.len()));
            let lost = random.choose_multiple(0..lengths.len(), lost);
            enum Came { Source(Source), Repair(Bytes) }
            let kept = sources.iter().enumerate().filter(|(n, _)| !lost.contains(n));
            let mut came: Vec<Came> = kept.map(|(_, source)| Came::Source(source.clone())).collect();
            came.extend(repairs(&sources, count).into_iter().map(Came::Repair));
            random.shuffle(&mut came);
            let mut recovery = Recovery::default();
            let mut recovered: Vec<Source> = came
                .into_iter()
                .flat_map(|one| match one {
                    Came::Source(source) => recovery.source(source),
                    Came::Repair(repair) => recovery.repair(9000, &repair),
                })
                .collect();
            recovered.sort_by_key(|source| source.sequence.wrapping_sub(first));
            let expected: Vec<Source> =
                sources.iter().enumerate().filter(|(n, _)| lost.contains(n)).map(|(_, source)| source.clone()).collect();
            // A repair that comes early may work out what itself comes later.
            prop_assert!(expected.iter().all(|source| recovered.contains(source)));
            prop_assert!(recovered.iter().all(|source| sources.contains(source)));
            prop_assert!(recovery.blocks.len() <= 1);
        }

        #[test]
        fn whatever_comes_as_a_repair_little_is_remembered(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60),
        ) {
            let mut recovery = Recovery::default();
            for source in frame(0, &[10; 48]) {
                recovery.source(source);
            }
            for payload in payloads {
                recovery.repair(9000, &payload.into());
            }
            prop_assert!(recovery.blocks.len() <= MAX_BLOCKS);
        }
    }

    #[test]
    fn more_losses_than_repairs_wait_for_a_retransmission() {
        let sources = frame(65_534, &[100, 200, 300, 50]);
        let mut recovery = Recovery::default();
        recovery.source(sources[0].clone());
        recovery.source(sources[2].clone());
        assert!(recovery.repair(9000, &repairs(&sources, 1)[0]).is_empty());
        assert_eq!(recovery.source(sources[3].clone()), [sources[1].clone()]);
    }
}
