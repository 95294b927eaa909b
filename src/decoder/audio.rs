//! Opus decoder (RFC 6716): 48 kHz mono.
//!
//! Sits behind a participant's audio jitter buffer; runs on the playout thread. It owns the Opus decoder and the memory
//! of its latest output.

use opus::{Channels, Decoder};

use crate::media::{FRAME_SAMPLES, SAMPLE_RATE};

/// Why a packet could not be decoded; for the log.
#[derive(Debug, thiserror::Error)]
#[error("Opus: {0}")]
pub struct AudioDecoderError(#[from] opus::Error);

/// Decodes one participant's packets, and conceals missing ones.
pub struct AudioDecoder {
    opus: Decoder,
    samples: Vec<f32>,
}

/// The longest packet in samples at 48 kHz: 120 ms (RFC 6716 section 2.1.4).
const MAX_SAMPLES: usize = 5760;

/// The duration of an Opus packet in samples at 48 kHz, read from its head; `None` when it is no Opus packet.
pub fn packet_duration(packet: &[u8]) -> Option<u32> {
    let samples = opus::packet::get_nb_samples(packet, SAMPLE_RATE).ok()?;
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples as u32)
}

/// True when an Opus packet carries forward error correction for the one before it (a low bit-rate redundancy frame,
/// RFC 6716 section 2.1.7); CELT alone has none.
pub fn has_correction(packet: &[u8]) -> bool {
    let Ok(length) = i32::try_from(packet.len()) else { return false };
    // SAFETY: the pointer is valid for `length` bytes, which libopus only reads; it refuses what is no packet.
    length > 0 && unsafe { opusic_sys::opus_packet_has_lbrr(packet.as_ptr(), length) } == 1
}

impl AudioDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Result<Self, AudioDecoderError> {
        Ok(Self { opus: Decoder::new(SAMPLE_RATE, Channels::Mono)?, samples: vec![0.0; MAX_SAMPLES] })
    }

    /// Decodes a packet: its samples at 48 kHz mono, [`packet_duration`] many.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], AudioDecoderError> {
        // An empty packet would mean concealment to Opus, of the whole buffer's length.
        if packet.is_empty() {
            return self.conceal();
        }
        let count = self.opus.decode_float(packet, &mut self.samples, false)?;
        Ok(&self.samples[..count])
    }

    /// Makes up 20 ms in place of a lost packet.
    pub fn conceal(&mut self) -> Result<&[f32], AudioDecoderError> {
        let count = self.opus.decode_float(&[], &mut self.samples[..FRAME_SAMPLES], false)?;
        Ok(&self.samples[..count])
    }

    /// Restores the 20 ms before `next` from the forward error correction in it ([`has_correction`]).
    pub fn recover(&mut self, next: &[u8]) -> Result<&[f32], AudioDecoderError> {
        if next.is_empty() {
            return self.conceal();
        }
        let count = self.opus.decode_float(next, &mut self.samples[..FRAME_SAMPLES], true)?;
        Ok(&self.samples[..count])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoder::audio::AudioEncoder;
    use crate::media::MediaTime;
    use crate::sound_device::test_signal::{rms, sine};

    /// Loses every tenth packet of a tone; the sound that stands in for the lost ones.
    fn stand_ins(recover: bool) -> f32 {
        let mut encoder = AudioEncoder::new().unwrap();
        encoder.set_expected_loss(20).unwrap();
        let mut decoder = AudioDecoder::new().unwrap();
        let tone = sine(440.0, SAMPLE_RATE, FRAME_SAMPLES * 60);
        let packets: Vec<_> = tone
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| encoder.encode(frame, MediaTime::default()).unwrap())
            .collect();
        let mut concealed = Vec::new();
        for (index, packet) in packets.iter().enumerate() {
            if index % 10 != 9 || index + 1 == packets.len() {
                decoder.decode(&packet.data).unwrap();
            } else if recover {
                concealed.extend_from_slice(decoder.recover(&packets[index + 1].data).unwrap());
            } else {
                concealed.extend_from_slice(decoder.conceal().unwrap());
            }
        }
        rms(&concealed)
    }

    #[test]
    fn lost_packets_are_concealed_from_the_next_one_or_from_nothing() {
        assert!(stand_ins(true) > 0.15, "{}", stand_ins(true));
        assert!(stand_ins(false) > 0.15, "{}", stand_ins(false));
    }

    #[test]
    fn correction_is_found_where_it_is() {
        let mut encoder = AudioEncoder::new().unwrap();
        let tone = sine(440.0, SAMPLE_RATE, FRAME_SAMPLES * 40);
        let mut found = [0; 2];
        for (index, frame) in tone.chunks_exact(FRAME_SAMPLES).enumerate() {
            encoder.set_expected_loss(if index < 20 { 0 } else { 20 }).unwrap();
            let packet = encoder.encode(frame, MediaTime::default()).unwrap();
            found[index / 20] += usize::from(has_correction(&packet.data));
        }
        assert!(found[0] == 0 && found[1] >= 15, "{found:?}");
        for packet in [&[][..], &[0xff], &[0x03], &[0x08, 0x40]] {
            let _ = has_correction(packet);
        }
    }

    #[test]
    fn durations_are_read_from_the_packet() {
        assert_eq!(packet_duration(&[]), None);
        let packet = AudioEncoder::new().unwrap().encode(&[0.0; FRAME_SAMPLES], MediaTime::default()).unwrap();
        assert_eq!(packet_duration(&packet.data), Some(960));
    }

    proptest! {
        #[test]
        fn hostile_packets_are_errors_at_worst(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8)) {
            let mut decoder = AudioDecoder::new().unwrap();
            for packet in packets {
                if let Ok(samples) = decoder.decode(&packet) {
                    prop_assert!(samples.len() <= MAX_SAMPLES);
                }
                let _ = decoder.recover(&packet);
                prop_assert_eq!(decoder.conceal().unwrap().len(), FRAME_SAMPLES);
            }
        }
    }
}
