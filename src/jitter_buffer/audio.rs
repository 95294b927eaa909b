//! The audio jitter buffer of one participant: packets go in as the network delivers them, and come out in order, one
//! each time that the playout needs sound.
//!
//! Sits between the network's tasks (`push`) and the playout thread (`pull`). Pure: no clock and no thread; time is an
//! argument. It holds at most 500 ms.
//!
//! ```text
//!           depth reaches the target              nothing held for 200 ms
//! Waiting --------------------------> Playing ---------------------------> Waiting
//! ```
//!
//! The delay it keeps is the one at which delay and late sound together are least (`DelayHistogram`); it gets there by
//! tempo: sound that waits too long is played a little faster, and what would come too late slows down what is played
//! before it. An empty buffer stretches time (20 ms are concealed, the packet that comes late is still played). The
//! drift between the clocks of both sides is not left to tempo: sound is played that much faster or slower throughout
//! (`DriftControl`).

mod delay_histogram;
mod drift;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::{FRAME_SAMPLES, MediaTime, ReceivedSound, SAMPLE_RATE, first_unwrapped, unwrap_sequence};
use delay_histogram::DelayHistogram;
pub use delay_histogram::RECENT_PACKETS;
use drift::DriftControl;

const FRAME: u32 = FRAME_SAMPLES as u32;

/// The next sound to play.
#[derive(Clone, Debug)]
pub enum Pull {
    /// Decode and play this packet.
    Packet(ReceivedSound, TimeStretch),
    /// A packet is lost; this is the one after it, whose forward error correction restores it.
    Recover(Bytes),
    /// A packet is lost or late: make something up.
    Conceal,
    /// Nothing is sent, or the buffer still fills.
    Silence,
}

/// Time-stretch of a packet, by which the delay approaches its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStretch {
    /// As it was recorded.
    #[default]
    Even,
    /// Leave something out if that is not heard.
    Faster,
    /// Leave something out in any case: the delay is far too long.
    MuchFaster,
    /// Repeat something if that is not heard.
    Slower,
    /// Repeat something in any case: nothing waits behind it.
    MuchSlower,
}

/// Counters of the buffer since the start of the stream, and its present state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AudioJitterStats {
    /// Packets that were taken in.
    pub received: u64,
    /// Packets that were missing when their time came.
    pub lost: u64,
    /// Packets that came twice, or after their time.
    pub late: u64,
    /// Concealed sound in place of sound that was sent, ms.
    pub concealed_ms: u64,
    /// Sound that was lost and came again in later packets, as a copy or as forward error correction, ms.
    pub recovered_ms: u64,
    /// From the arrival of the fastest packets to their playing, ms: the delay that the buffer adds to the path's own.
    pub delay_ms: u32,
    /// Sound that is held now, ms.
    pub buffered_ms: u32,
    /// Target delay, ms.
    pub target_ms: u32,
    /// Interarrival jitter (RFC 3550 section 6.4.1), ms.
    pub jitter_ms: f32,
    /// How much faster than it was recorded sound is played, because the clocks differ, in millionths.
    pub speed_ppm: f64,
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
    /// Frames concealed since the last packet was played.
    empty_in_row: u32,
    /// Part of those, in ms, of which it is unknown yet whether sound was late or the sender paused.
    unbooked_ms: u64,
    /// RTP timestamp that the next packet has if the sender did not pause.
    next_timestamp: Option<u32>,
    arrivals: DelayHistogram,
    control: TimeStretchControl,
    drift: DriftControl,
    /// Sound waits for its picture for so long.
    least_delay_micros: i64,
    stats: AudioJitterStats,
}

#[derive(Debug)]
struct Held {
    sequence: u64,
    samples: u32,
    /// It could restore the packet before it.
    has_correction: bool,
    packet: ReceivedSound,
}

