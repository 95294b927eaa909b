//! Connections between two clients' listeners and dialers over real sockets, without their hubs: the tests take what the
//! hubs would be told. The wall clocks of both are set by the tests.

use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::call::{ConversationId, InviteId};
use crate::identity::Identity;
use crate::media::MediaSet;
use crate::signaling::{Message, lan};

/// Long enough for a busy computer; nothing here asserts how long anything takes.
const PATIENCE: Duration = Duration::from_secs(40);
const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// A wall clock in seconds of Unix time, which the test sets.
#[derive(Clone)]
struct Clock(Arc<Mutex<i64>>);

impl Clock {
    fn step(&self, seconds: i64) {
        *self.0.lock().unwrap() += seconds;
    }

    fn now(&self) -> SystemTime {
        let seconds = *self.0.lock().unwrap();
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

/// One side: its clock, and what its hub is told.
struct Side {
    local: Arc<Local>,
    clock: Clock,
    reports: mpsc::Sender<Input>,
    inputs: mpsc::Receiver<Input>,
    letters: Option<mpsc::Sender<Letter>>,
    sent: u64,
    acknowledged: u64,
}

impl Side {
    fn new(seed: u8) -> Self {
        let clock = Clock(Arc::new(Mutex::new(1_800_000_000)));
        let read = clock.clone();
        let identity = Arc::new(Identity::from_seed([seed; 32]));
        let local = Local::with_clock(identity, "Name", move || read.now()).unwrap();
        let (reports, inputs) = mpsc::channel(64);
        Self { local: Arc::new(local), clock, reports, inputs, letters: None, sent: 0, acknowledged: 0 }
    }

    async fn next(&mut self) -> Input {
        let input = timeout(PATIENCE, self.inputs.recv()).await.expect("nothing came").unwrap();
        if let Input::Acknowledged { number, .. } = &input {
            self.acknowledged = *number;
        }
        input
    }

    /// The next connection; by how much the far clock is ahead when that is worth a word.
    async fn is_up(&mut self) -> Option<i64> {
        loop {
            match self.next().await {
                Input::Up(up) => {
                    self.letters = Some(up.letters);
                    return up.clock_ahead;
                }
                Input::Acknowledged { .. } | Input::Down { .. } => {}
                input => panic!("{input:?}"),
            }
        }
    }

    async fn send(&mut self, message: Message) {
        self.sent += 1;
        let body = encode(&Frame::Letter { number: self.sent, message }).unwrap();
        let letters = self.letters.as_ref().expect("a connection");
        letters.send(Letter { number: self.sent, body: body.into() }).await.unwrap();
    }

    async fn receive(&mut self) -> Message {
        loop {
            match self.next().await {
                Input::Letter { message, .. } => return message,
                Input::Acknowledged { .. } => {}
                input => panic!("{input:?}"),
            }
        }
    }

    /// The far side has read everything that was sent.
    async fn is_acknowledged(&mut self) {
        while self.acknowledged != self.sent {
            self.next().await;
        }
    }
}

/// Two sides, of which `near` dials `far`, who listens.
struct Pair {
    near: Side,
    far: Side,
    address: std::net::SocketAddr,
    listener: JoinHandle<()>,
}

impl Pair {
    async fn new() -> Self {
        let (near, far) = (Side::new(1), Side::new(2));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = tokio::spawn(lan::listen(listener, far.local.clone(), far.reports.clone()));
        Self { near, far, address, listener }
    }

    /// Connects them; what each is told of the other's clock.
    async fn connect(&mut self) -> [Option<i64>; 2] {
        let peer = self.far.local.identity.id();
        let dial = lan::Dial { peer, addresses: vec![self.address], budget: None };
        tokio::spawn(lan::dial(dial, self.near.local.clone(), self.near.reports.clone()));
        [self.near.is_up().await, self.far.is_up().await]
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Messages of a call, from the first ring to the last word, in order.
fn call() -> Vec<Message> {
    let (invite, conversation) = (InviteId::from_bits(1), ConversationId::from_bits(2));
    let (name, user_data) = ("Ann".to_owned(), String::new());
    vec![
        Message::Invite { invite, conversation, name: name.clone(), user_data, streams: MediaSet::of_call(true, true) },
        Message::Ringing { invite },
        Message::Cancel { invite },
        Message::Accept { invite, name, streams: MediaSet::of_call(true, true) },
        Message::Restart { conversation, generation: 1, moved: false },
        Message::Media { conversation, streams: MediaSet::of_call(true, false) },
        Message::Leave { conversation },
    ]
}

/// Steps of a clock in seconds: a nap, NTP after a flat battery, a wrong year, a time before 1970, and back.
const STEPS: [i64; 9] = [90, -90, DAY, -DAY, 40 * YEAR, -40 * YEAR, -80 * YEAR, 80 * YEAR, 3601];

#[tokio::test]
async fn whatever_either_clock_does_within_a_connection_every_message_arrives() {
    let mut pair = Pair::new().await;
    pair.connect().await;
    for steps in [&STEPS[..], &[90], &[-90], &[-100 * YEAR, 90]] {
        for (message, step) in call().into_iter().zip(steps.iter().cycle()) {
            pair.near.clock.step(*step);
            pair.near.send(message.clone()).await;
            assert_eq!(pair.far.receive().await, message, "after the sender's clock moved by {step} s");
            pair.far.clock.step(*step);
            pair.far.send(message.clone()).await;
            assert_eq!(pair.near.receive().await, message, "after both clocks moved by {step} s");
        }
        pair.near.is_acknowledged().await;
        pair.far.is_acknowledged().await;
    }
}

#[tokio::test]
async fn clocks_of_any_difference_meet_and_each_side_is_told_the_difference() {
    for step in STEPS {
        let mut pair = Pair::new().await;
        pair.near.clock.step(step);
        let expected = [Some(-step), Some(step)];
        assert_eq!(pair.connect().await, expected, "{step} s");
        pair.near.send(call().remove(0)).await;
        assert_eq!(pair.far.receive().await, call().remove(0));
    }
    let mut pair = Pair::new().await;
    pair.near.clock.step(50);
    assert_eq!(pair.connect().await, [None, None]);
}

#[tokio::test]
async fn a_name_arrives_after_a_step() {
    let mut pair = Pair::new().await;
    pair.connect().await;
    pair.near.clock.step(-90);
    pair.near.local.name.send_replace("Ann B.".to_owned());
    let Input::Name { name, .. } = pair.far.next().await else { panic!("no name") };
    assert_eq!(name, "Ann B.");
}

#[tokio::test]
async fn a_name_that_changes_while_both_sides_meet_arrives_after_it() {
    let mut pair = Pair::new().await;
    let renamed: Arc<OnceLock<Arc<Local>>> = Arc::default();
    let read = renamed.clone();
    // A hello reads the clock when it has its name.
    let clock = move || {
        if let Some(local) = read.get() {
            local.name.send_replace("Ann B.".to_owned());
        }
        UNIX_EPOCH
    };
    let local = Arc::new(Local::with_clock(pair.near.local.identity.clone(), "Ann", clock).unwrap());
    assert!(renamed.set(local.clone()).is_ok());
    pair.near.local = local;
    pair.connect().await;
    let Input::Name { name, .. } = pair.far.next().await else { panic!("no name") };
    assert_eq!(name, "Ann B.");
}

#[tokio::test]
async fn what_was_under_way_when_a_clock_stepped_and_the_connection_broke_keeps_its_number() {
    let mut pair = Pair::new().await;
    pair.connect().await;
    pair.near.send(call().remove(0)).await;
    assert_eq!(pair.far.receive().await, call().remove(0));
    // Both let go; the letter goes again over the next connection, as it does when its pong was lost.
    (pair.near.letters, pair.far.letters) = (None, None);
    pair.near.clock.step(-DAY);
    assert_eq!(pair.connect().await, [Some(DAY), Some(-DAY)]);
    pair.near.sent = 0;
    pair.near.send(call().remove(0)).await;
    let (number, instance) = loop {
        if let Input::Letter { number, instance, .. } = pair.far.next().await {
            break (number, instance);
        }
    };
    assert_eq!((number, &*instance), (1, &*pair.near.local.instance));
}

#[tokio::test]
async fn a_connection_that_panics_is_reported_as_gone() {
    let (reports, mut inputs) = mpsc::channel(1);
    let peer = Identity::from_seed([1; 32]).id();
    let letters: Vec<u32> = Vec::new();
    let life =
        async move { if letters.is_empty() { panic!("as the test wants it") } else { Err(ConnectionError::Closed) } };
    let connection = tokio::spawn(report_end(7, peer, life, reports));
    let Some(Input::Down { connection: 7, closed_by_far: false, .. }) = inputs.recv().await else { panic!("not told") };
    connection.await.expect("its task goes on to the end");
}

#[test]
fn only_what_the_far_computer_does_counts_as_closed_by_it() {
    let io = |kind: ErrorKind| std::io::Error::from(kind);
    let closed = [
        ConnectionError::Closed,
        WebSocketError::ConnectionClosed.into(),
        WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake).into(),
        WebSocketError::Io(io(ErrorKind::ConnectionReset)).into(),
        WebSocketError::Io(io(ErrorKind::BrokenPipe)).into(),
        ConnectionError::Socket(io(ErrorKind::ConnectionReset)),
    ];
    assert!(closed.iter().all(ConnectionError::is_closed_by_far));
    let otherwise = [
        ConnectionError::Timeout,
        ConnectionError::ClosedHere,
        ConnectionError::Flood,
        ConnectionError::Panicked,
        WebSocketError::Io(io(ErrorKind::TimedOut)).into(),
        WebSocketError::Io(io(ErrorKind::HostUnreachable)).into(),
        WebSocketError::Io(io(ErrorKind::NetworkUnreachable)).into(),
        WebSocketError::Io(io(ErrorKind::NetworkDown)).into(),
        WebSocketError::Protocol(ProtocolError::UnmaskedFrameFromClient).into(),
        ConnectionError::Envelope(EnvelopeError::NotNext),
    ];
    assert!(!otherwise.iter().any(ConnectionError::is_closed_by_far));
}
