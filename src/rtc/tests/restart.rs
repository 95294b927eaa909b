//! Paths that fall silent, and come back by themselves or by an ICE restart.

use super::*;

/// A connected call with pictures both ways, whose answerer can be away.
struct Interruptible {
    _runtime: tokio::runtime::Runtime,
    offerer: Side,
    answerer: Side,
    camera: Camera,
    /// While this is on, the packets of the answerer are lost.
    away: Arc<AtomicBool>,
}

impl Interruptible {
    fn new() -> Self {
        let runtime = runtime();
        let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
        let away = Arc::new(AtomicBool::new(false));
        let absent = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment({
            let away = Arc::clone(&away);
            move |_| away.load(Relaxed)
        });
        let (offerer, answerer) = call(&engine, &absent);
        let camera = connect(&offerer, &answerer, 320, 180);
        Self { _runtime: runtime, offerer, answerer, camera, away }
    }

    fn sides(&self) -> [&Side; 2] {
        [&self.offerer, &self.answerer]
    }

    /// The answerer is away until the offerer notices it.
    fn go_away(&self) {
        self.away.store(true, Relaxed);
        serve(&self.offerer, &self.camera, |event| *event == PeerEvent::Interrupted);
    }

    fn come_back(&self) {
        self.away.store(false, Relaxed);
    }

    fn wait_for_both(&self, event: &PeerEvent) {
        self.sides().iter().for_each(|side| _ = serve(side, &self.camera, |come| come == event));
    }

    fn pictures_flow(&self) {
        let sides = self.sides();
        let before = sides.map(|side| side.frames_decoded());
        assert!(eventually(&sides, &self.camera, TIMEOUT, || {
            sides.iter().zip(before).all(|(side, before)| side.frames_decoded() > before + 5)
        }));
    }

    fn end(self) {
        drop(self.camera);
        close(&[&self.offerer, &self.answerer]);
    }
}

#[test]
fn a_far_side_that_vanishes_is_told_as_an_interruption() {
    let call = Interruptible::new();
    let began = Instant::now();
    call.go_away();
    eprintln!("vanished: interrupted after {:?}", began.elapsed());
    call.end();
}

#[test]
fn an_interruption_that_ends_by_itself_is_told() {
    let call = Interruptible::new();
    call.go_away();
    let before = call.answerer.peer.stats().frames_received;
    call.come_back();
    serve(&call.offerer, &call.camera, |event| *event == PeerEvent::Resumed);
    call.pictures_flow();
    assert!(call.answerer.peer.stats().frames_received > before);
    call.end();
}

#[test]
fn a_restart_moves_the_call_to_new_sockets_with_new_credentials() {
    let call = Interruptible::new();
    let last_address = || call.offerer.wire.addresses.lock().unwrap().last().copied();
    for generation in 1..=2 {
        let old = last_address();
        call.offerer.peer.restart_ice(generation);
        call.wait_for_both(&PeerEvent::Interrupted);
        call.wait_for_both(&PeerEvent::Resumed);
        assert_ne!(last_address(), old, "a new socket");
        call.pictures_flow();
    }
    call.offerer.peer.restart_ice(2);
    call.answerer.peer.restart_ice(3);
    call.pictures_flow();
    let interrupted = call.offerer.events.try_iter().any(|event| event == PeerEvent::Interrupted);
    assert!(!interrupted, "late, and not its part to play");
    call.end();
}

#[test]
fn a_restart_that_begins_in_a_blackout_finds_the_path_when_there_is_one() {
    let call = Interruptible::new();
    call.go_away();
    call.offerer.peer.restart_ice(1);
    serve(&call.answerer, &call.camera, |event| *event == PeerEvent::Interrupted);
    call.come_back();
    call.wait_for_both(&PeerEvent::Resumed);
    call.pictures_flow();
    call.end();
}
