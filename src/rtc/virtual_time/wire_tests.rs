//! Departures on the wire, in virtual time: how repairs are spread, behind all interceptors of both sides.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::Packet;

use super::end::{Departure, VirtualEnd};
use crate::codec::{CodecSupport, VideoCodec};
use crate::media::{MediaTime, OutgoingPicture};
use crate::rtc::stream::VideoSend;

/// Pictures leave at a faster pace than the target by this factor, and so does everything.
const HEADROOM: f64 = 1.3;
/// Bytes of a keyframe that fills a block of FEC, and of other pictures.
const KEYFRAME: usize = 48 * 1150;
const PICTURE: usize = 6000;

/// Departures of a call over a link, of the end that sends pictures.
fn departures(profile: &str, fec: bool, seconds: u64) -> Vec<Departure> {
    let start = Instant::now();
    let _ = MediaTime::of(start);
    let profile = profile.parse().unwrap();
    let mut ends = [1, 2].map(|number| VirtualEnd::new(number, &profile, MediaTime::of(start)));
    ends[0].state.far.set(true, fec, CodecSupport::default());
    let mut video = VideoSend::new(ends[0].own.video, 7, &ends[0].state);
    let mut packets = Vec::new();
    for ms in 0..seconds * 1000 {
        let now = start + Duration::from_millis(ms);
        if ms * 30 % 1000 < 30 && ends[0].state.pacer.is_empty() {
            let keyframe = ends[0].keyframe_wanted.swap(false, Relaxed) || ms % 2000 < 34;
            let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }];
            data.resize(if keyframe { KEYFRAME } else { PICTURE }, 9);
            let captured_at = MediaTime::of(now);
            let unit = OutgoingPicture { codec: VideoCodec::PREFERRED, data: data.into(), keyframe, captured_at };
            video.packetize(&unit, &mut packets, captured_at);
            packets.drain(..).for_each(|packet| ends[0].write(Packet::Rtp(packet), now));
        }
        for n in 0..2 {
            ends[n].advance(now);
            let arrived = ends[n].arrived(MediaTime::of(now));
            ends[1 - n].receive(arrived, now, |_| {});
        }
    }
    let [end, _] = ends;
    end.departed
}

/// The most bytes of repairs within 5 ms beyond what the pace allows and the largest packet, and all bytes of repairs.
fn excess(departures: &[Departure]) -> (f64, usize) {
    let repairs: Vec<_> = departures.iter().filter(|one| one.kind > 0).collect();
    let mut worst = f64::MIN;
    for (n, first) in repairs.iter().enumerate() {
        let window: Vec<_> =
            repairs[n..].iter().take_while(|one| one.at < first.at + Duration::from_millis(5)).collect();
        let bytes: usize = window.iter().map(|one| one.size).sum();
        let largest = window.iter().map(|one| one.size).max().unwrap_or(0);
        let rate = window.iter().map(|one| one.wire_bps).max().unwrap_or(0) as f64 * HEADROOM / 8.0;
        worst = worst.max(bytes as f64 - largest as f64 - rate * 0.005);
    }
    (worst, repairs.iter().map(|one| one.size).sum())
}

#[test]
fn repairs_leave_at_the_pace_and_never_as_a_burst() {
    for (link, fec) in [
        ("loss=20,delay=25", true),
        ("loss=20,delay=25", false),
        ("loss=20,burst=3,delay=25", true),
        ("loss=20,delay=25,rate=3000", true),
    ] {
        let departures = departures(link, fec, 20);
        let (excess, bytes) = excess(&departures);
        println!("{link}, FEC {fec}: {bytes} bytes of repairs, {excess:.0} beyond the pace");
        assert!(bytes > 100_000, "{link}: nothing was tested");
        assert!(excess <= 1.0, "{link}, FEC {fec}: {excess:.0} bytes in 5 ms beyond the pace and one packet");
    }
}
