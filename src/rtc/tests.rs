//! Two engines in one process over real sockets on the loopback interface.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::call::{Consent, Description};
use crate::encoder::video::VideoEncoding;
use crate::media::{
    FramePool, FrameSlot, MediaTime, OutgoingPicture, OutgoingSound, ReceivedPicture, ReceivedSound, RenditionPlan,
    RenditionPlans, StreamId, VideoBudget, VideoFormat, VideoFrame,
};
use crate::media_receive::{PictureMeter, PictureReceiver};

mod hostile;
mod nat;
mod network;
mod relay;
mod release;
mod restart;
mod streams;

const TIMEOUT: Duration = Duration::from_secs(30);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// One side of a call, with its media and events.
struct Side {
    peer: Peer,
    events: Receiver<SideEvent>,
    picture: Arc<FrameSlot>,
    shown: PictureMeter,
    sound: Arc<Mutex<Vec<ReceivedSound>>>,
    wire: Arc<Wire>,
}

/// Event at a side.
#[derive(Clone, Debug, PartialEq)]
enum SideEvent {
    Peer(PeerEvent),
    /// The first picture is decoded.
    FirstPicture {
        width: u32,
        height: u32,
    },
}

impl PartialEq<PeerEvent> for SideEvent {
    fn eq(&self, other: &PeerEvent) -> bool {
        matches!(self, Self::Peer(event) if event == other)
    }
}

/// Carries descriptions and candidates to the far side.
#[derive(Default)]
struct Wire {
    far: Mutex<Option<Peer>>,
    far_set: Condvar,
    addresses: Mutex<Vec<SocketAddr>>,
    /// How many it has carried.
    descriptions: AtomicU64,
    forge_fingerprint: bool,
}

impl Side {
    /// Connects; messages for the far side go straight to the peer in `far`.
    fn new(engine: &Engine, role: Role, wire: Wire) -> Self {
        Self::with_pictures(engine, role, wire, Vec::new())
    }

    /// The same, with further streams of pictures beside the camera's.
    fn with_pictures(engine: &Engine, role: Role, wire: Wire, further: Vec<PictureStreamSink>) -> Self {
        let picture = Arc::new(FrameSlot::new());
        let (sound, shown) = (Arc::new(Mutex::new(Vec::new())), PictureMeter::default());
        let (sender, events) = sync_channel(1024);
        let first = sender.clone();
        let video = PictureReceiver::new(Arc::clone(&picture), shown.clone(), None, move |width, height| {
            let _ = first.try_send(SideEvent::FirstPicture { width, height });
        });
        let sinks = PeerSinks {
            pictures: [PictureStreamSink::camera(video)].into_iter().chain(further).collect(),
            audio: Box::new({
                let sound = Arc::clone(&sound);
                move |packet: ReceivedSound| sound.lock().unwrap().push(packet)
            }),
        };
        let wire = Arc::new(wire);
        let passing = Arc::clone(&wire);
        let peer = engine.connect(&Consent::for_test(), role, sinks, move |event| passing.pass_on(event, &sender));
        Self { peer, events, picture, shown, sound, wire }
    }

    /// Pictures decoded so far.
    fn frames_decoded(&self) -> u64 {
        self.shown.stats(MediaTime::now()).frames_decoded
    }

    fn wait_for(&self, wanted: impl Fn(&SideEvent) -> bool) -> SideEvent {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap();
            if wanted(&event) {
                return event;
            }
        }
    }
}

impl Wire {
    fn join(&self, far: &Peer) {
        *self.far.lock().unwrap() = Some(far.clone());
        self.far_set.notify_all();
    }

    fn far(&self) -> Peer {
        let far = self.far_set.wait_while(self.far.lock().unwrap(), |far| far.is_none()).unwrap();
        far.clone().unwrap()
    }

    fn pass_on(&self, event: PeerEvent, events: &SyncSender<SideEvent>) {
        match event {
            PeerEvent::LocalDescription(mut description) => {
                self.descriptions.fetch_add(1, Relaxed);
                if self.forge_fingerprint {
                    description.fingerprint = ["AB"; 32].join(":").try_into().unwrap();
                }
                self.far().set_remote_description(description);
            }
            PeerEvent::LocalCandidate(candidate) => {
                self.addresses.lock().unwrap().push(SocketAddr::new(candidate.address, candidate.port));
                self.far().add_remote_candidate(candidate);
            }
            event => {
                let _ = events.try_send(SideEvent::Peer(event));
            }
        }
    }
}

