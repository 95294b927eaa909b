//! Keyframe requests of the receiving side, by stream, at the pace at which they may leave (PLI, RFC 4585, 6.3.1).

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::media::StreamId;

/// Between keyframe requests of one stream at least.
const PLI_INTERVAL: Duration = Duration::from_millis(300);

/// Far ends of the queues of requests, each of which holds one request at most.
#[derive(Debug, Default)]
pub(super) struct KeyframeInbox(Vec<StreamRequests>);

#[derive(Debug)]
struct StreamRequests {
    id: StreamId,
    requests: mpsc::Receiver<()>,
    /// When the next request may leave.
    next_at: Option<Instant>,
}

impl KeyframeInbox {
    /// Takes the requests of a stream, too.
    pub(super) fn add(&mut self, id: StreamId, requests: mpsc::Receiver<()>) {
        self.0.push(StreamRequests { id, requests, next_at: None });
    }

    /// The stream of the next request that may leave. Dropped before it is ready, it loses none.
    pub(super) async fn next(&mut self) -> StreamId {
        loop {
            let now = Instant::now();
            let later = self.next_at(now);
            tokio::select! {
                id = poll_fn(|context| self.poll_next(now, context)) => return id,
                () = tokio::time::sleep_until(later.unwrap_or(now)), if later.is_some() => {}
            }
        }
    }

    /// The stream of a request that may leave at `now`.
    fn poll_next(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<StreamId> {
        for one in self.0.iter_mut().filter(|one| one.next_at.is_none_or(|at| at <= now)) {
            if let Poll::Ready(Some(())) = one.requests.poll_recv(context) {
                one.next_at = Some(now + PLI_INTERVAL);
                return Poll::Ready(one.id);
            }
        }
        Poll::Pending
    }

    /// When requests that may not leave at `now` may.
    fn next_at(&self, now: Instant) -> Option<Instant> {
        self.0.iter().filter_map(|one| one.next_at).filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn each_stream_has_a_pace_of_its_own() {
        let (mut inbox, start) = (KeyframeInbox::default(), Instant::now());
        let (camera, requests) = mpsc::channel(1);
        inbox.add(StreamId::CAMERA, requests);
        let (screen, requests) = mpsc::channel(1);
        inbox.add(StreamId::SCREEN, requests);
        let next = |inbox: &mut KeyframeInbox, ms| {
            let polled = inbox.poll_next(start + Duration::from_millis(ms), &mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(id) = polled { Some(id) } else { None }
        };
        camera.try_send(()).unwrap();
        assert_eq!(next(&mut inbox, 0), Some(StreamId::CAMERA));
        camera.try_send(()).unwrap();
        screen.try_send(()).unwrap();
        assert_eq!(next(&mut inbox, 10), Some(StreamId::SCREEN), "the camera's pace does not hold it up");
        assert_eq!(inbox.next_at(start + Duration::from_millis(10)), Some(start + PLI_INTERVAL));
        assert_eq!((next(&mut inbox, 299), next(&mut inbox, 300)), (None, Some(StreamId::CAMERA)));
        assert_eq!(next(&mut inbox, 5000), None, "each request leaves once");
        drop(camera);
        screen.try_send(()).unwrap();
        assert_eq!(next(&mut inbox, 6000), Some(StreamId::SCREEN), "a stream that has ended holds up none");
    }
}
