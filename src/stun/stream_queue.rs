//! Messages that wait for a stream: a bounded number of bytes, of which the oldest are dropped, since media that is
//! late is of no use.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};

/// Bytes that wait at most: 90 ms at 6 Mbit/s.
const MAX_BYTES: usize = 64 * 1024;

/// The queue of one stream.
#[derive(Debug, Default)]
pub struct StreamQueue {
    waiting: Mutex<(VecDeque<Vec<u8>>, usize)>,
    pushed: Notify,
    closed: watch::Sender<bool>,
}

impl StreamQueue {
    /// Adds a message.
    pub fn push(&self, message: &[u8]) {
        let (messages, bytes) = &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push_back(message.to_vec());
        *bytes += message.len();
        while *bytes > MAX_BYTES
            && let Some(oldest) = messages.pop_front()
        {
            *bytes -= oldest.len();
        }
        self.pushed.notify_one();
    }

    /// Waits for the next message.
    pub async fn next(&self) -> Vec<u8> {
        loop {
            if let Some(message) = self.pop() {
                return message;
            }
            self.pushed.notified().await;
        }
    }

    /// Waits until there is a message.
    pub async fn filled(&self) {
        while self.waiting.lock().unwrap_or_else(PoisonError::into_inner).0.is_empty() {
            self.pushed.notified().await;
        }
    }

    /// Nothing more is sent.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Waits until nothing more is sent.
    pub async fn closed(&self) {
        // The sender is here.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn pop(&self) -> Option<Vec<u8>> {
        let (messages, bytes) = &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let message = messages.pop_front()?;
        *bytes -= message.len();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_messages_give_way() {
        let queue = StreamQueue::default();
        (0..100_u8).for_each(|number| queue.push(&[number; 1000]));
        let left: Vec<u8> = std::iter::from_fn(|| queue.pop()).map(|message| message[0]).collect();
        assert_eq!(left, (35..100).collect::<Vec<_>>());
        assert_eq!(queue.waiting.lock().unwrap().1, 0);
    }
}