/// A call between two engines: the offerer (callee) and the answerer (caller).
fn call(offering: &Engine, answering: &Engine) -> (Side, Side) {
    call_over(offering, answering, Wire::default(), Wire::default())
}

fn call_over(offering: &Engine, answering: &Engine, from_offerer: Wire, from_answerer: Wire) -> (Side, Side) {
    let answerer = Side::new(answering, Role::Answerer, from_answerer);
    from_offerer.join(&answerer.peer);
    let offerer = Side::new(offering, Role::Offerer, from_offerer);
    answerer.wire.join(&offerer.peer);
    (offerer, answerer)
}

fn close(sides: &[&Side]) {
    for side in sides {
        side.peer.close();
    }
    for side in sides {
        side.wait_for(|event| *event == PeerEvent::Closed);
    }
}

/// A camera that gives a moving picture, and an encoder that sends it to `peers`.
struct Camera {
    encoding: VideoEncoding,
    keyframe_wanted: Arc<AtomicBool>,
    stop: SyncSender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    fn start(width: u32, height: u32, peers: Vec<Peer>) -> Self {
        Self::of_stream(StreamId::CAMERA, width, height, peers)
    }

    fn of_stream(stream: StreamId, width: u32, height: u32, peers: Vec<Peer>) -> Self {
        let slot = Arc::new(FrameSlot::new());
        let format = VideoFormat { width, height, max_fps: 30, max_kbps: if width > 1280 { 3000 } else { 1500 } };
        let keyframe_wanted = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&keyframe_wanted);
        let encoding = VideoEncoding::start(
            Arc::clone(&slot),
            format,
            move |_| {
                let keyframe = wanted.swap(false, Relaxed);
                let plan = RenditionPlan { budget: VideoBudget::UNLIMITED, keyframe };
                RenditionPlans::of(|rendition| (rendition == 0).then_some(plan))
            },
            move |_, unit: OutgoingPicture| {
                for peer in &peers {
                    peer.send_video(stream, &unit);
                }
            },
        )
        .unwrap();
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::spawn(move || {
            let pictures: Vec<_> = (0..8).map(|number| picture(width, height, number)).collect();
            let mut pool = FramePool::new();
            for number in 0_usize.. {
                if stopped.recv_timeout(Duration::from_millis(33)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let made = pool.produce::<()>(width, height, |frame| {
                    let (y, u, v) = frame.planes_mut();
                    let from = pictures[number % pictures.len()].planes();
                    y.copy_from_slice(from.0);
                    u.copy_from_slice(from.1);
                    v.copy_from_slice(from.2);
                    frame.captured_at = MediaTime::now();
                    Ok(())
                });
                slot.put(made.unwrap());
            }
        });
        Self { encoding, keyframe_wanted, stop, thread: Some(thread) }
    }

