//! The pacer: an interceptor that lets media, retransmissions, FEC and probes leave at the rate that the path carries.
//!
//! Nearer to the network than everything that makes packets, and before the transport-wide numbers: a packet is
//! numbered, and its departure noted, when it leaves.
//!
//! Audio leaves at once and is metered. Retransmissions (RTX, RFC 4588) come next, then video and FEC in their order,
//! as the receiver expects the FEC of a picture before the next picture. A picture may use the credit of a pause; RTX
//! and FEC leave singly, at the pace, because they come in bursts and at moments when the queue on the path is fullest.
//! RTCP is neither held nor metered. Runs on the tokio task of the peer connection; time is an argument.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, AttributedPacket, Packet, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::shared::TransportContext;

use super::bucket::LeakyBucket;
use super::pictures::KeyframeStart;
use super::prober::Prober;
use super::wire_size::wire_size;
use crate::media::MediaTime;
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::path::START_BPS;
use crate::rtc::stage::{Stage, StageContext};

/// Packets leave faster than the target by this factor: frames differ in size, and the mean is the encoder's business.
const HEADROOM: f64 = 1.3;
/// Between the bursts of a large picture: timers are no finer than some milliseconds.
const BURST: Duration = Duration::from_millis(5);
/// Credit of a pause for media, in time at the pace: an ordinary picture at 30 a second leaves at once.
const SAVED: Duration = Duration::from_millis(40);
/// Credit of a late timer for repairs that waited for it, at most.
const SAVED_LATE: Duration = Duration::from_millis(2);
/// Bytes of the packet train with which a path begins: its pace at the far side tells the capacity of the path (compare
/// the initial window of RFC 6928).
const FIRST_BURST: f64 = 14_600.0;
/// Bytes that may leave at once at most: less than the default socket buffers of systems.
const MAX_BURST: f64 = 48_000.0;
/// Bounds of the queues, in packets.
const MAX_RETRANSMISSIONS: usize = 256;
const MAX_MEDIA: usize = 8192;

/// Paces one connection.
pub(in crate::rtc) struct Pacer {
    state: ConnectionState,
    /// State of further streams of pictures, by SSRC.
    further: HashMap<u32, ConnectionState>,
    kinds: HashMap<u32, Kind>,
    /// Everything that is metered.
    bucket: LeakyBucket,
    /// RTX and FEC alone.
    repairs: LeakyBucket,
    retransmissions: VecDeque<TaggedPacket>,
    media: VecDeque<TaggedPacket>,
    prober: Prober,
    /// Sequence numbers of the next retransmissions, by SSRC. They are given at departure and never begin anew: two
    /// packets of one number would share their key stream (RFC 3711, 9.1).
    next_number: HashMap<u32, u16>,
    /// The RTX and FEC streams of each video stream, by its SSRC.
    repairs_of: HashMap<u32, [Option<u32>; 2]>,
    /// RTP timestamp of the picture that came last, by SSRC: streams come mixed.
    coming: HashMap<u32, u32>,
    /// The picture that leaves, by SSRC and timestamp.
    leaving: Option<(u32, u32)>,
    /// No picture has left on this path yet.
    fresh: bool,
    /// How many other paths there had been.
    path: u32,
    /// When something may leave.
    due: Option<Instant>,
}

/// Kinds of packets that are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Audio,
    Video,
    Retransmission,
    Fec,
    /// A retransmission that nobody asked for.
    Probe,
}

impl Pacer {
    pub(in crate::rtc) fn new(state: &ConnectionState) -> Self {
        Self {
            state: state.clone(),
            further: HashMap::new(),
            kinds: HashMap::new(),
            bucket: LeakyBucket::new(FIRST_BURST),
            repairs: LeakyBucket::new(1.0),
            retransmissions: VecDeque::new(),
            media: VecDeque::new(),
            prober: Prober::default(),
            next_number: HashMap::new(),
            repairs_of: HashMap::new(),
            coming: HashMap::new(),
            leaving: None,
            fresh: true,
            path: 0,
            due: None,
        }
    }

    /// The same, with a further stream of pictures that this side sends under an SSRC.
    pub(in crate::rtc) fn with_video(mut self, ssrc: u32, state: &ConnectionState) -> Self {
        self.further.insert(ssrc, state.clone());
        self
    }

    fn kind(&self, packet: &rtp::Packet) -> Kind {
        // A stream that was never bound is nobody's to hold.
        self.kinds.get(&packet.header.ssrc).copied().unwrap_or(Kind::Audio)
    }

    fn enqueue(&mut self, message: TaggedPacket, kind: Kind, passing: &mut StageContext) {
        match kind {
            Kind::Audio => self.depart(message, kind, passing),
            Kind::Retransmission | Kind::Probe => {
                // One that waits, or a queue that is full, makes another one worthless.
                let waits = self.retransmissions.iter().any(|one| original(one) == original(&message));
                if !waits && self.retransmissions.len() < MAX_RETRANSMISSIONS {
                    self.retransmissions.push_back(message);
                }
            }
            Kind::Video | Kind::Fec if self.media.len() < MAX_MEDIA => {
                if kind == Kind::Video {
                    self.picture_comes(&message);
                }
                self.media.push_back(message);
            }
            Kind::Video | Kind::Fec => {}
        }
    }

