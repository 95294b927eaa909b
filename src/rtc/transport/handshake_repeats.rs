//! Repetition of the datagrams of the DTLS handshake, a moment later.
//!
//! DTLS waits a second for an answer before it repeats a flight (RFC 6347, 4.2.4.1), and the engine has no setting for
//! that. At 20 % of loss nine handshakes of ten lose something, and a call then connects for seconds. The handshake is
//! a dozen datagrams once a call; the far side drops what comes twice.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::media::MediaTime;
use crate::rtc::deadline;

/// How long after a datagram it is sent again, each time.
const AFTER: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(100)];
/// Datagrams that wait to be noted at most.
const MAX_WAITING: usize = 32;
/// Datagrams of a socket that are sent again at most: several handshakes.
const MAX_REPEATED: usize = 64;

/// Content types of DTLS records (RFC 6347, 4.1): change_cipher_spec, handshake.
const HANDSHAKE_TYPES: [u8; 2] = [20, 22];

type Datagram = (Vec<u8>, SocketAddr);

/// Takes what leaves a socket.
pub(in crate::rtc) struct HandshakeRepeats(mpsc::Sender<Datagram>);

impl HandshakeRepeats {
    /// The recorder of datagrams, and the task that repeats them by `send` until the recorder is dropped.
    pub(in crate::rtc) fn new(send: impl Fn(&[u8], SocketAddr)) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        (Self(sender), repeat(receiver, send))
    }

    /// Notes a datagram that leaves now, if it belongs to a handshake by its bytes `inside` a relay's wrapping.
    pub(in crate::rtc) fn note(&self, datagram: &[u8], inside: &[u8], to: SocketAddr) {
        if inside.first().is_some_and(|kind| HANDSHAKE_TYPES.contains(kind)) {
            // The task takes them at once: a full queue is a flood.
            let _ = self.0.try_send((datagram.to_vec(), to));
        }
    }
}

/// Datagrams to repeat, with their times.
#[derive(Default)]
struct Schedule {
    /// When, how often it has been sent again, and what.
    repeats: Vec<(MediaTime, usize, Datagram)>,
    noted: usize,
}

impl Schedule {
    /// A datagram left at `now`.
    fn note(&mut self, datagram: Datagram, now: MediaTime) {
        self.noted += 1;
        self.repeats.push((now + AFTER[0], 0, datagram));
    }

    fn is_full(&self) -> bool {
        self.noted >= MAX_REPEATED
    }

    fn next(&self) -> Option<MediaTime> {
        self.repeats.iter().map(|(at, ..)| *at).min()
    }

    /// Sends what is due at `now`.
    fn send_due(&mut self, now: MediaTime, send: impl Fn(&[u8], SocketAddr)) {
        for (at, times, (datagram, to)) in self.repeats.iter_mut().filter(|(at, ..)| *at <= now) {
            send(datagram, *to);
            *times += 1;
            *at = *at + AFTER.get(*times).copied().unwrap_or_default();
        }
        self.repeats.retain(|(_, times, _)| *times < AFTER.len());
    }
}

async fn repeat(mut noted: mpsc::Receiver<Datagram>, send: impl Fn(&[u8], SocketAddr)) {
    let mut schedule = Schedule::default();
    let mut open = true;
    loop {
        open &= !schedule.is_full();
        let next = schedule.next();
        if !open && next.is_none() {
            return;
        }
        tokio::select! {
            datagram = noted.recv(), if open => match datagram {
                Some(datagram) => schedule.note(datagram, MediaTime::now()),
                None => open = false,
            },
            () = deadline::reached(next) => schedule.send_due(MediaTime::now(), &send),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
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
            repeats.note(datagram, datagram, to);
        }
        repeats.note(&[64, 7], &[22, 7], to);
        drop(repeats);
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(task);
        let mut sent = sent.lock().unwrap().clone();
        sent.sort();
        assert_eq!(sent, [[20, 2], [20, 2], [22, 1], [22, 1], [64, 7], [64, 7]], "with the relay's wrapping");
    }

    #[test]
    fn each_datagram_has_its_own_times() {
        let start = MediaTime::now();
        let (mut schedule, sent) = (Schedule::default(), RefCell::new(Vec::new()));
        let datagram = |number: u8| (vec![22, number], SocketAddr::from(([127, 0, 0, 1], 9)));
        for ms in 0..200 {
            let now = start + Duration::from_millis(ms);
            match ms {
                0 => schedule.note(datagram(1), now),
                30 => schedule.note(datagram(2), now),
                _ => {}
            }
            schedule.send_due(now, |datagram, _| sent.borrow_mut().push((ms, datagram[1])));
        }
        assert_eq!(*sent.borrow(), [(60, 1), (90, 2), (160, 1), (190, 2)]);
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_far_side_that_shakes_hands_for_ever_is_not_repeated_for_ever() {
        let (noted, waiting) = mpsc::channel(2 * MAX_REPEATED);
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        (0..2 * MAX_REPEATED).for_each(|_| noted.try_send((vec![22], to)).unwrap());
        let count = std::cell::Cell::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(repeat(waiting, |_, _| count.set(count.get() + 1)));
        assert_eq!(count.get(), 2 * MAX_REPEATED, "each of the first ones twice, though more wait");
    }
}