impl Default for AudioJitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioJitterBuffer {
    /// The most that is held, in samples: 500 ms.
    const MAX_SAMPLES: u32 = SAMPLE_RATE / 2;
    /// The longest that sound waits for its picture, in microseconds.
    const MAX_WAIT: u128 = 200_000;
    /// Longest packet that is taken in, in bytes (an Opus packet of 120 ms at its greatest).
    const MAX_BYTES: usize = 1275 * 6;
    /// A jump in sequence numbers beyond this is a sender that started anew, or a forgery.
    const MAX_JUMP: u64 = 1000;
    /// Frames that are concealed in a row; a longer gap is jumped over, or waited out in silence.
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
            arrivals: DelayHistogram::default(),
            control: TimeStretchControl::default(),
            drift: DriftControl::default(),
            least_delay_micros: 0,
            stats: AudioJitterStats::default(),
        }
    }

    /// Takes in a packet of `samples` at 48 kHz (1..=5760) that arrived at `now`; `has_correction` tells whether it
    /// carries forward error correction for the one before. Duplicates, packets that are too late and packets that
    /// cannot be are dropped; where more than 500 ms would be held, the oldest sound is dropped.
    pub fn push(&mut self, packet: ReceivedSound, samples: u32, has_correction: bool, now: MediaTime) {
        if !(1..=5760).contains(&samples) || packet.data.len() > Self::MAX_BYTES {
            return;
        }
        let Some(sequence) = self.extend(packet.sequence) else { return };
        let before = self.held.iter().rposition(|held| held.sequence <= sequence);
        let before_sequence = before.map(|index| self.held[index].sequence);
        if before_sequence == Some(sequence) {
            self.stats.late += 1;
            return;
        }
        // Also of one that is too late: the delay should have been longer.
        self.note_arrival(&packet, now);
        if self.next.is_some_and(|next| sequence < next) {
            self.stats.late += 1;
            self.late_in_row += 1;
            if self.late_in_row >= Self::MAX_LATE && !self.playing {
                self.start_anew();
            }
            return;
        }
        self.late_in_row = 0;
        if has_correction && before_sequence != Some(sequence - 1) && self.next != Some(sequence) {
            self.arrivals.note_restored(packet.rtp_timestamp.wrapping_sub(FRAME), now);
        }
        self.highest = self.highest.max(sequence);
        self.stats.received += 1;
        self.held_samples += samples;
        self.held.insert(before.map_or(0, |index| index + 1), Held { sequence, samples, has_correction, packet });
        while self.held_samples > Self::MAX_SAMPLES {
            self.take_front();
        }
    }

    fn note_arrival(&mut self, packet: &ReceivedSound, now: MediaTime) {
        if packet.recovered {
            self.arrivals.note_restored(packet.rtp_timestamp, now);
        } else {
            self.arrivals.note(packet.rtp_timestamp, now);
        }
    }

    /// Decision on the sound to play now, while `ahead` samples are decoded and still to be played. `quiet` tells
    /// whether the latest sound is so quiet that a time-stretch is not heard.
    pub fn pull(&mut self, quiet: bool, ahead: usize, now: MediaTime) -> Pull {
        if !self.playing && !self.is_ready(now) {
            return Pull::Silence;
        }
        self.playing = true;
        let Some(front) = self.held.front() else { return self.pull_from_empty() };
        let next = self.next.unwrap_or(front.sequence);
        let missing = front.sequence - next;
        // Concealment while nothing was there stood for the first of them.
        let unplayed = missing.saturating_sub(u64::from(std::mem::take(&mut self.empty_in_row)));
        self.stats.lost += missing - unplayed;
        if unplayed > u64::from(Self::MAX_CONCEALED) {
            self.stats.lost += unplayed;
        } else if unplayed > 0 {
            return self.pull_missing(front.sequence - unplayed, unplayed);
        }
        let lag = self.arrivals.lag_at(front.packet.rtp_timestamp, now);
        let tempo = lag.map_or(TimeStretch::Even, |lag| self.tempo(lag, quiet, ahead, now));
        let Some(packet) = self.take_front() else { return Pull::Silence };
        if packet.recovered {
            self.stats.recovered_ms += 20;
        }
        Pull::Packet(packet, tempo)
    }

    fn tempo(&mut self, lag: i64, quiet: bool, ahead: usize, now: MediaTime) -> TimeStretch {
        let target = self.target_micros();
        let ahead = ahead as i64 * 1_000_000 / i64::from(SAMPLE_RATE);
        let delay = lag - self.arrivals.least();
        let tempo = self.control.tempo(delay, ahead, target, quiet, self.held.len() == 1);
        match tempo {
            TimeStretch::Even => self.drift.note(lag + ahead, &self.arrivals, target + TimeStretchControl::STEADY, now),
            _ => self.drift.interrupt(),
        }
        tempo
    }

    /// How much faster than it was recorded sound should be played, in millionths, so that the far microphone's clock
    /// and the one that pulls keep together.
    pub fn speed_ppm(&self) -> f64 {
        self.drift.speed_ppm()
    }

    /// Keeps sound for `delay` at least, for its picture; held to 200 ms.
    pub fn set_least_delay(&mut self, delay: Duration) {
        self.least_delay_micros = delay.as_micros().min(Self::MAX_WAIT) as i64;
    }

    fn target_micros(&self) -> i64 {
        self.arrivals.target_micros().max(self.least_delay_micros)
    }

    /// Counters so far.
    pub fn stats(&self) -> AudioJitterStats {
        AudioJitterStats {
            buffered_ms: self.held_samples / (SAMPLE_RATE / 1000),
            delay_ms: (self.control.delay_micros.max(0) / 1000) as u32,
            target_ms: (self.target_micros() / 1000) as u32,
            jitter_ms: (self.arrivals.jitter_micros() / 1000.0) as f32,
            speed_ppm: self.speed_ppm(),
            ..self.stats
        }
    }

    fn is_ready(&mut self, now: MediaTime) -> bool {
        let Some(front) = self.held.front() else { return false };
        let delay = self.arrivals.delay_at(front.packet.rtp_timestamp, now);
        if delay.is_some_and(|delay| delay < self.target_micros()) {
            return false;
        }
        self.empty_in_row = 0;
        self.control = TimeStretchControl::default();
        self.drift.interrupt();
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
        match self.held.front() {
            Some(following) if missing == 1 && following.has_correction => {
                self.stats.recovered_ms += 20;
                Pull::Recover(following.packet.data.clone())
            }
            _ => {
                self.stats.concealed_ms += 20;
                Pull::Conceal
            }
        }
    }

    fn take_front(&mut self) -> Option<ReceivedSound> {
        let front = self.held.pop_front()?;
        self.held_samples -= front.samples;
        self.book(&front);
        self.next = Some(front.sequence + 1);
        self.next_timestamp = Some(front.packet.rtp_timestamp.wrapping_add(front.samples));
        Some(front.packet)
    }

    /// Books the concealment before `packet` as having stood for sound, unless the sender had paused: then no number is
    /// missing, and the timestamp has jumped.
    fn book(&mut self, packet: &Held) {
        let concealed = std::mem::take(&mut self.unbooked_ms);
        let jumped = |expected: u32| packet.packet.rtp_timestamp.wrapping_sub(expected) as i32 > Self::PAUSE;
        if self.next != Some(packet.sequence) || !self.next_timestamp.is_some_and(jumped) {
            self.stats.concealed_ms += concealed;
        }
    }

    /// The sequence number without wraps; `None` for one that cannot be (yet).
    fn extend(&mut self, sequence: u16) -> Option<u64> {
        if self.highest == 0 {
            self.highest = first_unwrapped(sequence);
            return Some(self.highest);
        }
        let extended = unwrap_sequence(self.highest, sequence);
        if extended.abs_diff(self.highest) > Self::MAX_JUMP {
            if self.restart != Some(sequence) {
                self.restart = Some(sequence.wrapping_add(1));
                return None;
            }
            self.start_anew();
            return self.extend(sequence);
        }
        self.restart = None;
        Some(extended)
    }

    /// Forgets the order, as at the start of a stream; keeps counting.
    fn start_anew(&mut self) {
        let (stats, least_delay_micros) = (self.stats, self.least_delay_micros);
        *self = Self { stats, least_delay_micros, held: std::mem::take(&mut self.held), ..Self::new() };
        self.held.clear();
    }
}