    /// With a keyframe nothing of its stream that still waits is of use: pictures before it, their FEC, and repairs.
    fn picture_comes(&mut self, message: &TaggedPacket) {
        let Packet::Rtp(packet) = &message.message.packet else { return };
        let (ssrc, timestamp) = (packet.header.ssrc, packet.header.timestamp);
        let is_new = self.coming.insert(ssrc, timestamp) != Some(timestamp);
        if is_new && self.state.pacer.supersede(ssrc, timestamp) {
            self.drop_stream(ssrc);
        }
    }

    /// Drops the packets of a video stream, of its RTX and of its FEC that have not left yet.
    fn drop_stream(&mut self, ssrc: u32) {
        let [rtx, fec] = self.repairs_of.get(&ssrc).copied().unwrap_or_default();
        let ssrcs = [Some(ssrc), rtx, fec];
        let is_theirs = |message: &TaggedPacket| match &message.message.packet {
            Packet::Rtp(packet) => ssrcs.contains(&Some(packet.header.ssrc)),
            _ => false,
        };
        self.media.retain(|message| !is_theirs(message));
        self.retransmissions.retain(|message| !is_theirs(message));
    }

    /// Meters a packet and lets it go.
    fn depart(&mut self, mut message: TaggedPacket, kind: Kind, passing: &mut StageContext) {
        let Packet::Rtp(packet) = &mut message.message.packet else { return };
        let size = wire_size(packet);
        self.bucket.take(size);
        let mut starts_keyframe = false;
        match kind {
            Kind::Audio => {}
            Kind::Video => {
                self.prober.departs(packet);
                starts_keyframe = self.picture_departs(packet, message.now);
            }
            Kind::Fec => self.repairs.take(size),
            Kind::Retransmission | Kind::Probe => {
                if kind == Kind::Retransmission {
                    self.repairs.take(size);
                }
                let next = self.next_number.entry(packet.header.ssrc).or_default();
                packet.header.sequence_number = *next;
                *next = next.wrapping_add(1);
            }
        }
        if starts_keyframe {
            message.message.add(Attribute::Custom(Arc::new(KeyframeStart)));
        }
        passing.writes.push_back(message);
    }

    /// Notes a packet of a picture that leaves; true when a keyframe begins with it.
    fn picture_departs(&mut self, packet: &rtp::Packet, now: Instant) -> bool {
        self.fresh = false;
        let (ssrc, timestamp) = (packet.header.ssrc, packet.header.timestamp);
        let begins = self.leaving.replace((ssrc, timestamp)) != Some((ssrc, timestamp));
        let starts_keyframe = begins && self.state.pacer.begin(ssrc, timestamp);
        self.state.pacer.note_left(ssrc, timestamp, packet.payload.len());
        if packet.header.marker
            && let Some(picture) = self.state.pacer.finish(ssrc, timestamp)
        {
            let at = MediaTime::of(now);
            let state = self.further.get(&ssrc).unwrap_or(&self.state);
            if picture.keyframe {
                state.video.keyframe_left(at);
            }
            state.counters.frames_sent.fetch_add(1, Relaxed);
            state.counters.video_bytes_sent.fetch_add(picture.bytes as u64, Relaxed);
            state.video.set_departure_delay(at.since(picture.captured_at));
        }
        starts_keyframe
    }

    /// Lets go the packets that may leave at `now`, and says when the next packet may.
    fn release(&mut self, now: Instant, passing: &mut StageContext) {
        self.follow_path();
        self.advance(now);
        while let Some(ssrc) = self.state.pacer.take_given_up() {
            self.drop_stream(ssrc);
        }
        if let Some(cluster) = self.state.pacer.take_probe() {
            self.prober.begin(cluster);
        }
        let at = MediaTime::of(now);
        let held_until = self.state.path.held_until(at).map(|until| now + until.since(at));
        if held_until.is_none() {
            self.probe(now, passing);
        }
        while self.bucket.is_open()
            && let Some((message, kind)) = self.next(held_until.is_some())
        {
            self.depart(TaggedPacket { now, ..message }, kind, passing);
        }
        self.due = self.next_departure(held_until, now);
    }

    /// Lets go the packets of a probe: pictures that wait, else retransmissions of recent packets; never audio.
    fn probe(&mut self, now: Instant, passing: &mut StageContext) {
        while let Some(mark) = self.prober.may_send(now) {
            let waits = self.front_kind() == Some(Kind::Video);
            let next = if waits { self.media.pop_front().map(|message| (message, Kind::Video)) } else { None };
            let next = next.or_else(|| {
                let message = AttributedPacket::new(Packet::Rtp(self.prober.retransmission()?));
                Some((TaggedPacket { now, transport: TransportContext::default(), message }, Kind::Probe))
            });
            let Some((mut message, kind)) = next else { return self.prober.give_up() };
            if let Packet::Rtp(packet) = &message.message.packet {
                self.prober.left(wire_size(packet));
            }
            message.message.add(Attribute::Custom(mark));
            self.depart(TaggedPacket { now, ..message }, kind, passing);
        }
    }

