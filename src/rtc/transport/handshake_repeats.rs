//! Repetition of the datagrams of the DTLS handshake, a moment later.
//!
//! DTLS waits a second for an answer before it repeats a flight (RFC 6347, 4.2.4.1), and the engine has no setting for
//! that. At 20 % of loss nine handshakes of ten lose something, and a call then connects for seconds. The handshake is
//! a dozen datagrams once a call; the far side drops what comes twice. A flight is repeated until it is answered: the
//! far side answers once all of it has come, and repetitions would keep its answer waiting on a thin path.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::mpsc;

use super::dtls_record::Record;
use crate::media::MediaTime;
use crate::rtc::deadline;

/// How long after a datagram it is sent again, each time.
const AFTER: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(100)];
/// Notes that wait at most.
const MAX_WAITING: usize = 64;
/// Datagrams of a socket that are sent again at most: several handshakes.
const MAX_REPEATED: usize = 64;

type Datagram = (Vec<u8>, SocketAddr);

/// How far the far side is in the handshake, by the latest that came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Nothing,
    /// The sequence number of its message.
    Message(u16),
    Finished,
    /// It has completed the handshake.
    Done,
}

impl Progress {
    fn of(record: Record) -> Self {
        match record {
            Record::Message { sequence, .. } => Self::Message(sequence),
            Record::Finished => Self::Finished,
            Record::Protected => Self::Done,
        }
    }
}

#[derive(Debug)]
enum Note {
    Left(Datagram),
    Came(Progress),
    /// The first message of the far side is known before it comes.
    Assumed,
}

/// Takes what leaves a socket, and what comes.
pub(in crate::rtc) struct HandshakeRepeats {
    notes: mpsc::Sender<Note>,
    done: AtomicBool,
}

impl HandshakeRepeats {
    /// The recorder of datagrams, and the task that repeats them by `send` until the recorder is dropped.
    pub(in crate::rtc) fn new(send: impl Fn(&[u8], SocketAddr)) -> (Self, impl Future<Output = ()>) {
        let (notes, receiver) = mpsc::channel(MAX_WAITING);
        (Self { notes, done: AtomicBool::new(false) }, repeat(receiver, send))
    }

    /// Notes a datagram that leaves now, if it belongs to a handshake by its bytes `inside` a relay's wrapping.
    pub(in crate::rtc) fn left(&self, datagram: &[u8], inside: &[u8], to: SocketAddr) {
        if Record::read(inside).is_some_and(Record::is_handshake) {
            self.note(Note::Left((datagram.to_vec(), to)));
        }
    }

    /// Notes a datagram that comes now, if it tells how far the far side is.
    pub(in crate::rtc) fn came(&self, datagram: &[u8]) {
        if self.done.load(Relaxed) {
            return;
        }
        if let Some(progress) = Record::read(datagram).map(Progress::of) {
            // A note for each packet of media would be too many.
            self.done.store(progress == Progress::Done, Relaxed);
            self.note(Note::Came(progress));
        }
    }

    /// Notes that the far side's first message is known: what leaves from now on is not answered by it.
    pub(in crate::rtc) fn assume_verified(&self) {
        self.note(Note::Assumed);
    }

    fn note(&self, note: Note) {
        // The task takes them at once: a full queue is a flood.
        let _ = self.notes.try_send(note);
    }
}

/// A datagram to repeat.
#[derive(Debug)]
struct Repeat {
    at: MediaTime,
    /// How often it has been sent again.
    times: usize,
    /// How far the far side was when it left: an answer is further.
    before: Progress,
    datagram: Datagram,
}

/// Datagrams to repeat, with their times.
#[derive(Debug)]
struct Schedule {
    repeats: Vec<Repeat>,
    far: Progress,
    noted: usize,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { repeats: Vec::new(), far: Progress::Nothing, noted: 0 }
    }
}

impl Schedule {
    /// Takes a note at `now`.
    fn take(&mut self, note: Note, now: MediaTime) {
        match note {
            Note::Left(datagram) if !self.is_full() => {
                self.noted += 1;
                self.repeats.push(Repeat { at: now + AFTER[0], times: 0, before: self.far, datagram });
            }
            Note::Left(_) => {}
            Note::Came(progress) => {
                self.far = self.far.max(progress);
                self.repeats.retain(|repeat| repeat.before >= progress);
            }
            Note::Assumed => self.far = self.far.max(Progress::Message(0)),
        }
    }

    fn is_full(&self) -> bool {
        self.noted >= MAX_REPEATED
    }

    fn next(&self) -> Option<MediaTime> {
        self.repeats.iter().map(|repeat| repeat.at).min()
    }

    /// Sends what is due at `now`.
    fn send_due(&mut self, now: MediaTime, send: impl Fn(&[u8], SocketAddr)) {
        for Repeat { at, times, datagram: (datagram, to), .. } in &mut self.repeats {
            if *at <= now {
                send(datagram, *to);
                *times += 1;
                *at = *at + AFTER.get(*times).copied().unwrap_or_default();
            }
        }
        self.repeats.retain(|repeat| repeat.times < AFTER.len());
    }
}