/// Keeps the delay at its target, one time-stretch at a time.
#[derive(Debug, Default)]
struct TimeStretchControl {
    /// Pulls since the last change.
    pulls: u32,
    /// The least delay, that of decoded sound included, that the last `WINDOW` of them or fewer found, and those
    /// before.
    least: [i64; 2],
    /// The delay that was found last, that of decoded sound included.
    delay_micros: i64,
}

impl TimeStretchControl {
    /// Pulls between changes: while it is quiet or the delay far too long, and else. A speaker may ask for several
    /// frames at a time, of which the last one has the least time to arrive.
    const PULLS: [u32; 2] = [3, 8];
    /// Pulls after which one is forgotten, at the earliest: what a speaker asks for repeats itself within them.
    const WINDOW: u32 = 16;
    /// Delay beyond the target that is left as it is: a frame is taken whole, and one waits for its turn.
    const ABOVE: i64 = 27_000;
    /// Delay beyond the target at which each packet has the target's time to come, however much of a frame is ahead.
    const STEADY: i64 = 20_000;
    /// Delay beyond the target that has to go, heard or not.
    const FAR_ABOVE: i64 = 80_000;
    /// Delay under the target that is left as it is.
    const BELOW: i64 = 6_000;

    /// The tempo of a packet that is taken `delay` microseconds later than the fastest one came, while `ahead`
    /// microseconds of sound are still to be played before it; `last` when none waits behind it.
    fn tempo(&mut self, delay: i64, ahead: i64, target: i64, quiet: bool, last: bool) -> TimeStretch {
        self.delay_micros = delay + ahead;
        let least = self.least_with(delay + ahead);
        let far_above = least > target + Self::FAR_ABOVE;
        let tempo = if least > target + Self::ABOVE {
            match self.pulls >= Self::PULLS[usize::from(!quiet && !far_above)] {
                true if far_above => TimeStretch::MuchFaster,
                true => TimeStretch::Faster,
                false => TimeStretch::Even,
            }
        } else if least - ahead < target - Self::BELOW {
            match self.pulls > 1 {
                _ if last => TimeStretch::MuchSlower,
                true => TimeStretch::Slower,
                false => TimeStretch::Even,
            }
        } else {
            TimeStretch::Even
        };
        if tempo != TimeStretch::Even {
            self.pulls = 0;
        }
        tempo
    }

    /// The least delay of late, with that of this pull.
    fn least_with(&mut self, delay: i64) -> i64 {
        self.least = match self.pulls {
            0 => [delay; 2],
            pulls if pulls.is_multiple_of(Self::WINDOW) => [delay, self.least[0]],
            _ => [self.least[0].min(delay), self.least[1]],
        };
        self.pulls = self.pulls.wrapping_add(1);
        self.least[0].min(self.least[1])
    }
}

#[cfg(test)]
mod tests;
