//! A call of two in virtual time, over the whole way of pictures: a film, the encoder, the pacer, every interceptor of
//! a connection, a link each way, the jitter buffer.

#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::Packet;

use super::end::VirtualEnd;
use crate::capture::film::Film;
use crate::encoder::{PictureEncoder, Rate};
use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, ReceivedPicture, VideoBudget, VideoFrame};
use crate::rtc::LinkProfile;
use crate::rtc::event::Events;
use crate::rtc::sending::{MediaQueues, MediaReceivers, queues};
use crate::rtc::stream::{AudioSend, VideoSend};

/// Bytes in a packet of sound at 32 kbit/s.
const SOUND: usize = 80;

/// One side of a call.
pub(super) struct End {
    pub(super) path: VirtualEnd,
    queues: MediaQueues,
    /// The queues hold it weakly.
    _events: Events,
    sending: MediaReceivers,
    video: VideoSend,
    audio: AudioSend,
    encoder: PictureEncoder,
    /// When pictures came from the other end, in ms, and their bytes.
    pub(super) pictures: Vec<(u64, usize)>,
    /// The latest keyframe among them.
    pub(super) latest_keyframe: Option<ReceivedPicture>,
}

impl End {
    fn new(number: u32, profile: &LinkProfile, now: MediaTime) -> Self {
        let path = VirtualEnd::new(number, profile, now);
        let wanted = Arc::clone(&path.keyframe_wanted);
        let events: Events = Arc::new(move |_| wanted.store(true, Relaxed));
        let (queues, sending) = queues(&path.state, &events);
        queues.set_open(true);
        queues.set_sound_open(true);
        Self {
            queues,
            _events: events,
            sending,
            video: VideoSend::new(path.own.video, 1, &path.state),
            audio: AudioSend::new(path.own.audio, 2, &path.state),
            encoder: PictureEncoder::default(),
            pictures: Vec::new(),
            latest_keyframe: None,
            path,
        }
    }

    fn capture(&mut self, picture: &VideoFrame, kbps: u32, layers: u8, now: MediaTime) {
        let most = Rate { kbps, max_fps: 30 };
        let budget = VideoBudget { layers, ..self.budget(kbps, now) };
        if let Some(unit) = self.encoder.encode(picture, most, budget, &self.path.keyframe_wanted, || now).unwrap() {
            self.send_picture(&unit);
        }
    }

    /// Bit rate that the path grants pictures, in kbit/s.
    pub(super) fn granted_kbps(&self, now: MediaTime) -> u32 {
        self.queues.granted_kbps(now).unwrap()
    }

    /// Budget of the path for pictures, which would take `wanted_kbps`.
    pub(super) fn budget(&self, wanted_kbps: u32, now: MediaTime) -> VideoBudget {
        self.queues.budget(wanted_kbps, now).unwrap()
    }

    /// Sends a picture that was encoded elsewhere.
    pub(super) fn send_picture(&self, unit: &OutgoingPicture) {
        self.queues.send_video(unit);
    }

    fn speak(&self, now: Instant) {
        self.queues.send_audio(&OutgoingSound { data: vec![7; SOUND].into(), captured_at: MediaTime::of(now) });
    }

    /// Width and height of the latest picture that was encoded.
    pub(super) fn picture_size(&self) -> (u32, u32) {
        self.encoder.size
    }

    /// Drives the send paths as the sending task does.
    fn send(&mut self, now: Instant) {
        while let Ok(sound) = self.sending.audio.try_recv() {
            let packet = self.audio.packetize(&sound, MediaTime::of(now));
            self.path.write(Packet::Rtp(packet), now);
        }
        let mut packets = Vec::new();
        while self.video.has_room(MediaTime::of(now))
            && let Ok(picture) = self.sending.video.try_recv()
        {
            self.video.packetize(&picture, &mut packets, MediaTime::of(now));
            for packet in packets.drain(..) {
                self.path.write(Packet::Rtp(packet), now);
            }
        }
    }
}

/// Pictures of a second of film.
pub(super) fn film(width: u32, height: u32) -> Vec<VideoFrame> {
    let film = Film::new(width, height);
    let picture = |number| {
        let mut frame = VideoFrame::black(width, height);
        film.draw(number, &mut frame);
        frame
    };
    (0..24).map(picture).collect()
}

/// A call of two over a link.
pub(super) struct Call {
    start: Instant,
    now_ms: u64,
    pub(super) ends: [End; 2],
    film: Vec<VideoFrame>,
    /// Bit rate that the settings allow for the pictures.
    pub(super) kbps: u32,
    pictures: u64,
    /// The scene stands still.
    pub(super) still: bool,
    /// Pictures come from the cameras.
    pub(super) filming: bool,
    /// Temporal layers of the pictures.
    pub(super) layers: u8,
}

