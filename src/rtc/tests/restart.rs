//! Paths that fall silent, and come back by themselves or by an ICE restart.

use super::*;

/// An engine whose datagrams are lost while the switch is on.
fn with_switch(runtime: &tokio::runtime::Runtime) -> (Engine, Arc<AtomicBool>) {
    let away = Arc::new(AtomicBool::new(false));
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment({
        let away = Arc::clone(&away);
        move |_| away.load(Relaxed)
    });
    (engine, away)
}

fn pictures_flow(offerer: &Side, answerer: &Side, camera: &Camera) {
    let sides = [offerer, answerer];
    let before = sides.map(|side| side.peer.stats().frames_decoded);
    assert!(eventually(&sides, camera, PATIENCE, || {
        sides.iter().zip(before).all(|(side, before)| side.peer.stats().frames_decoded > before + 5)
    }));
}

#[test]
fn a_far_side_that_vanishes_is_told_as_an_interruption() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (mortal, dead) = with_switch(&runtime);
    let (offerer, answerer) = call(&engine, &mortal);
    let camera = connect(&offerer, &answerer, 320, 180);
    dead.store(true, Relaxed);
    let began = Instant::now();
    serve(&offerer, &camera, |event| *event == PeerEvent::Interrupted);
    eprintln!("vanished: interrupted after {:?}", began.elapsed());
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn an_interruption_that_ends_by_itself_is_told() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (absent, away) = with_switch(&runtime);
    let (offerer, answerer) = call(&engine, &absent);
    let camera = connect(&offerer, &answerer, 320, 180);
    away.store(true, Relaxed);
    serve(&offerer, &camera, |event| *event == PeerEvent::Interrupted);
    let before = answerer.peer.stats().frames_received;
    away.store(false, Relaxed);
    serve(&offerer, &camera, |event| *event == PeerEvent::Resumed);
    pictures_flow(&offerer, &answerer, &camera);
    assert!(answerer.peer.stats().frames_received > before);
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn a_restart_moves_the_call_to_new_sockets_with_new_credentials() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (offerer, answerer) = call(&engine, &engine);
    let camera = connect(&offerer, &answerer, 320, 180);
    for generation in 1..=2 {
        let old = offerer.wire.addresses.lock().unwrap().last().copied();
        offerer.peer.restart_ice(generation);
        for side in [&offerer, &answerer] {
            serve(side, &camera, |event| *event == PeerEvent::Interrupted);
            serve(side, &camera, |event| *event == PeerEvent::Resumed);
        }
        assert_ne!(offerer.wire.addresses.lock().unwrap().last().copied(), old, "a new socket");
        pictures_flow(&offerer, &answerer, &camera);
    }
    offerer.peer.restart_ice(2);
    answerer.peer.restart_ice(3);
    pictures_flow(&offerer, &answerer, &camera);
    assert!(offerer.events.try_iter().all(|event| event != PeerEvent::Interrupted), "late, and not its part to play");
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn a_restart_that_begins_in_a_blackout_finds_the_path_when_there_is_one() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (absent, away) = with_switch(&runtime);
    let (offerer, answerer) = call(&engine, &absent);
    let camera = connect(&offerer, &answerer, 320, 180);
    away.store(true, Relaxed);
    serve(&offerer, &camera, |event| *event == PeerEvent::Interrupted);
    offerer.peer.restart_ice(1);
    serve(&answerer, &camera, |event| *event == PeerEvent::Interrupted);
    away.store(false, Relaxed);
    for side in [&offerer, &answerer] {
        serve(side, &camera, |event| *event == PeerEvent::Resumed);
    }
    pictures_flow(&offerer, &answerer, &camera);
    drop(camera);
    close(&[&offerer, &answerer]);
}
