//! The whole way of sound in virtual time: encoder, packetizer, a seeded bad link that video shares, redundancy, jitter
//! buffer, decoder and change of tempo. The figures are those that `stats` events would report.

use std::collections::{BTreeMap, VecDeque};
use std::f32::consts::TAU;
use std::time::Duration;

use rtc::rtp::Packet;
use rtc::shared::marshal::MarshalSize;

use crate::codec::CodecSupport;
use crate::encoder::audio::AudioEncoder;
use crate::jitter_buffer::audio::AudioJitterStats;
use crate::media::{FRAME_SAMPLES, MediaTime};
use crate::media_receive::SoundBuffer;
use crate::playout::Speech;
use crate::rtc::LinkEmulator;
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::path::PathLoss;
use crate::rtc::stream::{Arrival, AudioReceive, AudioSend, NumberedSound};

/// Frames of 20 ms before anything counts: the time in which the call learns its path.
const WARM_UP: u64 = 100;
const FRAMES: u64 = 3000;

/// Something like a voice: syllables of a gliding tone with overtones, breath, and pauses.
fn voice(frame: u64, phase: &mut f32, random: &mut fastrand::Rng) -> Vec<f32> {
    let syllable = (frame % 15) as f32 / 15.0;
    let speaks = frame % 200 < 150;
    let loud = if speaks { (syllable * std::f32::consts::PI).sin() * 0.3 } else { 0.001 };
    let hertz = 110.0 + 50.0 * ((frame / 15) as f32 * 0.7).sin();
    let sample = |_| {
        *phase = (*phase + hertz / 48_000.0).fract();
        let tone: f32 = (1..=12).map(|n| (*phase * TAU * n as f32).sin() / n as f32).sum();
        loud * (tone * 0.6 + (random.f32() - 0.5) * 0.15)
    };
    (0..FRAME_SAMPLES).map(sample).collect()
}

/// Sound after the warm-up.
#[derive(Debug)]
struct Heard {
    concealed_percent: f64,
    recovered_percent: f64,
    /// Means, in ms.
    delay_ms: f64,
    target_ms: f64,
    /// Samples left out and repeated, as a share of all.
    tempo_percent: [f64; 2],
    copies: f64,
}

/// A call over `link` with or without RED redundancy; the bottleneck, if any, is left room by the video.
fn call(profile: &str, redundant: bool, video_packets: u64) -> Heard {
    let start = MediaTime::from_millis(1000);
    let mut link = LinkEmulator::new(profile.parse().unwrap(), 1, start);
    let mut far = Far::new();
    let mut encoder = AudioEncoder::new().unwrap();
    let state = ConnectionState::default();
    state.far.set(redundant, false, CodecSupport::default());
    state.path.set_target(2_000_000, 2_000_000);
    let (mut audio, mut loss) = (AudioSend::new(1, 7, &state), MeasuredLoss::default());
    let (mut phase, mut random) = (0.0, fastrand::Rng::with_seed(3));
    let mut before = None;
    let (mut delay, mut target, mut copies_sent) = (0, 0, 0);
    for frame in 0..FRAMES {
        let now = start + Duration::from_millis(frame * 20);
        let lost = loss.at(now);
        state.path.set_loss(PathLoss { share: lost, run: 1.0 });
        encoder.set_expected_loss((lost * 100.0).ceil() as u32).unwrap();
        let sound = encoder.encode(&voice(frame, &mut phase, &mut random), now).unwrap();
        let packet = audio.packetize(&NumberedSound { number: frame as u16, sound }, now);
        copies_sent += state.audio.red_copies(now);
        let arrivals = link.send(packet.marshal_size() + 14, now);
        loss.note(now, arrivals[0].is_none());
        far.expect(packet, arrivals);
        for n in 0..video_packets {
            let at = now + Duration::from_micros((n + 1) * 20_000 / (video_packets + 1));
            loss.note(at, link.send(1150, at)[0].is_none());
        }
        far.speech.set_speed(far.buffer.speed_ppm());
        far.play(now + Duration::from_millis(13));
        if frame == WARM_UP {
            before = Some((far.buffer.stats().jitter, far.speech.changed()));
        } else if frame > WARM_UP {
            delay += u64::from(far.buffer.stats().jitter.delay_ms);
            target += u64::from(far.buffer.stats().jitter.target_ms);
        }
    }
    let ((stats, changed), counted) = (before.unwrap(), (FRAMES - WARM_UP) as f64);
    let percent =
        |of: fn(&AudioJitterStats) -> u64| (of(&far.buffer.stats().jitter) - of(&stats)) as f64 / counted / 0.2;
    let tempo = |n: usize| (far.speech.changed()[n] - changed[n]) as f64 / (counted * FRAME_SAMPLES as f64) * 100.0;
    let heard = Heard {
        concealed_percent: percent(|stats| stats.concealed_ms),
        recovered_percent: percent(|stats| stats.recovered_ms),
        delay_ms: delay as f64 / counted,
        target_ms: target as f64 / counted,
        tempo_percent: [tempo(0), tempo(1)],
        copies: copies_sent as f64 / FRAMES as f64,
    };
    let kind = if redundant { "copies" } else { "no copies" };
    let Heard { concealed_percent, recovered_percent, delay_ms, target_ms, tempo_percent, copies } = &heard;
    println!(
        "{profile:28} {kind:9} concealed {concealed_percent:5.2} % recovered {recovered_percent:5.2} % delay {delay_ms:5.1} ms \
         target {target_ms:5.1} ms, shorter/longer {tempo_percent:.2?} %, {copies:.2} copies"
    );
    heard
}