    fn advance(&mut self, now: Instant) {
        let target = match self.state.path.wire_bps() {
            0 => START_BPS,
            target => target,
        };
        let pace = target as f64 * HEADROOM / 8.0;
        let saved = (pace * SAVED.as_secs_f64()).clamp(1.0, MAX_BURST);
        // Audio takes nothing of the first burst.
        self.bucket.advance(pace, if self.fresh { saved.max(FIRST_BURST) } else { saved }, now);
        let late = self.due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due)).min(SAVED_LATE);
        let saved = 1.0 + pace * late.as_secs_f64();
        self.repairs.advance(pace, saved, now);
        self.repairs.cap(saved);
    }

    /// On another path the first packets tell its capacity.
    fn follow_path(&mut self) {
        let path = self.state.path.changes();
        if std::mem::replace(&mut self.path, path) != path {
            self.fresh = true;
            self.bucket.raise(FIRST_BURST);
            self.bucket.cap(FIRST_BURST);
        }
    }

    /// The next packet, as far as the pace of repairs and the window allow.
    fn next(&mut self, held: bool) -> Option<(TaggedPacket, Kind)> {
        if self.repairs.is_open()
            && let Some(message) = self.retransmissions.pop_front()
        {
            return Some((message, Kind::Retransmission));
        }
        let kind = self.front_kind().filter(|_| !held)?;
        if kind == Kind::Fec && !self.repairs.is_open() {
            return None;
        }
        self.media.pop_front().map(|message| (message, kind))
    }

    fn front_kind(&self) -> Option<Kind> {
        match &self.media.front()?.message.packet {
            Packet::Rtp(packet) => Some(self.kind(packet)),
            _ => None,
        }
    }

    fn next_departure(&self, held_until: Option<Instant>, now: Instant) -> Option<Instant> {
        let opens = self.bucket.opens_at(now);
        let repair = opens.max(self.repairs.opens_at(now));
        // A whole burst at once rather than each packet for itself.
        let burst = if self.bucket.is_open() { opens } else { opens + BURST };
        let media = self.front_kind().map(|kind| {
            let at = if kind == Kind::Fec { repair } else { burst };
            held_until.map_or(at, |until| at.max(until))
        });
        let retransmission = (!self.retransmissions.is_empty()).then_some(repair);
        let probe = self.prober.next_departure(now).map(|at| held_until.map_or(at, |until| at.max(until)));
        media.into_iter().chain(retransmission).chain(probe).min()
    }
}

/// The stream and the sequence number of the packet that a retransmission repeats (RFC 4588, 4).
fn original(message: &TaggedPacket) -> Option<(u32, [u8; 2])> {
    match &message.message.packet {
        Packet::Rtp(packet) => Some((packet.header.ssrc, *packet.payload.first_chunk()?)),
        _ => None,
    }
}

impl Stage for Pacer {
    fn read(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        // Feedback may have opened the window, raised the target, or led to a probe.
        let feedback = matches!(message.message.packet, Packet::Rtcp(_));
        let now = message.now;
        passing.reads.push_back(message);
        if feedback {
            self.release(now, passing);
        }
    }

    fn write(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        let now = message.now;
        let Packet::Rtp(packet) = &message.message.packet else {
            passing.writes.push_back(message);
            return;
        };
        let kind = self.kind(packet);
        // A pause before it gives a repair no credit.
        self.advance(now);
        self.enqueue(message, kind, passing);
        self.release(now, passing);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn timeout(&mut self, now: Instant, passing: &mut StageContext) {
        if self.due.is_some_and(|due| due <= now) {
            self.release(now, passing);
        }
    }

    fn bind_local(&mut self, stream: &StreamInfo) {
        let kind = if stream.mime_type.starts_with("audio/") { Kind::Audio } else { Kind::Video };
        self.kinds.entry(stream.ssrc).or_insert(kind);
        self.prober.bind(stream);
        self.repairs_of.insert(stream.ssrc, [stream.ssrc_rtx, stream.ssrc_fec]);
        self.kinds.extend(stream.ssrc_rtx.map(|ssrc| (ssrc, Kind::Retransmission)));
        self.kinds.extend(stream.ssrc_fec.map(|ssrc| (ssrc, Kind::Fec)));
    }

    fn unbind_local(&mut self, stream: &StreamInfo) {
        let ssrcs = [Some(stream.ssrc), stream.ssrc_rtx, stream.ssrc_fec];
        self.drop_stream(stream.ssrc);
        self.repairs_of.remove(&stream.ssrc);
        self.coming.remove(&stream.ssrc);
        for ssrc in ssrcs.into_iter().flatten() {
            self.kinds.remove(&ssrc);
        }
        self.prober.unbind(stream);
        self.state.pacer.forget(stream.ssrc);
    }
}

#[cfg(test)]
#[path = "pacer_tests.rs"]
mod tests;
