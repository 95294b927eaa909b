//! Ten minutes of a call in virtual time, in which the far microphone's clock and that of the speaker here do not
//! agree.

use std::time::Duration;

use super::Speech;
use crate::decoder::audio::packet_duration;
use crate::encoder::audio::AudioEncoder;
use crate::jitter_buffer::audio::AudioJitterBuffer;
use crate::media::{FRAME_SAMPLES, MediaTime, ReceivedSound, SAMPLE_RATE};
use crate::sound_device::test_signal::{precise_hertz, purity, sine};

const HERTZ: f64 = 1000.0;
const FRAMES: u64 = 10 * 60 * 50;
/// Time in which the control learns the drift; nothing is measured before.
const WARM_UP: u64 = 60 * 50;
/// Samples that the speaker takes at a time, and that wait for it at least.
const BITE: u64 = 1024;
const RING: u64 = 1920;

/// Sound after the first minute.
#[derive(Debug)]
struct Heard {
    /// Excess of the delay in the jitter buffer over its target, ms: the least of each second, of which the least and
    /// the greatest.
    above_target: [i64; 2],
    /// Samples left out or repeated by tempo.
    changed: u64,
    concealed_ms: u64,
    /// The tone on the speaker's clock, and the share of its energy that is something else, over the last ten seconds.
    hertz: f64,
    rest: f64,
}

/// A tone from a microphone whose clock is faster than that of the speaker by `ppm`; packets take up to `jitter` longer
/// than the path's 30 ms.
fn call(ppm: f64, jitter: Duration) -> Heard {
    let packets = tone();
    let (microphone, speaker) = (1.0 + ppm * 0.5e-6, 1.0 - ppm * 0.5e-6);
    let at = |samples: u64, clock: f64| {
        MediaTime::from_micros(1_000_000 + (samples as f64 * 1e6 / f64::from(SAMPLE_RATE) / clock) as u64)
    };
    let mut random = fastrand::Rng::with_seed(ppm.to_bits());
    let (mut buffer, mut speech) = (AudioJitterBuffer::new(), Speech::new().unwrap());
    let mut due = |number: u64| {
        let late = Duration::from_millis(30) + jitter.mul_f64(random.f64().powi(3));
        at(number * FRAME_SAMPLES as u64, microphone) + late
    };
    let (mut sent, mut arrives) = (0_u64, due(0));
    let (mut written, mut taken) = (0, 0);
    let (mut above, mut second) = ([i64::MAX, i64::MIN], i64::MAX);
    let (mut before, mut heard) = (([0; 2], 0), Vec::new());
    for frame in 0..FRAMES {
        while written >= taken + RING {
            taken += BITE;
        }
        let now = at(taken, speaker);
        while arrives <= now {
            let data = packets[sent as usize % packets.len()].clone();
            let (samples, rtp_timestamp) = (packet_duration(&data).unwrap(), (sent * FRAME_SAMPLES as u64) as u32);
            let (sequence, arrived_at) = (sent as u16, arrives);
            let sound =
                ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp: None, recovered: false };
            buffer.push(sound, samples, false, arrives);
            sent += 1;
            arrives = due(sent).max(arrives);
        }
        speech.set_speed(buffer.speed_ppm());
        let played = speech.fill(|quiet, ahead| buffer.pull(quiet, ahead, now));
        written += FRAME_SAMPLES as u64;
        if frame + 500 >= FRAMES {
            heard.extend_from_slice(played);
        }
        let stats = buffer.stats();
        if frame == WARM_UP {
            before = (speech.changed(), stats.concealed_ms);
        } else if frame > WARM_UP {
            second = second.min(i64::from(stats.delay_ms) - i64::from(stats.target_ms));
            if frame % 50 == 0 {
                above = [above[0].min(second), above[1].max(second)];
                second = i64::MAX;
            }
        }
    }
    let stats = buffer.stats();
    let heard = Heard {
        above_target: above,
        changed: speech.changed().iter().sum::<u64>() - before.0.iter().sum::<u64>(),
        concealed_ms: stats.concealed_ms - before.1,
        hertz: precise_hertz(&heard, HERTZ, SAMPLE_RATE),
        rest: 1.0 - purity(&heard, HERTZ, SAMPLE_RATE),
    };
    println!("{ppm:6} ppm, jitter {jitter:?}: {heard:?}");
    heard
}

/// Packets of a tone that fits its frames: they can be played again and again.
fn tone() -> Vec<bytes::Bytes> {
    let mut encoder = AudioEncoder::new().unwrap();
    let sound = sine(HERTZ, SAMPLE_RATE, FRAME_SAMPLES * 100);
    let packets =
        sound.chunks_exact(FRAME_SAMPLES).map(|frame| encoder.encode(frame, MediaTime::default()).unwrap().data);
    packets.skip(50).collect()
}

#[test]
fn clocks_that_differ_cost_neither_tempo_nor_made_up_sound() {
    for ppm in [0.0, 100.0, -100.0, 300.0, -300.0] {
        let heard = call(ppm, Duration::ZERO);
        assert_eq!((heard.changed, heard.concealed_ms), (0, 0), "{ppm}: {heard:?}");
        assert!((17..=23).contains(&heard.above_target[0]) && heard.above_target[1] <= 23, "{ppm}: {heard:?}");
        assert!((heard.hertz - HERTZ * (1.0 + ppm * 1e-6)).abs() < 0.005 && heard.rest < 0.001, "{ppm}: {heard:?}");
    }
}

#[test]
fn jitter_does_not_hide_the_drift() {
    for ppm in [300.0, -300.0] {
        let heard = call(ppm, Duration::from_millis(30));
        assert_eq!((heard.changed, heard.concealed_ms), (0, 0), "{ppm}: {heard:?}");
        assert!((12..=28).contains(&heard.above_target[0]) && heard.above_target[1] <= 28, "{ppm}: {heard:?}");
        assert!((heard.hertz - HERTZ * (1.0 + ppm * 1e-6)).abs() < 0.1 && heard.rest < 0.001, "{ppm}: {heard:?}");
    }
}
