use std::fs;

use proptest::prelude::*;

use super::*;
use crate::media::SAMPLE_RATE;
use crate::sound_device::test_signal::{peak_hertz, purity, rms, sine};

const HERTZ: f64 = 400.0;
const RATE: u32 = 8_000;
/// The last fourteen bytes of a coding's identifier in WAVE_FORMAT_EXTENSIBLE.
const IDENTIFIER: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = sized(id, content.len() as u32, content);
    if content.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

/// A chunk that says `size`, without a pad byte.
fn sized(id: &[u8; 4], size: u32, content: &[u8]) -> Vec<u8> {
    [&id[..], &size.to_le_bytes(), content].concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WAVE", &body].concat()
}

/// A format chunk of 16 bytes, with `more` behind it.
fn format(tag: u16, channels: u16, rate: u32, bits: u16, more: &[u8]) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    let mut content = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    content.extend(rate.to_le_bytes());
    content.extend((rate * u32::from(block)).to_le_bytes());
    content.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
    content.extend(more);
    chunk(b"fmt ", &content)
}

fn extensible(tag: u16, channels: u16, bits: u16, valid: u16, mask: u32) -> Vec<u8> {
    let mut more = [22_u16.to_le_bytes(), valid.to_le_bytes()].concat();
    more.extend(mask.to_le_bytes());
    more.extend(tag.to_le_bytes());
    more.extend(IDENTIFIER);
    format(0xfffe, channels, RATE, bits, &more)
}

fn tone() -> Vec<f32> {
    sine(HERTZ, RATE, 2000)
}

fn sixteen(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()).collect()
}

/// The tone on one of several channels.
fn on_channel(channel: usize, channels: usize) -> Vec<u8> {
    let spread = |sample: f32| (0..channels).map(move |index| if index == channel { sample } else { 0.0 });
    sixteen(&tone().into_iter().flat_map(spread).collect::<Vec<_>>())
}

fn open(bytes: Vec<u8>) -> Result<WavLoop<Cursor<Vec<u8>>>, DeviceReason> {
    WavLoop::new(Cursor::new(bytes))
}

/// Two seconds of what a file of a quarter of a second gives, which goes round; the first tenth is left out.
fn heard(bytes: Vec<u8>) -> Vec<f32> {
    let mut file = open(bytes).unwrap();
    let (mut sound, mut frame) = (Vec::new(), [0.0; FRAME_SAMPLES]);
    for _ in 0..100 {
        file.fill(&mut frame).unwrap();
        sound.extend_from_slice(&frame);
    }
    sound.split_off(SAMPLE_RATE as usize / 10)
}

/// Fails unless the file is the tone, at `level` of its own.
fn assert_tone(name: &str, bytes: Vec<u8>, level: f32) {
    let sound = heard(bytes);
    let (hertz, pure) = (peak_hertz(&sound, SAMPLE_RATE), purity(&sound, HERTZ, SAMPLE_RATE));
    assert!((hertz - HERTZ).abs() < 1.0, "{name}: {hertz} Hz");
    assert!(pure > 0.99, "{name}: {pure} of it is the tone");
    let loud = rms(&sound) / (0.5 * std::f32::consts::FRAC_1_SQRT_2);
    assert!((loud - level).abs() < 0.02, "{name}: {loud} of its level");
}

#[test]
fn a_file_is_played_to_its_end_whatever_its_sizes_say() {
    let (pcm, head) = (sixteen(&tone()), format(1, 1, RATE, 16, &[]));
    let length = pcm.len() as u32;
    for size in [length, u32::MAX, 0x8000_0000, 0x7fff_ff00, 0, length * 2, length + 1] {
        let file = riff(&[head.clone(), sized(b"data", size, &pcm)]);
        assert_tone(&format!("size {size:#x}"), file, 1.0);
    }
    let mut unsized_riff = riff(&[head.clone(), sized(b"data", u32::MAX, &pcm)]);
    unsized_riff[4..8].fill(0xff);
    assert_tone("the whole has no size either", unsized_riff, 1.0);
    // Ten samples too few and a half one.
    let cut = riff(&[head.clone(), sized(b"data", length, &pcm[..pcm.len() - 19])]);
    let mut file = open(cut).unwrap();
    let mut frame = [0.0; FRAME_SAMPLES];
    (0..100).for_each(|_| file.fill(&mut frame).unwrap());
    // Bytes after the sound are no sound.
    let noise = vec![0x55; 4001];
    assert_tone("chunks behind", riff(&[head, chunk(b"data", &pcm), chunk(b"LIST", &noise)]), 1.0);
}

