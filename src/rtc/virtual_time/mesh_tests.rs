//! A conversation of three in virtual time: one side sends its picture to two others over links of their own, as the
//! fan-out and the encoder's thread do.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::call::{Call, film};
use crate::encoder::{Rate, Renditions};
use crate::identity::PeerId;
use crate::media::{MediaTime, PictureSource, StreamId, VideoBudget, VideoFrame};
use crate::media_send::{PathRate, Receiver, Simulcast, Uplink};

const SIZE: (u32, u32) = (640, 360);
const KBPS: u32 = 800;
const STRONG: &str = "rate=4000,queue=200,delay=20";

/// The sender, and its call to each receiver.
struct Mesh {
    start: Instant,
    now_ms: u64,
    calls: BTreeMap<PeerId, Call>,
    simulcast: Simulcast,
    uplink: Uplink,
    renditions: Renditions,
    film: Vec<VideoFrame>,
    pictures: u64,
    /// Lines of the pictures that each rendition is made of at the end.
    lines: [Option<u32>; 3],
    keyframes: [u32; 3],
}

impl Mesh {
    fn over(links: &[&str]) -> Self {
        let start = Instant::now();
        let call = |link: &&str| {
            let mut call = Call::from(start, [*link, *link], SIZE, KBPS);
            call.filming = false;
            call
        };
        let ids = (1..).map(|number| PeerId::from_bytes([number; 32]));
        Self {
            start,
            now_ms: 0,
            calls: ids.zip(links.iter().map(call)).collect(),
            simulcast: Simulcast::default(),
            uplink: Uplink::default(),
            renditions: Renditions::default(),
            film: film(SIZE.0, SIZE.1),
            pictures: 0,
            lines: [None; 3],
            keyframes: [0; 3],
        }
    }

    /// To so many receivers, all behind one uplink.
    fn behind(uplink: &str, count: usize) -> Self {
        let mut mesh = Self::over(&vec![uplink; count]);
        let mut calls = mesh.calls.values_mut();
        if let Some(first) = calls.next() {
            calls.zip(7..).for_each(|(call, seed)| call.ends[0].path.share_bottleneck(&first.ends[0].path, seed));
        }
        mesh
    }

    fn capture(&mut self, now: MediaTime) {
        // There and back again.
        let round = self.film.len() as u64 * 2 - 2;
        let at = (self.pictures % round) as usize;
        let picture = &mut self.film[at.min(round as usize - at)];
        picture.captured_at = now;
        let rate = |(&peer, call): (&PeerId, &Call)| PathRate {
            peer,
            kbps: call.ends[0].granted_kbps(now),
            needed_kbps: KBPS,
        };
        let rates: Vec<_> = self.calls.iter().map(rate).collect();
        let uplink_kbps = self.uplink.follow(StreamId::CAMERA, &rates, now);
        let receiver = |(&peer, call): (&PeerId, &Call)| {
            let wanted_kbps = if self.uplink.may_probe(peer) { KBPS } else { 0 };
            let budget = call.ends[0].budget(wanted_kbps, now);
            Receiver { peer, budget: VideoBudget { max_lines: SIZE.1, ..budget } }
        };
        let receivers: Vec<_> = self.calls.iter().map(receiver).collect();
        let source = PictureSource { lines: SIZE.1, max_kbps: KBPS };
        let plans = self.simulcast.plan(receivers.into_iter(), source, uplink_kbps, now);
        for (rendition, plan) in plans.in_order() {
            let most = Rate { kbps: KBPS, max_fps: 30 };
            self.lines[rendition] = None;
            let Some(encoded) = self.renditions.encode(rendition, plan, picture, most, || now) else { continue };
            self.lines[rendition] = plan.map(|plan| plan.budget.max_lines);
            if let Some(unit) = encoded.unwrap() {
                self.keyframes[rendition] += u32::from(unit.keyframe);
                let calls = &self.calls;
                self.simulcast.deliver(rendition, &unit, |peer| calls[&peer].ends[0].send_picture(&unit));
            }
        }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 1000 {
            self.now_ms += 1;
            let now = MediaTime::of(self.start + Duration::from_millis(self.now_ms));
            for (&peer, call) in &self.calls {
                if call.ends[0].path.keyframe_wanted.swap(false, Relaxed) {
                    self.simulcast.request_keyframe(peer);
                }
            }
            if self.now_ms * 30 / 1000 > self.pictures {
                self.pictures = self.now_ms * 30 / 1000;
                self.capture(now);
            }
            self.calls.values_mut().for_each(Call::step);
        }
    }

