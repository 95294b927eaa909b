//! Header of a WAV file: the chunks of RIFF, RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088) and of RIFX.
//!
//! A file is somebody else's data, and its sizes are often wrong: recorders that were killed leave 0, programs that
//! write into a pipe the largest number, downloads end early. The sound ends where the file does.

use std::io::{Read, Seek, SeekFrom};

use super::sample::Coding;
use crate::device::DeviceReason;

/// Chunks that are looked at before the sound.
const MAX_CHUNKS: usize = 4096;
/// Bytes of a format chunk that mean something.
const FORMAT_LENGTH: usize = 40;

/// Contents of the header, as far as the file bears them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: Format,
    /// Where the sound begins, in bytes from the start of the file.
    pub(super) start: u64,
    /// Bytes of sound; the largest number where it goes on to the end of the file.
    pub(super) length: u64,
}

/// How the samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) coding: Coding,
    pub(super) channels: u16,
    /// Samples a second.
    pub(super) rate: u32,
    /// Bytes of one sample of one channel.
    pub(super) width: usize,
    /// The channels' positions, where the file says them.
    pub(super) mask: Option<u32>,
    pub(super) order: Order,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    fn number(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, add),
            Self::Big => bytes.iter().fold(0, add),
        }
    }
}

#[derive(Clone, Copy)]
struct Chunk {
    id: [u8; 4],
    size: u64,
    /// Where its content begins.
    start: u64,
}

/// The file while its chunks are looked at.
struct Chunks<'a, R> {
    input: &'a mut R,
    order: Order,
    /// Where the file ends.
    end: u64,
    /// Where the next chunk begins.
    next: u64,
}

/// Reads the header; `input` is left anywhere.
pub(super) fn read(input: &mut (impl Read + Seek)) -> Result<Header, DeviceReason> {
    let mut chunks = Chunks::open(input)?;
    let (mut format, mut data, mut long_length) = (None, None, None);
    for _ in 0..MAX_CHUNKS {
        let Some(chunk) = chunks.next()? else { break };
        match &chunk.id {
            b"fmt " if format.is_none() => format = Some(Format::of(&chunks.content(chunk)?, chunks.order)?),
            b"ds64" => long_length = chunks.content(chunk)?.get(8..16).map(|bytes| chunks.order.number(bytes)),
            b"data" if data.is_none() => data = Some(chunk),
            _ => {}
        }
        if let (Some(format), Some(data)) = (format, data) {
            let length = chunks.length_of(data, long_length)?;
            return Ok(Header { format, start: data.start, length });
        }
    }
    Err(if data.is_some() { DeviceReason::DamagedHeader } else { DeviceReason::NoSound })
}

impl<'a, R: Read + Seek> Chunks<'a, R> {
    fn open(input: &'a mut R) -> Result<Self, DeviceReason> {
        let end = input.seek(SeekFrom::End(0)).map_err(|error| DeviceReason::of_file(&error))?;
        let mut chunks = Self { input, order: Order::Little, end, next: 12 };
        let head = chunks.bytes(0, 12)?;
        if end == 0 {
            return Err(DeviceReason::NoSound);
        }
        chunks.order = match head.get(..4) {
            Some(b"RIFF" | b"RF64" | b"BW64") => Order::Little,
            Some(b"RIFX") => Order::Big,
            _ => return Err(DeviceReason::NotAWav),
        };
        if head.get(8..) != Some(b"WAVE") { Err(DeviceReason::NotAWav) } else { Ok(chunks) }
    }

    /// The bytes from `at` on, fewer where the file ends.
    fn bytes(&mut self, at: u64, length: usize) -> Result<Vec<u8>, DeviceReason> {
        let mut bytes = Vec::with_capacity(length);
        let read = self.input.seek(SeekFrom::Start(at)).and_then(|_| {
            let mut part = Read::take(&mut *self.input, length as u64);
            part.read_to_end(&mut bytes)
        });
        read.map(|_| bytes).map_err(|error| DeviceReason::of_file(&error))
    }

    fn content(&mut self, chunk: Chunk) -> Result<Vec<u8>, DeviceReason> {
        self.bytes(chunk.start, chunk.size.min(FORMAT_LENGTH as u64) as usize)
    }