#[test]
fn other_chunks_are_skipped_with_their_pad_bytes() {
    let (pcm, head) = (chunk(b"data", &sixteen(&tone())), format(1, 1, RATE, 16, &[]));
    let odd = b"INFOISFT\x05\0\0\0abcd\0";
    let large = vec![7; 70_001];
    for (name, chunks) in [
        ("an odd list", vec![head.clone(), chunk(b"LIST", odd), pcm.clone()]),
        ("one whose pad byte was forgotten", vec![head.clone(), sized(b"LIST", 17, odd), pcm.clone()]),
        ("before the format", vec![chunk(b"JUNK", &[0; 27]), chunk(b"bext", &large), head.clone(), pcm.clone()]),
        ("a fact", vec![head.clone(), chunk(b"fact", &2000_u32.to_le_bytes()), pcm.clone()]),
        ("the format behind the sound", vec![pcm, head]),
    ] {
        assert_tone(name, riff(&chunks), 1.0);
    }
}

#[test]
fn every_width_and_coding_gives_the_tone_at_its_level() {
    let tone = tone();
    let top = |keep: usize, mask: u32| -> Vec<u8> {
        let left = |sample: &f32| (f64::from(*sample) * f64::from(i32::MAX)) as i32 as u32 & mask;
        tone.iter().flat_map(|sample| left(sample).to_le_bytes()[4 - keep..].to_vec()).collect()
    };
    let unsigned: Vec<u8> = tone.iter().map(|sample| (sample * 127.0 + 128.0) as u8).collect();
    let float: Vec<u8> = tone.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let double: Vec<u8> = tone.iter().flat_map(|sample| f64::from(*sample).to_le_bytes()).collect();
    for (name, head, pcm) in [
        ("8 bits", format(1, 1, RATE, 8, &[]), unsigned),
        ("16 bits, a chunk of 18 bytes", format(1, 1, RATE, 16, &[0, 0]), top(2, u32::MAX)),
        ("12 bits", format(1, 1, RATE, 12, &[]), top(2, 0xfff0_0000)),
        ("24 bits", format(1, 1, RATE, 24, &[]), top(3, u32::MAX)),
        ("32 bits", format(1, 1, RATE, 32, &[]), top(4, u32::MAX)),
        ("24 of 32 bits", extensible(1, 1, 32, 24, 4), top(4, 0xffff_ff00)),
        ("24 of 32 bits, with noise below", extensible(1, 1, 32, 24, 4), top(4, u32::MAX)),
        ("20 of 24 bits", extensible(1, 1, 24, 20, 4), top(3, 0xffff_f000)),
        ("the same, whose extension was left out", format(0xfffe, 1, RATE, 16, &[0, 0]), top(2, u32::MAX)),
        ("12 of 16 bits", extensible(1, 1, 16, 12, 4), top(2, 0xfff0_0000)),
        ("32-bit floating point", format(3, 1, RATE, 32, &[]), float.clone()),
        ("the same, extensible", extensible(3, 1, 32, 32, 4), float),
        ("64-bit floating point", format(3, 1, RATE, 64, &[0, 0]), double),
    ] {
        assert_tone(name, riff(&[head, chunk(b"data", &pcm)]), 1.0);
    }
}

#[test]
fn telephony_long_and_big_endian_files_are_played() {
    // One period of 400 Hz is 20 samples at 8 kHz: coded by looking for the nearest value.
    for (tag, coding) in [(6, sample::Coding::ALaw), (7, sample::Coding::MuLaw)] {
        let nearest = |sample: &f32| {
            let distance = |byte: &u8| (coding.decode(&[*byte]) - sample).abs();
            (0..=u8::MAX).min_by(|one, other| distance(one).total_cmp(&distance(other))).unwrap()
        };
        let pcm: Vec<u8> = tone().iter().map(nearest).collect();
        assert_tone("G.711", riff(&[format(tag, 1, RATE, 8, &[0, 0]), chunk(b"data", &pcm)]), 1.0);
    }
    let pcm = sixteen(&tone());
    for (name, says) in [(b"RF64", pcm.len() as u64), (b"BW64", 0), (b"RF64", u64::MAX)] {
        let mut long = [0_u8; 28];
        long[8..16].copy_from_slice(&says.to_le_bytes());
        let parts = [chunk(b"ds64", &long), format(1, 1, RATE, 16, &[]), sized(b"data", u32::MAX, &pcm)];
        let mut file = riff(&parts);
        file[..8].copy_from_slice(&[&name[..], &[0xff; 4]].concat());
        // Nothing behind the sound counts where its length is said.
        if says == pcm.len() as u64 {
            file.extend(chunk(b"LIST", &[0x55; 4000]));
        }
        assert_tone("64-bit sizes", file, 1.0);
    }
    let mut big = b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10\0\x01\0\x01".to_vec();
    big.extend([RATE.to_be_bytes(), (RATE * 2).to_be_bytes()].concat());
    big.extend(b"\0\x02\0\x10data");
    big.extend((pcm.len() as u32).to_be_bytes());
    big.extend(pcm.chunks_exact(2).flat_map(|sample| [sample[1], sample[0]]));
    assert_tone("RIFX", big, 1.0);
}

