//! Strangers, forgers and floods.

use std::net::UdpSocket;

use super::*;
use crate::call::{Candidate, CandidateKind};

#[test]
fn a_strangers_datagrams_disturb_no_call() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    for _ in 0..20 {
        let (offerer, answerer) = call(&engine, &engine);
        let stop = Arc::new(AtomicBool::new(false));
        let targets = [Arc::clone(&offerer.wire), Arc::clone(&answerer.wire)];
        let stranger = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
                while !stop.load(Relaxed) {
                    for target in targets.iter().flat_map(|wire| wire.addresses.lock().unwrap().clone()) {
                        for datagram in hostile_datagrams() {
                            let _ = socket.send_to(&datagram, target);
                        }
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let camera = connect(&offerer, &answerer, 320, 180);
        assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || {
            [&offerer, &answerer].iter().all(|side| side.frames_decoded() >= 3)
        }));
        stop.store(true, Relaxed);
        stranger.join().unwrap();
        drop(camera);
        assert!(offerer.peer.stats().datagrams_refused > 0 && answerer.peer.stats().datagrams_refused > 0);
        close(&[&offerer, &answerer]);
    }
}

/// A DTLS ClientHello, alerts and application data; RTP and RTCP; STUN that claims the other ICE role.
fn hostile_datagrams() -> Vec<Vec<u8>> {
    let mut client_hello = vec![22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42];
    client_hello.extend([254, 253]);
    client_hello.extend([7; 32]);
    client_hello.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let alert = vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let mut rtp = vec![128, 102, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2];
    rtp.extend([9; 40]);
    let rtcp = vec![129, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4];
    let stun = |role: u16| {
        let mut message = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
        message.extend([5; 12]);
        message.extend(role.to_be_bytes());
        message.extend([0, 8]);
        message.extend([255; 8]);
        message
    };
    vec![client_hello, alert, rtp, rtcp, stun(0x802a), stun(0x8029), vec![0], vec![255; 1400]]
}

#[test]
fn a_forged_certificate_never_connects() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let forged = Wire { forge_fingerprint: true, ..Wire::default() };
    let (offerer, answerer) = call_over(&engine, &engine, forged, Wire::default());
    let began = Instant::now();
    let event =
        answerer.wait_for(|event| matches!(event, SideEvent::Peer(PeerEvent::Failed { .. } | PeerEvent::Connected)));
    eprintln!("forged certificate: {event:?} after {:?}", began.elapsed());
    assert!(matches!(event, SideEvent::Peer(PeerEvent::Failed { .. })));
    close(&[&offerer, &answerer]);
}

#[test]
fn an_unusable_description_fails_the_peer_and_floods_are_ignored() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let side = Side::new(&engine, Role::Answerer, Wire::default());
    for port in 1..2000 {
        let candidate = Candidate {
            generation: 0,
            foundation: "1".try_into().unwrap(),
            priority: 1,
            address: LOOPBACK,
            port,
            kind: CandidateKind::Host,
        };
        side.peer.add_remote_candidate(candidate);
    }
    let description = Description { streams: Vec::new(), ..Description::for_test() };
    while side.events.try_recv().is_err() {
        side.peer.set_remote_description(description.clone());
        std::thread::yield_now();
    }
    close(&[&side]);
}
