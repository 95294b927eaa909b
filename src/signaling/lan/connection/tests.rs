//! Connections between two listeners and dialers over real sockets, without their hubs and routes' tasks: the tests
//! take the events for these. The wall clocks of both are set by the tests.

use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::call::{ConversationId, InviteId};
use crate::identity::Identity;
use crate::media::MediaSet;
use crate::signaling::lan::dial::{Dial, dial};
use crate::signaling::lan::listener::listen;
use crate::signaling::local::Local;
use crate::signaling::message::Message;
use crate::signaling::route::{RouteKind, RouteReports};

/// Long enough for a busy computer; nothing here asserts how long anything takes.
const TIMEOUT: Duration = Duration::from_secs(40);
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

/// One side: its clock, and the events for its hub and its route's task.
struct Side {
    clock: Clock,
    context: Context,
    lan: mpsc::Receiver<Input>,
    hub: mpsc::Receiver<(RouteKind, RouteEvent)>,
    frames: Option<mpsc::Sender<Bytes>>,
    sent: u64,
}

impl Side {
    fn new(seed: u8) -> Self {
        let clock = Clock(Arc::new(Mutex::new(1_800_000_000)));
        let read = clock.clone();
        let identity = Arc::new(Identity::from_seed([seed; 32]));
        let local = Arc::new(Local::with_clock(identity, "Name", move || read.now()).unwrap());
        let (to_lan, lan) = mpsc::channel(64);
        let (to_hub, hub) = mpsc::channel(64);
        let context = Context { local, lan: to_lan, hub: RouteReports::new(RouteKind::Lan, to_hub) };
        Self { clock, context, lan, hub, frames: None, sent: 0 }
    }

    /// The next connection; by how much the far clock is ahead when that is worth a word.
    async fn wait_until_up(&mut self) -> Option<i64> {
        loop {
            match timeout(TIMEOUT, self.lan.recv()).await.expect("nothing came").unwrap() {
                Input::Proven(link) => {
                    self.frames = Some(link.frames);
                    link.taken.send(()).expect("the connection waits for this");
                    return link.up.clock_ahead;
                }
                Input::Heard { .. } | Input::Down { .. } => {}
                input => panic!("{input:?}"),
            }
        }
    }

    async fn write(&self, frame: &Frame) {
        let frames = self.frames.as_ref().expect("a connection");
        frames.send(frame.encode().unwrap().into()).await.unwrap();
    }

    async fn send(&mut self, message: Message) {
        self.sent += 1;
        self.write(&Frame::message(self.sent, message)).await;
    }

    async fn next(&mut self) -> (Arc<str>, Incoming) {
        match timeout(TIMEOUT, self.hub.recv()).await.expect("nothing came").unwrap() {
            (RouteKind::Lan, RouteEvent::Received { instance, incoming, .. }) => (instance, incoming),
            other => panic!("{other:?}"),
        }
    }

