//! The playout as a whole, with a file or nothing for a speaker.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::*;
use crate::device::{DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::encoder::audio::AudioEncoder;
use crate::media::{FRAME_SAMPLES, MediaTime, ReceivedSound, SAMPLE_RATE, Volume};
use crate::sound_device::test_signal::{peak_hertz, rms, sine};

const LONG: Duration = Duration::from_secs(20);

fn playout(speaker: &DeviceChoice) -> (Playout, Receiver<SoundEvent>) {
    let (sender, events) = sync_channel(64);
    let playout = Playout::new(move |_, event| {
        let _ = sender.try_send(event);
    });
    playout.set_speaker(speaker);
    (playout, events)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "{what} never came");
        thread::sleep(Duration::from_millis(2));
    }
}

/// 400 ms of a tone, all at once: less than the jitter buffer's bound.
fn push_tone(input: &AudioInput, hertz: f64) {
    let mut encoder = AudioEncoder::new().unwrap();
    let now = MediaTime::now();
    let sound = sine(hertz, SAMPLE_RATE, FRAME_SAMPLES * 20);
    let packets: Vec<_> = sound
        .chunks_exact(FRAME_SAMPLES)
        .enumerate()
        .map(|(n, frame)| encoder.encode(frame, now + Duration::from_millis(20 * n as u64)).unwrap())
        .collect();
    let now = MediaTime::now();
    for (n, packet) in packets.into_iter().enumerate() {
        input.push(received(packet.data, n, now));
    }
}

/// The `number`th packet of a stream.
fn received(data: bytes::Bytes, number: usize, arrived_at: MediaTime) -> ReceivedSound {
    let (sequence, rtp_timestamp) = (number as u16, (number * FRAME_SAMPLES) as u32);
    ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp: None, recovered: false }
}

fn read_wav(path: &Path) -> Vec<f32> {
    let mut file = hound::WavReader::open(path).unwrap();
    assert_eq!((file.spec().sample_rate, file.spec().channels), (48_000, 1));
    file.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect()
}

/// The part from the first to the last sample that is heard.
fn heard(sound: &[f32]) -> &[f32] {
    let loud = |sample: &f32| sample.abs() > 0.02;
    let (first, last) = (sound.iter().position(loud), sound.iter().rposition(loud));
    first.zip(last).map_or(&[], |(first, last)| &sound[first..=last])
}

#[test]
fn a_participant_is_heard_and_a_muted_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heard.wav");
    let (playout, events) = playout(&DeviceChoice::File(path.clone()));
    let level = Arc::new(LevelMeter::default());
    let (input, audio) = playout.add_participant(Arc::clone(&level), SharedAvSync::default());
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "heard.wav".into() }));
    let (muted_input, muted) = playout.add_participant(Arc::default(), SharedAvSync::default());
    muted.set_muted(true);
    push_tone(&input, 700.0);
    push_tone(&muted_input, 2000.0);
    let played =
        |audio: &ParticipantAudio| audio.stats().jitter.received == 20 && audio.stats().jitter.buffered_ms == 0;
    let mut peak = 0.0_f32;
    wait_until("the end of the tone", || {
        peak = peak.max(level.peak());
        played(&audio) && played(&muted)
    });
    assert!(peak > 0.1, "the meter shows the voice");
    drop(playout);
    let sound = read_wav(&path);
    let heard = heard(&sound);
    // Sound that comes all at once is played faster, at the same pitch.
    assert!((14_000..19_500).contains(&heard.len()), "{} samples", heard.len());
    assert!((peak_hertz(&heard[2000..14_000], SAMPLE_RATE) - 700.0).abs() < 7.0);
}

