//! Sends the datagrams of the DTLS handshake again, a moment later.
//!
//! DTLS waits a second for an answer before it repeats a flight (RFC 6347, 4.2.4.1), and the engine gives no say in that. At
//! 20 % of loss nine handshakes of ten lose something, and a call then connects for seconds. The handshake is a dozen
//! datagrams once a call; the far side drops what comes twice.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;

/// How long after a datagram it is sent again, each time.
const AFTER: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(100)];
/// Datagrams that wait to be sent again at most.
const MAX_WAITING: usize = 32;
/// Datagrams of a socket that are sent again at most: several handshakes.
const MAX_REPEATED: usize = 64;

/// Content types of DTLS records (RFC 6347, 4.1): change_cipher_spec, handshake.
const HANDSHAKE_TYPES: [u8; 2] = [20, 22];

type Datagram = (Vec<u8>, SocketAddr);

/// Takes what leaves a socket.
pub(in crate::rtc) struct HandshakeRepeats(mpsc::Sender<Datagram>);

impl HandshakeRepeats {
    /// What notes the datagrams, and the task that sends them again with `send`, until the first is dropped.
    pub(in crate::rtc) fn new(send: impl Fn(&[u8], SocketAddr)) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        (Self(sender), repeat(receiver, send))
    }

    /// Notes a datagram that leaves now, if it belongs to a handshake.
    pub(in crate::rtc) fn note(&self, datagram: &[u8], to: SocketAddr) {
        if datagram.first().is_some_and(|kind| HANDSHAKE_TYPES.contains(kind)) {
            // A full queue holds as much as a handshake has.
            let _ = self.0.try_send((datagram.to_vec(), to));
        }
    }
}

async fn repeat(mut waiting: mpsc::Receiver<Datagram>, send: impl Fn(&[u8], SocketAddr)) {
    let mut flight = Vec::new();
    for _ in 0..MAX_REPEATED {
        let Some(datagram) = waiting.recv().await else { return };
        flight.push(datagram);
        while let Ok(datagram) = waiting.try_recv() {
            flight.push(datagram);
        }
        for after in AFTER {
            tokio::time::sleep(after).await;
            flight.iter().for_each(|(datagram, to)| send(datagram, *to));
        }
        flight.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_handshake_is_sent_again_and_nothing_else_is() {
        let sent = Mutex::new(Vec::new());
        let (repeats, task) = HandshakeRepeats::new(|datagram: &[u8], _| {
            if let Ok(mut sent) = sent.lock() {
                sent.push(datagram.to_vec());
            }
        });
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        for datagram in [&[22, 1][..], &[20, 2], &[23, 3], &[128, 4], &[0, 5], &[]] {
            repeats.note(datagram, to);
        }
        drop(repeats);
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(task);
        assert_eq!(*sent.lock().unwrap(), [[22, 1], [20, 2], [22, 1], [20, 2]]);
    }
}