/// Loss that the sender knows of: of the last second, and half a second late.
#[derive(Default)]
struct MeasuredLoss(VecDeque<(MediaTime, bool)>);

impl MeasuredLoss {
    fn note(&mut self, now: MediaTime, lost: bool) {
        self.0.push_back((now, lost));
    }

    fn at(&mut self, now: MediaTime) -> f64 {
        while self.0.front().is_some_and(|(at, _)| now.since(*at) > Duration::from_millis(1500)) {
            self.0.pop_front();
        }
        let known = self.0.iter().filter(|(at, _)| now.since(*at) > Duration::from_millis(500));
        let (lost, all) = known.fold((0, 0), |(lost, all), (_, gone)| (lost + u32::from(*gone), all + 1));
        if all < 30 { 0.0 } else { f64::from(lost) / f64::from(all) }
    }
}

/// The far side, and the packets on their way there.
struct Far {
    on_the_way: BTreeMap<(MediaTime, u64), Packet>,
    sent: u64,
    receive: AudioReceive,
    buffer: SoundBuffer,
    speech: Speech,
}

impl Far {
    fn new() -> Self {
        Self {
            on_the_way: BTreeMap::new(),
            sent: 0,
            receive: AudioReceive::new(),
            buffer: SoundBuffer::default(),
            speech: Speech::new().unwrap(),
        }
    }

    fn expect(&mut self, packet: Packet, arrivals: [Option<MediaTime>; 2]) {
        for at in arrivals.into_iter().flatten() {
            self.sent += 1;
            self.on_the_way.insert((at, self.sent), packet.clone());
        }
    }

    fn play(&mut self, now: MediaTime) {
        while let Some(first) = self.on_the_way.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), packet) = first.remove_entry();
            self.receive.handle(Arrival::Rtp(packet), at, |sound| self.buffer.push(sound));
        }
        self.speech.fill(|quiet, ahead| self.buffer.pull(quiet, ahead, now));
    }
}

#[test]
fn a_clean_path_adds_little_delay_and_no_copies() {
    let heard = call("delay=25", true, 4);
    assert!(heard.concealed_percent == 0.0 && heard.copies == 0.0 && heard.delay_ms < 35.0, "{heard:?}");
}

#[test]
fn copies_keep_what_is_made_up_under_the_aims() {
    for (profile, most) in [
        ("loss=2,delay=25", 0.5),
        ("loss=5,delay=25", 1.0),
        ("loss=10,delay=25", 2.0),
        ("loss=10,burst=3,delay=25", 2.0),
        ("loss=20,delay=25", 5.0),
        ("loss=2,delay=150", 0.5),
    ] {
        let (alone, copies) = (call(profile, false, 4), call(profile, true, 4));
        assert!(copies.concealed_percent < most, "{profile}: {copies:?}");
        assert!(copies.concealed_percent <= alone.concealed_percent, "{profile}: {alone:?}");
        assert!(copies.recovered_percent > alone.concealed_percent / 2.0, "{profile}: {copies:?}");
        assert!(copies.delay_ms < 90.0 && copies.target_ms <= copies.delay_ms + 4.0, "{profile}: {copies:?}");
    }
}

#[test]
fn jitter_is_bridged_without_much_delay() {
    for (profile, delay) in [("delay=50,jitter=30", 130.0), ("delay=50,jitter=10", 70.0)] {
        let heard = call(profile, true, 4);
        assert!(heard.concealed_percent < 1.0 && heard.delay_ms < delay, "{profile}: {heard:?}");
        assert!(heard.tempo_percent.iter().sum::<f64>() < 2.0, "{profile}: {heard:?}");
    }
}