#[test]
fn a_voice_on_one_channel_is_as_loud_as_its_position_says() {
    let five_one = 0x3f;
    for (name, head, channel, channels, level) in [
        ("stereo", format(1, 2, RATE, 16, &[]), 1, 2, 0.5),
        ("5.1 without a mask, centre", format(1, 6, RATE, 16, &[]), 2, 6, 1.0),
        ("5.1, centre", extensible(1, 6, 16, 16, five_one), 2, 6, 1.0),
        ("5.1, left", extensible(1, 6, 16, 16, five_one), 0, 6, 0.707),
        ("5.1 with sides, side", extensible(1, 6, 16, 16, 0x60f), 5, 6, 0.5),
        ("3.0, centre", format(1, 3, RATE, 16, &[]), 2, 3, 1.0),
        ("7.1, centre", extensible(1, 8, 16, 16, 0x63f), 2, 8, 1.0),
        ("eight inputs without positions", extensible(1, 8, 16, 16, 0), 6, 8, 1.0),
        ("ten inputs", format(1, 10, RATE, 16, &[]), 9, 10, 1.0),
    ] {
        assert_tone(name, riff(&[head, chunk(b"data", &on_channel(channel, channels))]), level);
    }
    let low = riff(&[format(1, 6, RATE, 16, &[]), chunk(b"data", &on_channel(3, 6))]);
    assert_eq!(rms(&heard(low)), 0.0, "the low-frequency channel is left out");
}

#[test]
fn any_rate_keeps_the_tone() {
    for rate in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000] {
        let pcm = sixteen(&sine(HERTZ, rate, rate as usize / 4));
        assert_tone(&format!("{rate} Hz"), riff(&[format(1, 1, rate, 16, &[]), chunk(b"data", &pcm)]), 1.0);
    }
}

#[test]
fn what_cannot_be_played_is_refused_with_its_reason() {
    let pcm = chunk(b"data", &sixteen(&tone()));
    let with = |head: Vec<u8>| riff(&[head, pcm.clone()]);
    let refused = |bytes: Vec<u8>| open(bytes).err().unwrap();
    let coded = |name: &str| DeviceReason::SoundFormat(name.to_owned());
    let mut unknown = extensible(1, 1, 16, 16, 4);
    unknown[47] = 0;
    for (bytes, reason) in [
        (Vec::new(), DeviceReason::NoSound),
        (b"OggS".to_vec(), DeviceReason::NotAWav),
        (b"RIFF\x04\0\0\0AVI ".to_vec(), DeviceReason::NotAWav),
        (riff(&[format(1, 1, RATE, 16, &[])]), DeviceReason::NoSound),
        (riff(&[format(1, 1, RATE, 16, &[]), chunk(b"data", &[])]), DeviceReason::NoSound),
        (riff(&[format(1, 1, RATE, 16, &[]), chunk(b"data", &[]), chunk(b"LIST", b"INFO")]), DeviceReason::NoSound),
        (riff(&[format(1, 2, RATE, 16, &[]), chunk(b"data", &[1, 2, 3])]), DeviceReason::NoSound),
        (riff(std::slice::from_ref(&pcm)), DeviceReason::DamagedHeader),
        (riff(&[chunk(b"fmt ", &[1, 0]), pcm.clone()]), DeviceReason::DamagedHeader),
        (with(format(2, 1, RATE, 4, &[])), coded("Microsoft ADPCM")),
        (with(format(0x11, 1, RATE, 4, &[])), coded("IMA ADPCM")),
        (with(format(0x55, 2, 44_100, 0, &[])), coded("MP3")),
        (with(format(1, 1, RATE, 64, &[])), coded("integers of 64 bits")),
        (with(format(3, 1, RATE, 16, &[])), coded("floating point of 16 bits")),
        (with(unknown), coded("an unknown format")),
        (with(format(1, 0, RATE, 16, &[])), DeviceReason::Channels(0)),
        (with(format(1, 300, RATE, 16, &[])), DeviceReason::Channels(300)),
        (with(format(1, 1, 0, 16, &[])), DeviceReason::SampleRate(0)),
        (with(format(1, 1, 2_000_000, 16, &[])), DeviceReason::SampleRate(2_000_000)),
    ] {
        assert_eq!(refused(bytes), reason);
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(WavLoop::open(folder.path()).err(), Some(DeviceReason::Folder));
    assert_eq!(WavLoop::open(&folder.path().join("none.wav")).err(), Some(DeviceReason::FileMissing));
}

#[test]
fn a_file_that_is_emptied_while_it_is_played_fails_without_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emptied.wav");
    fs::write(&path, riff(&[format(1, 1, 48_000, 16, &[]), chunk(b"data", &vec![1; 200_000])])).unwrap();
    let mut file = WavLoop::open(&path).unwrap();
    let mut frame = [0.0; FRAME_SAMPLES];
    file.fill(&mut frame).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(44).unwrap();
    assert!((0..200).any(|_| file.fill(&mut frame) == Err(DeviceReason::NoSound)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_header_makes_it_panic(changes in prop::collection::vec((0_usize..68, any::<u8>()), 0..4), end in 0_usize..600) {
        let pcm = sixteen(&tone()[..200]);
        let mut bytes = riff(&[extensible(1, 2, 16, 16, 3), chunk(b"data", &pcm)]);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(end);
        fuzz_wav(&bytes);
    }
}