    fn keyframe(&self) {
        self.keyframe_wanted.store(true, Relaxed);
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn picture(width: u32, height: u32, number: u64) -> VideoFrame {
    let mut frame = VideoFrame::black(width, height);
    for (row, line) in frame.planes_mut().0.chunks_exact_mut(width as usize).enumerate() {
        for (column, luma) in line.iter_mut().enumerate() {
            // A gradient that moves, and a texture that does not.
            *luma = (16 + (row + column + number as usize * 8) / 8 % 192 + (row ^ column) % 8) as u8;
        }
    }
    frame
}

/// Serves keyframe requests of a side until `wanted` comes.
fn serve(side: &Side, camera: &Camera, wanted: impl Fn(&SideEvent) -> bool) -> SideEvent {
    side.wait_for(|event| {
        if matches!(event, SideEvent::Peer(PeerEvent::KeyframeRequested { .. })) {
            camera.keyframe();
        }
        wanted(event)
    })
}

fn sound(number: u64) -> OutgoingSound {
    let captured_at = MediaTime::from_millis(number * 20);
    OutgoingSound { data: Bytes::from(vec![number as u8; 60]), captured_at }
}

/// Connects, and waits for the first picture on both sides.
fn connect(offerer: &Side, answerer: &Side, width: u32, height: u32) -> Camera {
    let camera = Camera::start(width, height, vec![offerer.peer.clone(), answerer.peer.clone()]);
    for side in [offerer, answerer] {
        serve(side, &camera, |event| *event == PeerEvent::Connected);
    }
    camera.keyframe();
    serve_both([offerer, answerer], &camera, |event| matches!(event, SideEvent::FirstPicture { .. }));
    camera
}

/// Serves keyframe requests of both sides until `wanted` has come to each: what one lacks, the other is asked for.
fn serve_both(sides: [&Side; 2], camera: &Camera, wanted: impl Fn(&SideEvent) -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    let mut come = [false; 2];
    while come != [true; 2] {
        assert!(Instant::now() < deadline, "it came to {come:?} of the sides");
        for (side, come) in sides.iter().zip(&mut come) {
            match side.events.recv_timeout(Duration::from_millis(5)) {
                Ok(SideEvent::Peer(PeerEvent::KeyframeRequested { .. })) => camera.keyframe(),
                Ok(event) if wanted(&event) => *come = true,
                _ => {}
            }
        }
    }
}

/// Waits until `holds`, serving keyframe requests; false after `limit`.
fn eventually(sides: &[&Side], camera: &Camera, limit: Duration, holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        for side in sides {
            let event = side.events.recv_timeout(Duration::from_millis(10));
            if matches!(event, Ok(SideEvent::Peer(PeerEvent::KeyframeRequested { .. }))) {
                camera.keyframe();
            }
        }
    }
    false
}

#[test]
fn two_sides_meet_over_ipv6() {
    let Ok(_available) = std::net::UdpSocket::bind((std::net::Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("skipped: this system has no IPv6");
        return;
    };
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(std::net::Ipv6Addr::LOCALHOST.into()));
    let (offerer, answerer) = call(&engine, &engine);
    drop(connect(&offerer, &answerer, 320, 180));
    close(&[&offerer, &answerer]);
}

#[test]
fn two_peers_exchange_pictures_and_sound() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (offerer, answerer) = call(&engine, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    for number in 0..50 {
        offerer.peer.send_audio(&sound(number));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(eventually(&[&answerer], &camera, TIMEOUT, || answerer.sound.lock().unwrap().len() >= 45));
    let heard = answerer.sound.lock().unwrap().clone();
    let steps = heard.windows(2).map(|pair| pair[1].rtp_timestamp.wrapping_sub(pair[0].rtp_timestamp));
    assert!(steps.into_iter().all(|step| step > 0 && step % 960 == 0), "frames of 20 ms in order, a few may be lost");
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || {
        [&offerer, &answerer].iter().all(|side| side.frames_decoded() >= 30)
    }));
    let picture = answerer.picture.take().unwrap();
    assert_eq!((picture.width(), picture.height()), (640, 360));
    drop(camera);
    close(&[&offerer, &answerer]);
}

/// Sinks that keep up to `capacity` of a camera's pictures as they come, and no sound.
fn undecoded(capacity: usize) -> (PeerSinks, Receiver<ReceivedPicture>) {
    let (units, received) = sync_channel(capacity);
    let picture = move |picture: ReceivedPicture| {
        let _ = units.try_send(picture);
        true
    };
    let pictures = vec![PictureStreamSink::camera(picture)];
    (PeerSinks { pictures, audio: Box::new(|_: ReceivedSound| {}) }, received)
}

#[test]
fn a_far_side_gets_the_access_units_undecoded_when_it_wants_them() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (sinks, received) = undecoded(64);
    let wire = Arc::new(Wire::default());
    let (sender, events) = sync_channel(64);
    let passing = Arc::clone(&wire);
    let echo =
        engine.connect(&Consent::for_test(), Role::Answerer, sinks, move |event| passing.pass_on(event, &sender));
    let to_echo = Wire::default();
    to_echo.join(&echo);
    let caller = Side::new(&engine, Role::Offerer, to_echo);
    wire.join(&caller.peer);
    let camera = Camera::start(320, 180, vec![caller.peer.clone()]);
    serve(&caller, &camera, |event| *event == PeerEvent::Connected);
    camera.keyframe();
    let first = received.recv_timeout(TIMEOUT).unwrap();
    assert!(first.keyframe);
    let ReceivedPicture { codec, data, keyframe, arrived_at: captured_at, .. } = first;
    echo.send_video(StreamId::CAMERA, &OutgoingPicture { codec, data, keyframe, captured_at });
    serve(&caller, &camera, |event| *event == SideEvent::FirstPicture { width: 320, height: 180 });
    drop(camera);
    close(&[&caller]);
    echo.close();
    assert!(events.iter().any(|event| event == PeerEvent::Closed));
}
