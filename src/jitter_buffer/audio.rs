//! The audio jitter buffer of one participant: packets go in as the network delivers them, and come out in order, one each
//! time that the playout needs sound.
//!
//! Sits between the network's tasks (`push`) and the playout thread (`pull`). Pure: no clock and no thread; time is an
//! argument. It holds at most 500 ms.
//!
//! ```text
//!           depth reaches the target              nothing held for 200 ms
//! Waiting --------------------------> Playing ---------------------------> Waiting
//! ```
//!
//! The delay it adds follows the jitter it sees. An empty buffer stretches time (20 ms are made up, the packet that comes
//! late is still played); a buffer that held more than it needed for a second skips a frame, in silence if there is any.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::{EncodedAudio, FRAME_SAMPLES, MediaTime, SAMPLE_RATE};

const FRAME: u32 = FRAME_SAMPLES as u32;

/// What to play next.
#[derive(Clone, Debug)]
pub enum Pull {
    /// Decode and play this packet.
    Packet(EncodedAudio),
    /// Decode this packet but leave its sound out, blending it into what comes next; then pull again.
    Skip(EncodedAudio),
    /// A packet is lost; this is the one after it, whose forward error correction may restore it.
    Recover(Bytes),
    /// A packet is lost or late: make something up.
    Conceal,
    /// Nothing is sent, or the buffer still fills.
    Silence,
}

/// What the buffer has seen since the start of the stream, and what it does now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AudioJitterStats {
    /// Packets that were taken in.
    pub received: u64,
    /// Packets that were missing when their time came.
    pub lost: u64,
    /// Packets that came twice, or after their time.
    pub late: u64,
    /// Sound that was made up in place of sound that was sent, ms.
    pub concealed_ms: u64,
    /// Sound that is held now, ms.
    pub buffered_ms: u32,
    /// Sound that the buffer means to hold, ms.
    pub target_ms: u32,
    /// Interarrival jitter (RFC 3550 section 6.4.1), ms.
    pub jitter_ms: f32,
}

/// The buffer.
#[derive(Debug)]
pub struct AudioJitterBuffer {
    /// In order of sequence, without duplicates.
    held: VecDeque<Held>,
    held_samples: u32,
    playing: bool,
    /// The sequence number to play next, extended over wraps.
    next: Option<u64>,
    highest: u64,
    /// The sequence number that would confirm that the sender started anew.
    restart: Option<u16>,
    late_in_row: u32,
    /// Frames made up since the last packet was played.
    empty_in_row: u32,
    /// Of those: not yet known whether sound was late or the sender paused, ms.
    unbooked_ms: u64,
    /// RTP timestamp that the next packet has if the sender did not pause.
    next_timestamp: Option<u32>,
    arrivals: Arrivals,
    surplus: Surplus,
    stats: AudioJitterStats,
}

#[derive(Debug)]
struct Held {
    sequence: u64,
    samples: u32,
    arrived: MediaTime,
    packet: EncodedAudio,
}

impl Default for AudioJitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioJitterBuffer {
    /// The most that is held, in samples: 500 ms.
    const MAX_SAMPLES: u32 = SAMPLE_RATE / 2;
    /// Longest packet that is taken in, in bytes (an Opus packet of 120 ms at its greatest).
    const MAX_BYTES: usize = 1275 * 6;
    /// A jump in sequence numbers beyond this is a sender that started anew, or a forgery.
    const MAX_JUMP: i16 = 1000;
    /// Frames that are made up in a row; a longer gap is jumped over, or waited out in silence.
    const MAX_CONCEALED: u32 = 10;
    /// Late packets in a row after which the sender must have started anew with lower numbers.
    const MAX_LATE: u32 = 10;
    /// A sender that pauses (is muted) for longer than this, in samples, leaves its timestamps to tell.
    const PAUSE: i32 = 4800;

    /// An empty buffer.
    pub fn new() -> Self {
        Self {
            held: VecDeque::with_capacity(64),
            held_samples: 0,
            playing: false,
            next: None,
            highest: 0,
            restart: None,
            late_in_row: 0,
            empty_in_row: 0,
            unbooked_ms: 0,
            next_timestamp: None,
            arrivals: Arrivals::default(),
            surplus: Surplus::default(),
            stats: AudioJitterStats::default(),
        }
    }

