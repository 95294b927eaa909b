//! Sender of an emulated network: a task beside the socket of one connection, which sends datagrams when they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::LinkEmulator;
use crate::media::MediaTime;
use crate::rtc::deadline;

/// Datagrams on their way at most: seconds of a fast link. More are lost.
const ON_THE_WAY: usize = 8192;

/// A datagram and when it is delivered; the number keeps the order of those of one moment.
type Delivery = Reverse<(MediaTime, u64, SocketAddr, Bytes)>;

/// The near end of an impaired socket.
pub(in crate::rtc) struct LinkSender {
    link: Mutex<(LinkEmulator, u64)>,
    deliveries: mpsc::Sender<Delivery>,
}

impl LinkSender {
    /// A sender, and the task that must run for its datagrams to leave through `socket`; it ends with the sender.
    pub(in crate::rtc) fn new(
        link: LinkEmulator,
        socket: Arc<UdpSocket>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (deliveries, received) = mpsc::channel(ON_THE_WAY);
        (Self { link: Mutex::new((link, 0)), deliveries }, deliver(received, socket))
    }

    /// Takes a datagram; the link decides what becomes of it.
    pub(in crate::rtc) fn send(&self, contents: &[u8], to: SocketAddr) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let (link, number) = &mut *link;
        let mut data = None;
        for at in link.send(contents.len(), MediaTime::now()).into_iter().flatten() {
            *number += 1;
            let data = data.get_or_insert_with(|| Bytes::copy_from_slice(contents)).clone();
            // A full channel is a loss like another.
            let _ = self.deliveries.try_send(Reverse((at, *number, to, data)));
        }
    }
}

async fn deliver(mut received: mpsc::Receiver<Delivery>, socket: Arc<UdpSocket>) {
    let mut waiting: BinaryHeap<Delivery> = BinaryHeap::new();
    loop {
        let next = waiting.peek().map(|Reverse((at, ..))| *at);
        tokio::select! {
            delivery = received.recv() => match delivery {
                Some(delivery) if waiting.len() < ON_THE_WAY => waiting.push(delivery),
                Some(_) => {}
                None => return,
            },
            () = deadline::reached(next) => {
                let now = MediaTime::now();
                while waiting.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
                    let Some(Reverse((_, _, to, data))) = waiting.pop() else { break };
                    if let Err(error) = socket.send_to(&data, to).await {
                        tracing::trace!(%error, "a datagram could not be sent");
                    }
                }
            }
        }
    }
}