    async fn receive(&mut self) -> Message {
        match self.next().await.1 {
            Incoming::Message { message: Some(message), .. } => message,
            incoming => panic!("{incoming:?}"),
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
        let listener = tokio::spawn(listen(listener, far.context.clone()));
        Self { near, far, address, listener }
    }

    /// Connects them; returns the reports to each about the other's clock.
    async fn connect(&mut self) -> [Option<i64>; 2] {
        let peer = self.far.context.local.identity.id();
        let to = Dial { peer, addresses: vec![self.address], connected: Vec::new(), budget: None };
        tokio::spawn(dial(to, self.near.context.clone()));
        [self.near.wait_until_up().await, self.far.wait_until_up().await]
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
        Message::Invite {
            invite,
            conversation,
            name: name.clone(),
            user_data,
            streams: MediaSet::of_call(true, true),
            descriptions: crate::call::Description::VERSIONS,
        },
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
    pair.near.context.local.name.send_replace("Ann B.".to_owned());
    assert_eq!(pair.far.next().await.1, Incoming::Name("Ann B.".into()));
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
    let local = Arc::new(Local::with_clock(pair.near.context.local.identity.clone(), "Ann", clock).unwrap());
    assert!(renamed.set(local.clone()).is_ok());
    pair.near.context.local = local;
    pair.connect().await;
    assert_eq!(pair.far.next().await.1, Incoming::Name("Ann B.".into()));
}

#[tokio::test]
async fn a_message_that_goes_again_after_a_clock_stepped_and_the_connection_broke_keeps_its_number() {
    let mut pair = Pair::new().await;
    pair.connect().await;
    pair.near.send(call().remove(0)).await;
    assert_eq!(pair.far.receive().await, call().remove(0));
    // Both let go; the message goes again over the next connection, as it does when its acknowledgement was lost.
    (pair.near.frames, pair.far.frames) = (None, None);
    pair.near.clock.step(-DAY);
    assert_eq!(pair.connect().await, [Some(DAY), Some(-DAY)]);
    pair.near.sent = 0;
    pair.near.send(call().remove(0)).await;
    let (instance, incoming) = pair.far.next().await;
    assert_eq!(&*instance, &*pair.near.context.local.instance);
    assert_eq!(incoming, Incoming::message(1, call().remove(0)));
}

#[tokio::test]
async fn an_acknowledgement_shows_that_the_connection_leads_to_the_person() {
    let mut pair = Pair::new().await;
    pair.connect().await;
    pair.far.write(&Frame::Ack { number: 7 }).await;
    assert_eq!(pair.near.next().await.1, Incoming::Ack { number: 7 });
    let peer = pair.far.context.local.identity.id();
    let heard = timeout(TIMEOUT, pair.near.lan.recv()).await.expect("nothing came");
    assert!(matches!(heard, Some(Input::Heard { peer: heard, .. }) if heard == peer), "{heard:?}");
}

#[tokio::test]
async fn a_connection_that_is_not_taken_ends_with_a_word_and_says_nothing_before() {
    let mut pair = Pair::new().await;
    let peer = pair.far.context.local.identity.id();
    let to = Dial { peer, addresses: vec![pair.address], connected: Vec::new(), budget: None };
    let dialed = tokio::spawn(dial(to, pair.near.context.clone()));
    let Some(Input::Proven(refused)) = pair.far.lan.recv().await else { panic!("no connection") };
    drop(refused);
    pair.near.wait_until_up().await;
    let down = timeout(TIMEOUT, pair.near.lan.recv()).await.expect("nothing came");
    assert!(matches!(down, Some(Input::Down { closed_by_far: true, .. })), "{down:?}");
    dialed.await.unwrap();
    assert!(pair.near.hub.try_recv().is_err());
}

/// An address from which somebody passes bytes on to another one, both ways.
async fn forwarder(to: std::net::SocketAddr) -> (std::net::SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (address, task)
}

#[tokio::test]
async fn whoever_passes_bytes_on_to_a_person_displaces_no_connection_to_them() {
    let mut pair = Pair::new().await;
    let far = pair.far.context.local.clone();
    let (peer, run): (_, Arc<str>) = (far.identity.id(), far.instance.as_str().into());
    pair.connect().await;
    let (address, forwarder) = forwarder(pair.address).await;
    let to = |connected| Dial { peer, addresses: vec![address], connected, budget: None };
    dial(to(vec!["another".into(), Arc::clone(&run)]), pair.near.context.clone()).await;
    let mut inputs = Vec::new();
    while let Ok(input) = pair.near.lan.try_recv() {
        inputs.push(input);
    }
    let [Input::Led { peer: led, run: led_run, address: by }, Input::DialFailed { .. }] = &inputs[..] else {
        panic!("{inputs:?}")
    };
    assert_eq!((*led, led_run, *by), (peer, &run, address));
    pair.near.send(call().remove(0)).await;
    assert_eq!(pair.far.receive().await, call().remove(0), "the connection stands");
    assert!(pair.far.lan.try_recv().is_err(), "the far side has heard of no other one");

    // Where that connection may lead nowhere, or another run answers, the dial is as good as any.
    for connected in [Vec::new(), vec!["another".into()]] {
        tokio::spawn(dial(to(connected), pair.near.context.clone()));
        pair.near.wait_until_up().await;
        pair.far.wait_until_up().await;
    }
    forwarder.abort();
}

#[tokio::test]
async fn a_connection_that_panics_is_reported_as_gone() {
    let (reports, mut inputs) = mpsc::channel(1);
    let peer = Identity::from_seed([1; 32]).id();
    let nothing: Vec<u32> = Vec::new();
    let life =
        async move { if nothing.is_empty() { panic!("as the test wants it") } else { Err(ConnectionError::Closed) } };
    let connection = tokio::spawn(report_end(7, peer, life, reports));
    let Some(Input::Down { connection: 7, closed_by_far: false, .. }) = inputs.recv().await else { panic!("not told") };
    connection.await.expect("its task goes on to the end");
}