impl Call {
    /// A call over the same link both ways.
    pub(super) fn over(profile: &str, size: (u32, u32), kbps: u32) -> Self {
        Self::between([profile; 2], size, kbps)
    }

    /// A call over a link of its own each way: that of the first end, and that of the second.
    pub(super) fn between(profiles: [&str; 2], size: (u32, u32), kbps: u32) -> Self {
        Self::from(Instant::now(), profiles, size, kbps)
    }

    /// Another call over the same bottlenecks, each way. Both go on step by step in turn.
    pub(super) fn beside(other: &Self, profile: &str, size: (u32, u32), kbps: u32) -> Self {
        let mut call = Self::from(other.start, [profile; 2], size, kbps);
        for (n, end) in call.ends.iter_mut().enumerate() {
            end.path.share_bottleneck(&other.ends[n].path, 100 + n as u64);
        }
        call
    }

    /// A call whose clock begins at `start`.
    pub(super) fn from(start: Instant, profiles: [&str; 2], (width, height): (u32, u32), kbps: u32) -> Self {
        // The clock begins before the call.
        let _ = MediaTime::of(start);
        let film = film(width, height);
        let end = |number: u32, profile: &str| End::new(number, &profile.parse().unwrap(), MediaTime::of(start));
        let ends = [end(1, profiles[0]), end(2, profiles[1])];
        Self { start, now_ms: 0, ends, film, kbps, pictures: 0, still: false, filming: true, layers: 1 }
    }

    /// Goes on for so many seconds.
    pub(super) fn run(&mut self, seconds: u64) {
        (0..seconds * 1000).for_each(|_| self.step());
    }

    /// Lets a millisecond pass before the call begins.
    pub(super) fn wait(&mut self) {
        self.now_ms += 1;
        self.pictures = self.now_ms * 30 / 1000;
    }

    /// Goes on for a millisecond.
    pub(super) fn step(&mut self) {
        self.now_ms += 1;
        let now = self.start + Duration::from_millis(self.now_ms);
        if self.filming && self.now_ms * 30 / 1000 > self.pictures {
            self.pictures = self.now_ms * 30 / 1000;
            // There and back again.
            let round = self.film.len() as u64 * 2 - 2;
            let at = if self.still { 0 } else { (self.pictures % round) as usize };
            let picture = &mut self.film[at.min(round as usize - at)];
            picture.captured_at = MediaTime::of(now);
            for end in &mut self.ends {
                end.capture(picture, self.kbps, self.layers, MediaTime::of(now));
            }
        }
        for (n, end) in self.ends.iter_mut().enumerate() {
            if self.now_ms % 20 == 3 + n as u64 * 7 {
                end.speak(now);
            }
            end.send(now);
            end.path.advance(now);
        }
        for n in 0..2 {
            let packets = self.ends[n].path.arrived(MediaTime::of(now));
            let far = &mut self.ends[1 - n];
            far.path.receive(packets, now, |unit| {
                far.pictures.push((self.now_ms, unit.data.len()));
                if unit.keyframe {
                    far.latest_keyframe = Some(unit);
                }
            });
        }
    }

    /// Percent of the time between two moments (in s) in gaps of more than 200 ms, pictures a second, kbit/s.
    pub(super) fn seen(&self, end: usize, from: u64, to: u64) -> (f64, f64, f64) {
        let (from, to) = (from * 1000, to * 1000);
        let pictures: Vec<_> = self.ends[end].pictures.iter().filter(|one| (from..to).contains(&one.0)).collect();
        let times: Vec<u64> = [from].into_iter().chain(pictures.iter().map(|one| one.0)).chain([to]).collect();
        let frozen: u64 = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 200).sum();
        let bytes: usize = pictures.iter().map(|one| one.1).sum();
        let millis = (to - from) as f64;
        (frozen as f64 * 100.0 / millis, pictures.len() as f64 * 1000.0 / millis, bytes as f64 * 8.0 / millis)
    }

    /// The longest time between two pictures of those between two moments (in s), in ms.
    pub(super) fn longest_gap(&self, end: usize, from: u64, to: u64) -> u64 {
        let inside = self.ends[end].pictures.iter().map(|one| one.0).filter(|at| (from * 1000..to * 1000).contains(at));
        let times: Vec<u64> = [from * 1000].into_iter().chain(inside).chain([to * 1000]).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}