    /// Takes in a packet of `samples` at 48 kHz (1..=5760) that arrived at `now`. Duplicates, packets that are too late
    /// and packets that cannot be are dropped; where more than 500 ms would be held, the oldest sound is dropped.
    pub fn push(&mut self, packet: EncodedAudio, samples: u32, now: MediaTime) {
        if !(1..=5760).contains(&samples) || packet.data.len() > Self::MAX_BYTES {
            return;
        }
        let Some(sequence) = self.extend(packet.sequence) else { return };
        if self.next.is_some_and(|next| sequence < next) {
            self.stats.late += 1;
            self.late_in_row += 1;
            if self.late_in_row >= Self::MAX_LATE && !self.playing {
                self.start_anew();
            }
            return;
        }
        self.late_in_row = 0;
        let after = self.held.iter().rposition(|held| held.sequence <= sequence);
        if after.is_some_and(|index| self.held[index].sequence == sequence) {
            self.stats.late += 1;
            return;
        }
        self.highest = self.highest.max(sequence);
        self.stats.received += 1;
        self.arrivals.note(packet.rtp_timestamp, now);
        self.held_samples += samples;
        self.held.insert(after.map_or(0, |index| index + 1), Held { sequence, samples, arrived: now, packet });
        while self.held_samples > Self::MAX_SAMPLES {
            self.take_front();
        }
    }

    /// What to play now. `quiet` tells whether what was played last is so quiet that a skipped frame is not heard.
    pub fn pull(&mut self, quiet: bool, now: MediaTime) -> Pull {
        if !self.playing && !self.is_ready(now) {
            return Pull::Silence;
        }
        self.playing = true;
        let Some(front) = self.held.front() else { return self.pull_from_empty() };
        let next = self.next.unwrap_or(front.sequence);
        let missing = front.sequence - next;
        if missing > u64::from(Self::MAX_CONCEALED) {
            self.stats.lost += missing;
        } else if missing > 0 {
            return self.pull_missing(next, missing);
        }
        self.empty_in_row = 0;
        let skip = self.surplus.skip(self.held_samples, self.arrivals.target(), quiet) && self.held.len() > 1;
        match self.take_front() {
            Some(packet) if skip => Pull::Skip(packet),
            Some(packet) => Pull::Packet(packet),
            None => Pull::Silence,
        }
    }

    /// What has happened so far.
    pub fn stats(&self) -> AudioJitterStats {
        AudioJitterStats {
            buffered_ms: self.held_samples / (SAMPLE_RATE / 1000),
            target_ms: self.arrivals.target() / (SAMPLE_RATE / 1000),
            jitter_ms: (self.arrivals.jitter_micros / 1000.0) as f32,
            ..self.stats
        }
    }

    fn is_ready(&mut self, now: MediaTime) -> bool {
        let Some(front) = self.held.front() else { return false };
        let target = self.arrivals.target();
        let waited = now.since(front.arrived) >= Duration::from_micros(u64::from(target) * 1_000_000 / 48_000);
        if self.held_samples < target && !waited {
            return false;
        }
        self.empty_in_row = 0;
        self.surplus = Surplus::default();
        true
    }

    fn pull_from_empty(&mut self) -> Pull {
        self.empty_in_row += 1;
        if self.empty_in_row > Self::MAX_CONCEALED {
            self.playing = false;
            return Pull::Silence;
        }
        self.unbooked_ms += 20;
        Pull::Conceal
    }

    fn pull_missing(&mut self, next: u64, missing: u64) -> Pull {
        self.next = Some(next + 1);
        self.stats.lost += 1;
        self.stats.concealed_ms += 20;
        match self.held.front() {
            Some(following) if missing == 1 => Pull::Recover(following.packet.data.clone()),
            _ => Pull::Conceal,
        }
    }

    fn take_front(&mut self) -> Option<EncodedAudio> {
        let front = self.held.pop_front()?;
        self.held_samples -= front.samples;
        self.book(&front);
        self.next = Some(front.sequence + 1);
        self.next_timestamp = Some(front.packet.rtp_timestamp.wrapping_add(front.samples));
        Some(front.packet)
    }

    /// What was made up before `packet` stood for sound, unless the sender had paused: then no number is missing, and the
    /// timestamp has jumped.
    fn book(&mut self, packet: &Held) {
        let made_up = std::mem::take(&mut self.unbooked_ms);
        let jumped = |expected: u32| packet.packet.rtp_timestamp.wrapping_sub(expected) as i32 > Self::PAUSE;
        if self.next != Some(packet.sequence) || !self.next_timestamp.is_some_and(jumped) {
            self.stats.concealed_ms += made_up;
        }
    }

