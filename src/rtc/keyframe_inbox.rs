//! Keyframe requests that are due (PLI, RFC 4585, 6.3.1), by stream: from the receiving tasks to the peer task.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::receiving::KeyframeRequests;
use crate::media::StreamId;

/// Queues of requests, one for each stream; each holds one request at most.
#[derive(Debug, Default)]
pub(super) struct KeyframeInbox(Vec<(StreamId, mpsc::Receiver<()>)>);

impl KeyframeInbox {
    /// The near end of the queue of a stream.
    pub(super) fn of_stream(&mut self, id: StreamId) -> KeyframeRequests {
        let (requests, receiver) = mpsc::channel(1);
        self.0.push((id, receiver));
        requests
    }

    /// The stream of the next request. Dropped before it is ready, it loses none.
    pub(super) async fn next(&mut self) -> StreamId {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<StreamId> {
        for (id, requests) in &mut self.0 {
            if let Poll::Ready(Some(())) = requests.poll_recv(context) {
                return Poll::Ready(*id);
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn requests_are_of_their_stream_and_one_that_has_ended_holds_up_none() {
        let mut inbox = KeyframeInbox::default();
        let [camera, screen] = [StreamId::CAMERA, StreamId::SCREEN].map(|id| inbox.of_stream(id));
        let next = |inbox: &mut KeyframeInbox| match inbox.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(id) => Some(id),
            Poll::Pending => None,
        };
        assert_eq!(next(&mut inbox), None);
        screen.try_send(()).unwrap();
        camera.try_send(()).unwrap();
        assert!(camera.try_send(()).is_err(), "one waits already");
        assert_eq!([next(&mut inbox), next(&mut inbox)], [Some(StreamId::CAMERA), Some(StreamId::SCREEN)]);
        drop(camera);
        screen.try_send(()).unwrap();
        assert_eq!([next(&mut inbox), next(&mut inbox)], [Some(StreamId::SCREEN), None]);
    }
}