    /// Percent frozen, pictures a second and kbit/s that each receiver sees between two moments.
    fn seen(&self, from: u64, to: u64) -> Vec<(f64, f64, f64)> {
        self.calls.values().map(|call| call.seen(1, from, to)).collect()
    }
}

#[test]
fn a_weak_receiver_has_a_rendition_of_its_own_and_slows_nobody() {
    let mut alone = Mesh::over(&[STRONG]);
    alone.run(30);
    let mut three = Mesh::over(&[STRONG, "rate=250,queue=200,delay=20"]);
    three.run(30);
    let (alone, seen) = (alone.seen(10, 30)[0], three.seen(10, 30));
    println!("alone {alone:.1?}; beside a weak one {:.1?}, who sees {:.1?} (% frozen, fps, kbit/s)", seen[0], seen[1]);
    println!("lines {:?}, keyframes {:?}", three.lines, three.keyframes);
    assert_eq!(three.lines, [Some(360), Some(180), None], "two renditions");
    assert!(seen[0].0 <= alone.0 + 0.5 && seen[0].1 >= 0.97 * alone.1 && seen[0].2 >= 0.9 * alone.2, "as alone");
    assert!(seen[1].0 <= 1.0 && seen[1].1 >= 14.0 && seen[1].2 >= 100.0, "and the weak one as its path bears");
}

#[test]
fn a_receiver_with_somewhat_less_has_half_of_the_pictures_of_the_one_rendition_and_slows_nobody() {
    let mut alone = Mesh::over(&[STRONG]);
    alone.run(30);
    let mut three = Mesh::over(&[STRONG, "rate=730,queue=200,delay=20", STRONG]);
    three.run(30);
    let (alone, seen) = (alone.seen(12, 30)[0], three.seen(12, 30));
    println!(
        "alone {alone:.1?}; of three {seen:.1?} (% frozen, fps, kbit/s), {:?}, {:?}",
        three.lines, three.keyframes
    );
    assert_eq!(three.lines, [Some(360), None, None], "one rendition");
    for strong in [seen[0], seen[2]] {
        assert!(strong.0 <= alone.0 + 0.5 && strong.1 >= 0.97 * alone.1 && strong.2 >= 0.85 * alone.2, "as alone");
    }
    assert!(seen[1].0 <= 1.0 && (13.0..24.0).contains(&seen[1].1) && seen[1].2 >= 300.0, "{:?}", seen[1]);
    assert!(three.keyframes.iter().sum::<u32>() <= 8, "{:?}", three.keyframes);
}

#[test]
fn receivers_behind_one_uplink_share_it_and_none_is_frozen() {
    let mut three = Mesh::behind("rate=1500,queue=200,delay=20", 3);
    three.run(50);
    let seen = three.seen(20, 50);
    println!("behind 1500 kbit/s {seen:.1?} (% frozen, fps, kbit/s), {:?}, {:?}", three.lines, three.keyframes);
    let sum: f64 = seen.iter().map(|one| one.2).sum();
    assert!((700.0..1500.0).contains(&sum), "{sum} kbit/s");
    for one in &seen {
        assert!(one.0 <= 3.0 && one.1 >= 12.0 && one.2 >= sum / 6.0, "{one:?} of {sum}");
    }
}

#[test]
fn a_path_that_narrows_in_a_conversation_of_three_disturbs_nobody_else_and_comes_back() {
    let mut three = Mesh::over(&[STRONG, "rate=4000,step=10:250,step=25:4000,queue=200,delay=20"]);
    three.run(22);
    assert_eq!(three.lines, [Some(360), Some(180), None]);
    three.run(23);
    let [strong, narrowed, back] = [three.seen(2, 45)[0], three.seen(14, 25)[1], three.seen(38, 45)[1]];
    println!("strong {strong:.1?}, narrowed {narrowed:.1?}, back {back:.1?}; keyframes {:?}", three.keyframes);
    assert_eq!(three.lines, [Some(360), None, None], "one rendition again");
    assert!(strong.0 <= 0.5 && strong.1 >= 28.0, "{strong:?}");
    assert!(narrowed.0 <= 2.0 && narrowed.1 >= 12.0, "{narrowed:?}");
    assert!(back.0 <= 0.5 && back.2 >= 0.8 * three.seen(38, 45)[0].2, "{back:?}");
    assert!(three.keyframes.iter().sum::<u32>() <= 12, "{:?}", three.keyframes);
}