    /// The sequence number without wraps; `None` for one that cannot be (yet).
    fn extend(&mut self, sequence: u16) -> Option<u64> {
        if self.highest == 0 {
            self.highest = (1 << 32) | u64::from(sequence);
            return Some(self.highest);
        }
        let jump = sequence.wrapping_sub(self.highest as u16) as i16;
        if jump.unsigned_abs() > Self::MAX_JUMP as u16 {
            if self.restart != Some(sequence) {
                self.restart = Some(sequence.wrapping_add(1));
                return None;
            }
            self.start_anew();
            return self.extend(sequence);
        }
        self.restart = None;
        self.highest.checked_add_signed(i64::from(jump))
    }

    /// Forgets the order, as at the start of a stream; keeps counting.
    fn start_anew(&mut self) {
        *self = Self { stats: self.stats, held: std::mem::take(&mut self.held), ..Self::new() };
        self.held.clear();
    }
}

/// Measures how unevenly packets arrive.
#[derive(Debug, Default)]
struct Arrivals {
    last: Option<(u32, MediaTime)>,
    /// Arrival minus media time of the last packet, in microseconds from an arbitrary start.
    lag: i64,
    lags: VecDeque<i64>,
    jitter_micros: f64,
    target: Option<u32>,
}

impl Arrivals {
    /// Packets that are looked back at: 2.5 s of sound.
    const WINDOW: usize = 128;
    /// Packets before the measure counts.
    const ENOUGH: usize = 25;
    /// A lag that changes by more is a new clock, not jitter.
    const NEW_CLOCK: u64 = 2_000_000;
    const START_MICROS: i64 = 40_000;
    const TARGET_MICROS: std::ops::RangeInclusive<i64> = 20_000..=200_000;

    fn note(&mut self, rtp_timestamp: u32, now: MediaTime) {
        let Some((last_timestamp, last_at)) = self.last.replace((rtp_timestamp, now)) else { return };
        let media = i64::from(rtp_timestamp.wrapping_sub(last_timestamp) as i32) * 1_000_000 / i64::from(SAMPLE_RATE);
        let step = (now.as_micros() as i64).saturating_sub(last_at.as_micros() as i64).saturating_sub(media);
        if step.unsigned_abs() > Self::NEW_CLOCK {
            *self = Self { last: self.last, ..Self::default() };
            return;
        }
        self.jitter_micros += (step.unsigned_abs() as f64 - self.jitter_micros) / 16.0;
        self.lag += step;
        if self.lags.len() == Self::WINDOW {
            self.lags.pop_front();
        }
        self.lags.push_back(self.lag);
        self.target = (self.lags.len() >= Self::ENOUGH).then(|| self.measure());
    }

    /// The lag that 97 of 100 packets stay under, counted from the fastest one, and one frame.
    fn measure(&self) -> u32 {
        let mut sorted = [0_i64; Self::WINDOW];
        let sorted = &mut sorted[..self.lags.len()];
        for (slot, lag) in sorted.iter_mut().zip(&self.lags) {
            *slot = *lag;
        }
        sorted.sort_unstable();
        let high = sorted[(sorted.len() * 97).div_ceil(100) - 1];
        Self::samples(high - sorted[0] + 20_000)
    }

    fn samples(micros: i64) -> u32 {
        let micros = micros.clamp(*Self::TARGET_MICROS.start(), *Self::TARGET_MICROS.end());
        (micros * i64::from(SAMPLE_RATE) / 1_000_000) as u32
    }

    /// Sound to hold, in samples.
    fn target(&self) -> u32 {
        self.target.unwrap_or_else(|| Self::samples(Self::START_MICROS))
    }
}

/// Finds out that more is held than was needed for a whole second.
#[derive(Debug, Default)]
struct Surplus {
    pulls: u32,
    least: u32,
    most: u32,
    /// Frames that may be skipped.
    frames: u32,
    since_skip: u32,
}

impl Surplus {
    const WINDOW: u32 = 50;
    /// From this many frames on, waiting for silence would keep the delay too long.
    const URGENT: u32 = 3;
    /// Frames between two skips that may be heard.
    const APART: u32 = 10;

    /// True when the frame that is about to be played should be skipped.
    fn skip(&mut self, held: u32, target: u32, quiet: bool) -> bool {
        self.least = if self.pulls == 0 { held } else { self.least.min(held) };
        self.most = if self.pulls == 0 { held } else { self.most.max(held) };
        self.pulls += 1;
        self.since_skip += 1;
        if self.pulls == Self::WINDOW {
            self.frames = self.most.saturating_sub(target).min(self.least.saturating_sub(FRAME)) / FRAME;
            self.pulls = 0;
        }
        let now = self.frames > 0 && (quiet || (self.frames >= Self::URGENT && self.since_skip >= Self::APART));
        if now {
            *self = Self { frames: self.frames - 1, ..Self::default() };
        }
        now
    }
}

#[cfg(test)]
mod tests;
