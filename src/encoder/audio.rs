//! Sound to Opus (RFC 6716), for an RTP payload (RFC 7587).
//!
//! Sits between the microphone and the network; runs on the microphone thread, in its sink. It owns the Opus encoder and
//! the numbering of the stream.

use std::time::Duration;

use bytes::BytesMut;
use opus::{Application, Bitrate, Channels, Encoder};

use crate::media::{EncodedAudio, FRAME_SAMPLES, MediaTime, SAMPLE_RATE};

/// Why sound could not be encoded; for the log.
#[derive(Debug, thiserror::Error)]
pub enum AudioEncoderError {
    /// Opus refused.
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
    /// Not one frame of 20 ms.
    #[error("{0} samples instead of {FRAME_SAMPLES}")]
    FrameLength(usize),
}

/// Encodes frames of 20 ms at 48 kHz mono, for speech, with in-band forward error correction.
pub struct AudioEncoder {
    opus: Encoder,
    /// Packets are cut from here; the memory is used again when they are gone.
    packets: BytesMut,
    sequence: u16,
    rtp_timestamp: u32,
    last_at: Option<MediaTime>,
}

impl AudioEncoder {
    /// Bit rate unless set otherwise, in kbit/s.
    pub const DEFAULT_KBPS: u32 = 32;

    /// The least and greatest bit rate, in kbit/s.
    pub const KBPS_RANGE: std::ops::RangeInclusive<u32> = 8..=128;

    /// The greatest packet (RFC 6716 section 3.2.1: 1275 bytes a frame).
    const MAX_PACKET: usize = 1275;

    /// Bytes allocated at a time: about ten seconds of sound.
    const BLOCK: usize = 48 * 1024;

    /// A frame this much later than expected shows that frames were left out in between (a muted microphone).
    const GAP: Duration = Duration::from_millis(60);

    /// An encoder whose numbering starts at random values (RFC 3550 section 5.1).
    pub fn new() -> Result<Self, AudioEncoderError> {
        let mut opus = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        opus.set_bitrate(Bitrate::Bits(Self::DEFAULT_KBPS as i32 * 1000))?;
        opus.set_inband_fec(true)?;
        // FEC is only written when some loss is expected.
        opus.set_packet_loss_perc(10)?;
        opus.set_dtx(false)?;
        // A start in the lower half keeps the first wrap, where SRTP receivers guess, far away (RFC 3711 section 3.3.1).
        let random = getrandom::u32().unwrap_or_default();
        Ok(Self {
            opus,
            packets: BytesMut::with_capacity(Self::BLOCK),
            sequence: (random >> 17) as u16,
            rtp_timestamp: random,
            last_at: None,
        })
    }

    /// Sets the bit rate in kbit/s, held to `KBPS_RANGE`.
    pub fn set_kbps(&mut self, kbps: u32) -> Result<(), AudioEncoderError> {
        let kbps = kbps.clamp(*Self::KBPS_RANGE.start(), *Self::KBPS_RANGE.end());
        Ok(self.opus.set_bitrate(Bitrate::Bits(kbps as i32 * 1000))?)
    }

    /// Tells how much loss to protect against, in percent.
    pub fn set_expected_loss(&mut self, percent: u32) -> Result<(), AudioEncoderError> {
        Ok(self.opus.set_packet_loss_perc(percent.min(50) as i32)?)
    }

    /// Encodes one frame of 960 samples that was captured at `at`. Where frames were left out before it, the RTP timestamp
    /// advances by the time that went by.
    pub fn encode(&mut self, frame: &[f32], at: MediaTime) -> Result<EncodedAudio, AudioEncoderError> {
        if frame.len() != FRAME_SAMPLES {
            return Err(AudioEncoderError::FrameLength(frame.len()));
        }
        let mut packet = [0; Self::MAX_PACKET];
        let length = self.opus.encode_float(frame, &mut packet)?;
        if self.packets.capacity() < length {
            self.packets.reserve(Self::BLOCK);
        }
        self.packets.extend_from_slice(&packet[..length]);
        self.number(at);
        Ok(EncodedAudio {
            data: self.packets.split().freeze(),
            sequence: self.sequence,
            rtp_timestamp: self.rtp_timestamp,
            at,
        })
    }

    fn number(&mut self, at: MediaTime) {
        self.sequence = self.sequence.wrapping_add(1);
        let since_last = self.last_at.map_or(Duration::ZERO, |last| at.since(last));
        let frames = if since_last < Self::GAP { 1 } else { (since_last.as_millis() as u64 + 10) / 20 };
        self.rtp_timestamp = self.rtp_timestamp.wrapping_add((frames * FRAME_SAMPLES as u64) as u32);
        self.last_at = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::audio::AudioDecoder;
    use crate::sound_device::test_signal::{peak_hertz, purity, rms, sine};

    #[test]
    fn a_tone_survives_opus() {
        let mut encoder = AudioEncoder::new().unwrap();
        let mut decoder = AudioDecoder::new().unwrap();
        let (mut heard, mut bytes) = (Vec::new(), 0);
        for (index, frame) in sine(1000.0, SAMPLE_RATE, FRAME_SAMPLES * 100).chunks_exact(FRAME_SAMPLES).enumerate() {
            let packet = encoder.encode(frame, MediaTime::from_millis(index as u64 * 20)).unwrap();
            bytes += packet.data.len();
            let samples = decoder.decode(&packet.data).unwrap();
            assert_eq!(samples.len(), FRAME_SAMPLES);
            heard.extend_from_slice(samples);
        }
        let heard = &heard[FRAME_SAMPLES * 20..];
        assert!((peak_hertz(heard, SAMPLE_RATE) - 1000.0).abs() < 2.0);
        assert!(purity(heard, 1000.0, SAMPLE_RATE) > 0.95, "{}", purity(heard, 1000.0, SAMPLE_RATE));
        assert!((rms(heard) - 0.3535).abs() < 0.1, "{}", rms(heard));
        assert!(bytes * 8 / 2 < 64_000, "{bytes} bytes in 2 s");
    }

    #[test]
    fn numbers_rise_by_one_packet_and_by_the_time_that_went_by() {
        let mut encoder = AudioEncoder::new().unwrap();
        let silence = [0.0; FRAME_SAMPLES];
        let mut encode = |millis| encoder.encode(&silence, MediaTime::from_millis(millis)).unwrap();
        let (first, late, muted) = (encode(1000), encode(1031), encode(2031));
        assert_eq!(late.sequence, first.sequence.wrapping_add(1));
        assert_eq!(late.rtp_timestamp, first.rtp_timestamp.wrapping_add(960), "a late wake-up is no gap");
        assert_eq!(muted.sequence, late.sequence.wrapping_add(1), "nothing was lost");
        assert_eq!(muted.rtp_timestamp, late.rtp_timestamp.wrapping_add(48_000));
    }

    #[test]
    fn a_frame_of_the_wrong_length_is_refused() {
        let mut encoder = AudioEncoder::new().unwrap();
        assert!(matches!(encoder.encode(&[0.0; 100], MediaTime::default()), Err(AudioEncoderError::FrameLength(100))));
    }
}
