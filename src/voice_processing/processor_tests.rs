//! The chain in synthetic rooms, with its switches, and with nobody at the speaker.

use super::*;
use crate::voice_processing::rig::{Room, Speech, measure_room};

const ECHO_ONLY: Processing = Processing { echo_cancellation: true, noise_suppression: false, automatic_gain: false };
const NOISE_ONLY: Processing = Processing { echo_cancellation: false, noise_suppression: true, automatic_gain: false };
const GAIN_ONLY: Processing = Processing { echo_cancellation: false, noise_suppression: false, automatic_gain: true };

fn processor(processing: Processing) -> (VoiceProcessor, Arc<ProcessingSwitches>) {
    let switches = Arc::new(ProcessingSwitches::new(processing));
    (VoiceProcessor::new(Arc::clone(&switches), echo_reference().1), switches)
}

fn through(processor: &mut VoiceProcessor, sound: &[f32]) -> Vec<f32> {
    sound.chunks_exact(FRAME_SAMPLES).flat_map(|frame| processor.process(frame).0.to_vec()).collect()
}

/// Root mean square in dB of full scale.
fn level(sound: &[f32]) -> f32 {
    10.0 * (sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32).max(1e-12).log10()
}

fn hold_to_limits(index: usize) {
    let (name, room) = Room::ALL[index];
    let echo = measure_room(room, ECHO_ONLY);
    assert!(echo.erle_db >= 30.0, "{name}: {echo:?}");
    let all = measure_room(room, Processing::ALL);
    assert!(all.erle_db >= 30.0, "{name}: {all:?}");
    for figures in [echo, all] {
        assert!(figures.near_kept_db > -6.0, "{name}: {figures:?}");
        assert!(figures.near_correlation > 0.7, "{name}: {figures:?}");
    }
}

#[test]
fn an_echo_after_20_ms_is_cancelled_and_the_near_voice_kept() {
    hold_to_limits(0);
}

#[test]
fn an_echo_after_60_ms_is_cancelled_and_the_near_voice_kept() {
    hold_to_limits(1);
}

#[test]
fn an_echo_whose_clock_drifts_is_cancelled_and_the_near_voice_kept() {
    hold_to_limits(2);
}

#[test]
fn an_echo_after_250_ms_is_cancelled_and_the_near_voice_kept() {
    hold_to_limits(3);
}

#[test]
fn without_cancellation_the_whole_echo_is_sent() {
    let figures = measure_room(Room::ALL[0].1, Processing::default());
    assert!(figures.erle_db.abs() < 0.01, "{figures:?}");
}

#[test]
fn with_everything_off_sound_passes_untouched_and_nothing_is_held() {
    let (mut processor, switches) = processor(Processing::default());
    let voice = Speech::new(1, 120.0).take(10 * FRAME_SAMPLES);
    assert_eq!(through(&mut processor, &voice), voice);
    assert!(processor.chain.is_none());
    switches.set(Processing::ALL);
    assert_ne!(through(&mut processor, &voice), voice);
    assert!(processor.chain.is_some());
    switches.set(Processing::default());
    assert_eq!(through(&mut processor, &voice), voice);
    assert!(processor.chain.is_none());
}

#[test]
fn a_canceller_runs_only_while_a_speaker_plays() {
    let (mut writer, reader) = echo_reference();
    let mut processor = VoiceProcessor::new(Arc::new(ProcessingSwitches::new(ECHO_ONLY)), reader);
    let silence = [0.0; FRAME_SAMPLES];
    processor.process(&silence);
    assert!(processor.chain.is_none(), "nobody plays");
    writer.push(&silence, Duration::ZERO);
    for _ in 0..SPEAKER_GONE {
        processor.process(&silence);
    }
    assert!(processor.chain.is_some());
    processor.process(&silence);
    assert!(processor.chain.is_none(), "nobody has played for a second");
}

#[test]
fn what_comes_out_is_older_by_what_is_said() {
    for does in [NOISE_ONLY, GAIN_ONLY, Processing { echo_cancellation: false, ..Processing::ALL }, Processing::ALL] {
        let (mut writer, reader) = echo_reference();
        let mut processor = VoiceProcessor::new(Arc::new(ProcessingSwitches::new(does)), reader);
        let voice = Speech::new(1, 120.0).take(4 * SAMPLE_RATE as usize);
        let (mut out, mut said) = (Vec::new(), Duration::ZERO);
        for frame in voice.chunks_exact(FRAME_SAMPLES) {
            writer.push(&[0.0; FRAME_SAMPLES], Duration::ZERO);
            let (processed, delay) = processor.process(frame);
            out.extend_from_slice(processed);
            said = delay;
        }
        let alike = |lag: usize| -> f32 { voice[96_000..].iter().zip(&out[96_000 + lag..]).map(|(a, b)| a * b).sum() };
        let delay = (0..1440).max_by(|&a, &b| alike(a).total_cmp(&alike(b))).unwrap();
        let measured = Duration::from_micros(delay as u64 * 1_000_000 / u64::from(SAMPLE_RATE));
        println!("{does:?}: {measured:?}");
        assert!(measured.abs_diff(said) < Duration::from_millis(1), "{does:?}: {measured:?}");
    }
}

#[test]
fn steady_noise_is_suppressed_and_the_voice_in_it_kept() {
    let mut random = fastrand::Rng::with_seed(5);
    let noise: Vec<f32> = (0..10 * SAMPLE_RATE).map(|_| (random.f32() - 0.5) * 0.02).collect();
    let before = level(&noise);
    let after = level(&through(&mut processor(NOISE_ONLY).0, &noise)[5 * SAMPLE_RATE as usize..]);
    assert!(before - after > 10.0, "noise from {before} to {after} dB");
    let voice = Speech::new(1, 120.0).take(noise.len());
    let mixed: Vec<f32> = voice.iter().zip(&noise).map(|(voice, noise)| voice + noise).collect();
    let after = level(&through(&mut processor(NOISE_ONLY).0, &mixed)[5 * SAMPLE_RATE as usize..]);
    let before = level(&voice[5 * SAMPLE_RATE as usize..]);
    assert!((before - after).abs() < 3.0, "the voice from {before} to {after} dB");
}

#[test]
fn a_quiet_and_a_loud_voice_come_out_alike() {
    let out = [-42.0, -22.0].map(|wanted| {
        let mut voice = Speech::new(1, 120.0).take(30 * SAMPLE_RATE as usize);
        let gain = 10_f32.powf((wanted - level(&voice)) / 20.0);
        voice.iter_mut().for_each(|sample| *sample *= gain);
        let sent = through(&mut processor(GAIN_ONLY).0, &voice);
        assert!(sent.iter().all(|sample| sample.abs() <= 1.0));
        level(&sent[20 * SAMPLE_RATE as usize..])
    });
    assert!((out[0] - out[1]).abs() < 8.0, "20 dB apart before, {out:?} after");
    assert!(out[0] > -32.0, "{out:?}");
}
