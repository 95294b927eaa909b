//! Opus encoder (RFC 6716) for RTP payloads (RFC 7587).
//!
//! Sits between the microphone and the network; runs on the microphone thread, in its sink. Each peer's packetizer
//! numbers and stamps the packets.

use bytes::BytesMut;
use opus::{Application, Bitrate, Channels, Encoder};

use crate::media::{FRAME_SAMPLES, MediaTime, OutgoingSound, SAMPLE_RATE};

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
    expected_loss: u32,
}

impl AudioEncoder {
    /// Bit rate in kbit/s.
    const KBPS: u32 = 32;

    /// The greatest packet (RFC 6716 section 3.2.1: 1275 bytes a frame).
    const MAX_PACKET: usize = 1275;

    /// Bytes allocated at a time: about ten seconds of sound.
    const BLOCK: usize = 48 * 1024;

    /// An encoder that expects no loss.
    pub fn new() -> Result<Self, AudioEncoderError> {
        let mut opus = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        opus.set_bitrate(Bitrate::Bits(Self::KBPS as i32 * 1000))?;
        opus.set_inband_fec(true)?;
        // Without packets neither loss nor delay of the path is known when somebody begins to speak.
        opus.set_dtx(false)?;
        Ok(Self { opus, packets: BytesMut::with_capacity(Self::BLOCK), expected_loss: 0 })
    }

    /// Tells how much loss to protect against, in percent. Forward error correction is only written when some is
    /// expected, and takes its bits from the sound itself.
    pub fn set_expected_loss(&mut self, percent: u32) -> Result<(), AudioEncoderError> {
        if percent != self.expected_loss {
            self.opus.set_packet_loss_perc(percent.min(50) as i32)?;
            self.expected_loss = percent;
        }
        Ok(())
    }

    /// Encodes one frame of 960 samples.
    pub fn encode(&mut self, frame: &[f32], captured_at: MediaTime) -> Result<OutgoingSound, AudioEncoderError> {
        if frame.len() != FRAME_SAMPLES {
            return Err(AudioEncoderError::FrameLength(frame.len()));
        }
        let mut packet = [0; Self::MAX_PACKET];
        let length = self.opus.encode_float(frame, &mut packet)?;
        if self.packets.capacity() < length {
            self.packets.reserve(Self::BLOCK);
        }
        self.packets.extend_from_slice(&packet[..length]);
        let data = self.packets.split().freeze();
        Ok(OutgoingSound { data, captured_at })
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
    fn a_frame_of_the_wrong_length_is_refused() {
        let mut encoder = AudioEncoder::new().unwrap();
        assert!(matches!(encoder.encode(&[0.0; 100], MediaTime::default()), Err(AudioEncoderError::FrameLength(100))));
    }
}