async fn repeat(mut notes: mpsc::Receiver<Note>, send: impl Fn(&[u8], SocketAddr)) {
    let mut schedule = Schedule::default();
    let mut open = true;
    loop {
        open &= !schedule.is_full();
        let next = schedule.next();
        if !open && next.is_none() {
            return;
        }
        tokio::select! {
            note = notes.recv(), if open => match note {
                Some(note) => schedule.take(note, MediaTime::now()),
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

    use super::super::dtls_record::{CLIENT_HELLO, HELLO_VERIFY_REQUEST, message_for_test};
    use super::*;

    const FAR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);
    const SERVER_HELLO: u8 = 2;
    const CERTIFICATE: u8 = 11;

    #[test]
    fn a_handshake_is_sent_again_and_nothing_else_is() {
        let sent = Mutex::new(Vec::new());
        let (repeats, task) = HandshakeRepeats::new(|datagram: &[u8], _| {
            if let Ok(mut sent) = sent.lock() {
                sent.push(datagram.to_vec());
            }
        });
        let hello = message_for_test(CLIENT_HELLO, 0);
        for datagram in [&hello[..], &[20, 2], &[23, 3], &[128, 4], &[0, 5], &[]] {
            repeats.left(datagram, datagram, FAR);
        }
        repeats.left(&[64, 7], &[20, 7], FAR);
        drop(repeats);
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(task);
        let mut sent = sent.lock().unwrap().clone();
        sent.sort();
        assert_eq!(
            sent,
            [vec![20, 2], vec![20, 2], hello.clone(), hello, vec![64, 7], vec![64, 7]],
            "with the relay's wrapping"
        );
    }

    #[test]
    fn each_datagram_has_its_own_times() {
        let start = MediaTime::now();
        let (mut schedule, sent) = (Schedule::default(), RefCell::new(Vec::new()));
        let datagram = |number: u8| Note::Left((vec![20, number], FAR));
        for ms in 0..200 {
            let now = start + Duration::from_millis(ms);
            match ms {
                0 => schedule.take(datagram(1), now),
                30 => schedule.take(datagram(2), now),
                _ => {}
            }
            schedule.send_due(now, |datagram, _| sent.borrow_mut().push((ms, datagram[1])));
        }
        assert_eq!(*sent.borrow(), [(60, 1), (90, 2), (160, 1), (190, 2)]);
        assert_eq!(schedule.next(), None);
    }

    /// Messages of this side that still wait to be repeated after these notes, by their sequence numbers; 99 for its
    /// last ones.
    fn waiting(notes: impl IntoIterator<Item = Note>) -> Vec<u16> {
        let mut schedule = Schedule::default();
        notes.into_iter().for_each(|note| schedule.take(note, MediaTime::default()));
        let sequence = |repeat: &Repeat| match Record::read(&repeat.datagram.0) {
            Some(Record::Message { sequence, .. }) => sequence,
            _ => 99,
        };
        schedule.repeats.iter().map(sequence).collect()
    }

    fn left(kind: u8, sequence: u16) -> Note {
        Note::Left((message_for_test(kind, sequence), FAR))
    }

    fn came(kind: u8, sequence: u16) -> Note {
        Note::Came(Progress::of(Record::read(&message_for_test(kind, sequence)).unwrap()))
    }

    #[test]
    fn a_flight_that_is_answered_is_not_repeated() {
        let verified = || came(HELLO_VERIFY_REQUEST, 0);
        let last = || Note::Left((vec![20, 1], FAR));
        assert!(waiting([left(CLIENT_HELLO, 0), verified()]).is_empty());
        assert_eq!(waiting([left(CLIENT_HELLO, 0), verified(), left(CLIENT_HELLO, 1)]), [1]);
        assert_eq!(waiting([left(CLIENT_HELLO, 0), verified(), left(CLIENT_HELLO, 1), verified()]), [1], "repeated");
        let client = || [left(CLIENT_HELLO, 1), came(SERVER_HELLO, 1), left(CERTIFICATE, 2), last()];
        assert_eq!(waiting(client()), [2, 99]);
        assert!(waiting(client().into_iter().chain([Note::Came(Progress::Finished)])).is_empty());
        let server = || [came(CLIENT_HELLO, 1), left(SERVER_HELLO, 1), left(CERTIFICATE, 2)];
        assert_eq!(waiting(server()), [1, 2]);
        assert_eq!(waiting(server().into_iter().chain([came(CERTIFICATE, 2), last()])), [99]);
        let end = [Note::Came(Progress::Finished), last(), Note::Came(Progress::Finished)];
        assert_eq!(waiting(end), [99], "the far side's last flight, repeated");
        assert!(waiting([Note::Came(Progress::Finished), last(), Note::Came(Progress::Done)]).is_empty());
    }

    #[test]
    fn an_answer_that_was_assumed_answers_nothing_that_left_after_it() {
        let both = || [left(CLIENT_HELLO, 0), Note::Assumed, left(CLIENT_HELLO, 1)];
        assert_eq!(waiting(both()), [0, 1]);
        assert_eq!(waiting(both().into_iter().chain([came(HELLO_VERIFY_REQUEST, 0)])), [1]);
        assert!(waiting(both().into_iter().chain([came(SERVER_HELLO, 1)])).is_empty());
    }

    #[test]
    fn media_is_noted_once() {
        let (notes, mut waiting) = mpsc::channel(4);
        let repeats = HandshakeRepeats { notes, done: AtomicBool::new(false) };
        (0..10).for_each(|_| repeats.came(&[128, 1]));
        assert!(matches!(waiting.try_recv(), Ok(Note::Came(Progress::Done))) && waiting.try_recv().is_err());
    }

    #[test]
    fn a_far_side_that_shakes_hands_for_ever_is_not_repeated_for_ever() {
        let (noted, waiting) = mpsc::channel(2 * MAX_REPEATED);
        (0..2 * MAX_REPEATED).for_each(|_| noted.try_send(Note::Left((vec![20], FAR))).unwrap());
        let count = std::cell::Cell::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(repeat(waiting, |_, _| count.set(count.get() + 1)));
        assert_eq!(count.get(), 2 * MAX_REPEATED, "each of the first ones twice, though more wait");
    }
}
