//! Streams of pictures of one connection: each has queues, state, requests and counts of its own, and a place in the
//! interceptors. They share the path, and the rate that congestion control allows on it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use super::bwe::CongestionControl;
use super::connection::Interceptors;
use super::connection_state::ConnectionState;
use super::event::{Events, PeerEvent, PictureStreamSink};
use super::pacing::Pacer;
use super::receiving::KeyframeRequests;
use super::receiving::media_tap::{MediaTap, ReceivedMedia};
use super::repair::fec::ForwardErrorCorrection;
use super::repair::nack::NackGenerator;
use super::rtcp_observer::RtcpObserver;
use super::sending::{self, MediaQueues, MediaReceivers};
use super::streams::{FarStreams, StreamTable};
use super::transport::source_gate::SourceGate;
use crate::media::{MediaTime, OutgoingPicture, PictureSink, StreamId, StreamKind, VideoBudget};

/// Pictures of a stream come at least this often while it is sent.
const PICTURE_PAUSES: Duration = Duration::from_secs(1);

/// One stream of pictures, as the handle uses it. The camera's carries the sound, too.
pub(super) struct PictureStream {
    pub(super) id: StreamId,
    pub(super) state: ConnectionState,
    pub(super) media: Arc<MediaQueues>,
    pub(super) keyframe_requests: KeyframeRequests,
    /// When the latest picture was captured, in microseconds; 0 before the first.
    sent_us: AtomicU64,
}

impl PictureStream {
    /// Sends a picture.
    pub(super) fn send(&self, picture: &OutgoingPicture) {
        self.sent_us.store(picture.captured_at.as_micros().max(1), Relaxed);
        self.media.send_video(picture);
    }

    /// True while pictures are sent in it.
    pub(super) fn is_sent(&self, now: MediaTime) -> bool {
        let sent = self.sent_us.load(Relaxed);
        sent != 0 && now.since(MediaTime::from_micros(sent)) < PICTURE_PAUSES
    }
}

/// One stream of pictures, as the peer task knows it.
pub(super) struct StreamContext {
    pub(super) id: StreamId,
    pub(super) kind: StreamKind,
    pub(super) state: ConnectionState,
    /// Its events; held here, for its queues hold it weakly.
    events: Events,
    pub(super) media: Weak<MediaQueues>,
}

impl StreamContext {
    /// Notice that a keyframe of the stream is wanted.
    fn on_keyframe_request(&self) -> impl Fn() + Send + Sync + 'static {
        let (events, stream) = (Arc::clone(&self.events), self.id);
        move || events(PeerEvent::KeyframeRequested { stream })
    }
}

/// Ends of the queues that the tasks of one stream of pictures take with them.
pub(super) struct StreamEnds {
    pub(super) id: StreamId,
    pub(super) sink: Box<dyn PictureSink>,
    pub(super) receivers: MediaReceivers,
    /// Keyframe requests of the handles.
    pub(super) requests: mpsc::Receiver<()>,
}

/// A stream of pictures for `sink`, on a connection of this `state`.
pub(super) fn stream(
    sink: PictureStreamSink,
    state: &ConnectionState,
    events: &Events,
) -> (PictureStream, StreamContext, StreamEnds) {
    let PictureStreamSink { id, kind, sink } = sink;
    let state = if id == StreamId::CAMERA { state.clone() } else { state.of_further_stream() };
    let of_all = Arc::clone(events);
    let events: Events = Arc::new(move |event| of_all(event.of_stream(id)));
    let (media, receivers) = sending::queues(&state, &events);
    let media = Arc::new(media);
    let (keyframe_requests, requests) = mpsc::channel(1);
    let context = StreamContext { id, kind, state: state.clone(), events, media: Arc::downgrade(&media) };
    let handle = PictureStream { id, state, media, keyframe_requests, sent_us: AtomicU64::new(0) };
    (handle, context, StreamEnds { id, sink, receivers, requests })
}

/// One stream's part of a budget where so many others are sent, too.
pub(super) fn share_of(budget: VideoBudget, others: usize) -> VideoBudget {
    if budget.kbps == VideoBudget::UNLIMITED.kbps {
        return budget;
    }
    VideoBudget { kbps: budget.kbps / (others as u32 + 1), ..budget }
}

/// This side's interceptors of a connection, and the queues that received media comes out of.
pub(super) fn interceptors(
    pictures: &[StreamContext],
    state: &ConnectionState,
    table: &StreamTable,
    (far, gate): (&FarStreams, Arc<SourceGate>),
) -> (Interceptors, ReceivedMedia) {
    let call = table.with_sound(StreamId::CAMERA);
    let camera = pictures.iter().find(|stream| stream.id == StreamId::CAMERA);
    let on_keyframe_request = || {
        let request = camera.map(StreamContext::on_keyframe_request);
        move || request.iter().for_each(|request| request())
    };
    let mut observer = RtcpObserver::new(state, (call.video, call.audio), on_keyframe_request())
        .of_streams(far.clone())
        .telling_reporters(move |ssrc| gate.confirm_reporter(ssrc));
    let mut congestion = CongestionControl::new(state, on_keyframe_request());
    let mut pacer = Pacer::new(state);
    let (tap, mut received) = MediaTap::new();
    let mut tap = tap.of_streams(far.clone());
    for stream in pictures.iter().filter(|stream| stream.id != StreamId::CAMERA) {
        let ssrc = table.with_sound(stream.id).video;
        observer = observer.with_video((stream.id, ssrc), &stream.state, stream.on_keyframe_request());
        congestion = congestion.with_video(ssrc, &stream.state, stream.on_keyframe_request());
        pacer = pacer.with_video(ssrc, &stream.state);
        received.further.push((stream.id, tap.add_stream(stream.id)));
    }
    let nack_generator = NackGenerator::new(state, table.reporter());
    let fec = ForwardErrorCorrection::new(state);
    (Interceptors { observer, congestion, nack_generator, fec, pacer, tap }, received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::VideoCodec;

    #[test]
    fn streams_that_are_sent_together_share_what_the_path_carries() {
        let budget = VideoBudget { kbps: 900, ..VideoBudget::UNLIMITED };
        assert_eq!([0, 1, 2].map(|others| share_of(budget, others).kbps), [900, 450, 300]);
        assert_eq!(share_of(VideoBudget::UNLIMITED, 1), VideoBudget::UNLIMITED, "before anything is known");
    }

    fn picture(captured_at: MediaTime) -> OutgoingPicture {
        OutgoingPicture { codec: VideoCodec::PREFERRED, data: bytes::Bytes::new(), keyframe: true, captured_at }
    }

    #[test]
    fn a_stream_is_sent_while_its_pictures_come() {
        let events: Events = Arc::new(|_| {});
        let sink = PictureStreamSink::screen(|_: crate::media::ReceivedPicture| true);
        let (screen, _context, _ends) = stream(sink, &ConnectionState::default(), &events);
        let at = MediaTime::from_millis;
        assert!(!screen.is_sent(at(500)));
        screen.send(&picture(at(1000)));
        assert!(screen.is_sent(at(1999)) && !screen.is_sent(at(2000)));
    }
}