#[test]
fn a_participant_is_heard_at_the_volume_that_is_chosen() {
    let loudness = |percent: u8| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let (playout, events) = playout(&DeviceChoice::File(path.clone()));
        let (input, audio) = playout.add_participant(Arc::default(), SharedAvSync::default());
        audio.set_volume(Volume::from_percent(percent));
        assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "heard.wav".into() }));
        push_tone(&input, 700.0);
        let stats = || audio.stats().jitter;
        wait_until("the end of the tone", || stats().received == 20 && stats().buffered_ms == 0);
        drop(playout);
        heard(&read_wav(&path)).get(4000..12_000).map_or(0.0, rms)
    };
    let usual = loudness(100);
    assert!((loudness(50) / usual - 0.5).abs() < 0.05);
    assert!(loudness(150) > 1.2 * usual, "louder, as far as full scale has room");
    assert_eq!(loudness(0), 0.0);
}

#[test]
fn a_chime_is_recorded_from_its_first_note_to_its_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chime.wav");
    let (playout, _events) = playout(&DeviceChoice::File(path.clone()));
    playout.play(Sound::TestChime, 100);
    let whole = Sound::TestChime.samples();
    wait_until("the end of the chime", || {
        hound::WavReader::open(&path).is_ok_and(|file| file.duration() as usize >= whole.len())
    });
    drop(playout);
    let sound = read_wav(&path);
    let start = sound.iter().position(|sample| sample.abs() > 0.001).unwrap();
    let expected = whole.iter().position(|sample| sample.abs() > 0.001).unwrap();
    let (recorded, wanted) = (&sound[start..][..60_000], &whole[expected..][..60_000]);
    let worst = recorded.iter().zip(wanted).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst < 0.001, "{worst}");
}

#[test]
fn a_ring_repeats_until_it_is_stopped_and_the_recording_goes_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.wav");
    let (playout, events) = playout(&DeviceChoice::File(path.clone()));
    playout.play(Sound::Ringtone, 100);
    let length =
        |seconds: u32| move || hound::WavReader::open(&path).is_ok_and(|file| file.duration() >= 48_000 * seconds);
    wait_until("the second ring", length.clone()(4));
    playout.stop(Sound::Ringtone);
    playout.play(Sound::TestChime, 100);
    wait_until("the chime", length(5));
    drop(playout);
    assert_eq!(events.iter().count(), 1, "the file was opened once");
    let sound = read_wav(&folder.path().join("ring.wav"));
    let again = Sound::Ringtone.samples().len();
    assert!(rms(&sound[again + 4800..again + 9600]) > 0.01, "it rings again after {again} samples");
}

#[test]
fn without_a_speaker_the_call_goes_on() {
    let (playout, events) = playout(&DeviceChoice::None);
    let (input, audio) = playout.add_participant(Arc::default(), SharedAvSync::default());
    push_tone(&input, 700.0);
    wait_until("the end of the tone", || audio.stats().jitter.received == 20 && audio.stats().jitter.buffered_ms == 0);
    drop(playout);
    assert!(events.recv().is_err(), "no speaker is no event");
}

#[test]
fn a_speaker_that_cannot_be_is_a_fault_and_the_next_choice_works() {
    let folder = tempfile::tempdir().unwrap();
    let (playout, events) = playout(&DeviceChoice::File(folder.path().join("nowhere").join("a.wav")));
    let _heard = playout.add_participant(Arc::default(), SharedAvSync::default());
    let reason = DeviceReason::FolderMissing;
    let missing = DeviceFault::Failed(reason).of(DeviceKind::Speaker);
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(missing)));
    playout.set_speaker(&DeviceChoice::Tone { hertz: 440 });
    assert!(matches!(
        events.recv_timeout(LONG),
        Ok(SoundEvent::Fault(DeviceError { fault: DeviceFault::Failed(DeviceReason::WrongKind), .. }))
    ));
    playout.set_speaker(&DeviceChoice::File(folder.path().join("b.wav")));
    assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "b.wav".into() }));
}

#[test]
fn what_is_no_opus_is_dropped() {
    let (playout, _events) = playout(&DeviceChoice::None);
    let (input, audio) = playout.add_participant(Arc::default(), SharedAvSync::default());
    for data in [&b""[..], &[0xff; 3], &[0x03]] {
        let data = bytes::Bytes::copy_from_slice(data);
        input.push(received(data, 1, MediaTime::now()));
    }
    assert_eq!(audio.stats().jitter.received, 0);
}