    /// The next chunk; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<Chunk>, DeviceReason> {
        let head = self.bytes(self.next, 8)?;
        let (Some(id), Some(size)) = (head.first_chunk(), head.get(4..8)) else { return Ok(None) };
        let chunk = Chunk { id: *id, size: self.order.number(size), start: self.next + 8 };
        self.next = self.after(chunk)?;
        Ok(Some(chunk))
    }

    /// Where the chunk after `chunk` begins: a chunk of odd length is followed by a byte that is not counted. Some
    /// writers forget that one; a byte that is not 0 and begins a name is none.
    fn after(&mut self, chunk: Chunk) -> Result<u64, DeviceReason> {
        let end = chunk.start.saturating_add(chunk.size);
        if chunk.size.is_multiple_of(2) || end >= self.end {
            return Ok(end);
        }
        let next = self.bytes(end, 4)?;
        Ok(if is_name(&next) { end } else { end + 1 })
    }

    /// Bytes of sound in `data`, whose size in a 64-bit file `long_length` says.
    fn length_of(&mut self, data: Chunk, long_length: Option<u64>) -> Result<u64, DeviceReason> {
        let there = self.end.saturating_sub(data.start);
        let says = match long_length {
            Some(length) if data.size == u64::from(u32::MAX) => length,
            _ => data.size,
        };
        match says {
            0 if there == 0 || self.only_chunks_from(data.start)? => Err(DeviceReason::NoSound),
            length if length == 0 || length > there => Ok(u64::MAX),
            length => Ok(length),
        }
    }

    /// Whether the rest of the file is chunks, to its very end: then a size of 0 before them is true.
    fn only_chunks_from(&mut self, start: u64) -> Result<bool, DeviceReason> {
        self.next = start;
        for _ in 0..MAX_CHUNKS {
            if self.next >= self.end {
                return Ok(true);
            }
            match self.next()? {
                Some(chunk) if is_name(&chunk.id) && chunk.start + chunk.size <= self.end => {}
                _ => return Ok(false),
            }
        }
        Ok(false)
    }
}

/// Whether these four bytes can be a chunk's name.
fn is_name(bytes: &[u8]) -> bool {
    bytes.len() == 4 && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

impl Format {
    /// Rates outside these are no sound for a call; a forged header would only cost memory and time.
    const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
    const MAX_CHANNELS: u16 = 64;
    const EXTENSIBLE: u64 = 0xfffe;

    fn of(chunk: &[u8], order: Order) -> Result<Self, DeviceReason> {
        let field = |at: usize, length| {
            chunk.get(at..at + length).map(|bytes| order.number(bytes)).ok_or(DeviceReason::DamagedHeader)
        };
        let (tag, channels, rate) = (field(0, 2)?, field(2, 2)? as u16, field(4, 4)? as u32);
        let (byte_rate, block, bits) = (field(8, 4)?, field(12, 2)?, field(14, 2)?);
        if !(1..=Self::MAX_CHANNELS).contains(&channels) {
            return Err(DeviceReason::Channels(channels));
        }
        if !Self::RATES.contains(&rate) {
            return Err(DeviceReason::SampleRate(rate));
        }
        let (tag, valid, mask) = if tag == Self::EXTENSIBLE && chunk.len() < FORMAT_LENGTH {
            // Without the part that would say more, as some writers leave it.
            (1, bits, None)
        } else if tag == Self::EXTENSIBLE {
            // The last eight bytes are those of every identifier that stands for a number of the old kind.
            let known = chunk.get(32..40) == Some(&[0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
            let tag = if known { field(24, 4)? } else { u64::MAX };
            (tag, field(18, 2)?, Some(field(20, 4)? as u32))
        } else {
            (tag, bits, None)
        };
        let width = container(bits, block, channels, u64::from(rate) * block == byte_rate);
        let coding = coding(tag, width, valid)?;
        Ok(Self { coding, channels, rate, width: width as usize, mask, order })
    }
}

/// Bytes of a sample's container, derived from a block of all channels where that is plausible.
fn container(bits: u64, block: u64, channels: u16, is_consistent: bool) -> u64 {
    let (least, channels) = (bits.div_ceil(8), u64::from(channels));
    if is_consistent && block.is_multiple_of(channels) && block / channels >= least { block / channels } else { least }
}

fn coding(tag: u64, width: u64, valid: u64) -> Result<Coding, DeviceReason> {
    let refused = |name: String| Err(DeviceReason::SoundFormat(name));
    let valid = if (1..=width * 8).contains(&valid) { valid } else { width * 8 };
    match (tag, width) {
        (1, 1..=4) => Ok(Coding::Integer { valid: valid as u32 }),
        (3, 4 | 8) => Ok(Coding::Float),
        (6, 1) => Ok(Coding::ALaw),
        (7, 1) => Ok(Coding::MuLaw),
        (1, _) => refused(format!("integers of {valid} bits")),
        (3, _) => refused(format!("floating point of {valid} bits")),
        _ => refused(name_of(tag)),
    }
}

/// The common name of a coding that is not played.
fn name_of(tag: u64) -> String {
    let name = match tag {
        2 => "Microsoft ADPCM",
        0x11 => "IMA ADPCM",
        0x31 => "GSM 6.10",
        0x40 | 0x45 | 0x64 => "G.726 ADPCM",
        0x50 => "MPEG audio",
        0x55 => "MP3",
        0x160..=0x163 => "Windows Media Audio",
        0xff | 0x1600..=0x1610 => "AAC",
        0x2000 => "AC-3",
        0x674f..=0x6771 => "Vorbis",
        0x704f => "Opus",
        0xf1ac => "FLAC",
        0..=0xffff => return format!("format 0x{tag:04x}"),
        _ => "an unknown format",
    };
    name.to_owned()
}
