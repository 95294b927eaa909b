//! Networks that lose, fall silent and come back.

use std::cell::Cell;

use super::*;

/// Loses every datagram of RTP with one of `payload_types`, `percent` of the time, in the same way each run.
fn lossy(percent: u64, payload_types: &'static [u8]) -> impl Fn(&[u8]) -> bool + Send + Sync {
    let state = AtomicU64::new(1);
    move |datagram: &[u8]| {
        let is_rtp = matches!(datagram, [128..192, kind, ..] if payload_types.contains(&(kind & 0x7f)));
        let next = |seed: u64| seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        is_rtp && (next(state.update(Relaxed, Relaxed, next)) >> 33) % 100 < percent
    }
}

#[test]
fn lost_packets_are_repaired_and_asked_for_a_bounded_number_of_times() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let lossy = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment(lossy(5, &[102, 103]));
    let (offerer, answerer) = call(&lossy, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    // A stretch of 60 frames of which nearly all arrive: a busy machine may spoil one, a repair that fails spoils all.
    let start = Cell::new((0, 0));
    let nearly_all_arrive = || {
        let (sent, received) = (offerer.peer.stats().frames_sent, answerer.peer.stats().frames_received);
        let (sent_before, received_before) = start.get();
        if sent - sent_before < 60 {
            return false;
        }
        start.set((sent, received));
        (received - received_before) * 10 >= (sent - sent_before) * 9
    };
    assert!(eventually(&[&offerer, &answerer], &camera, PATIENCE, nearly_all_arrive));
    let (sent, received) = (offerer.peer.stats(), answerer.peer.stats());
    eprintln!("5 % loss: {sent:#?}\n{received:#?}");
    assert!(received.nacks_sent > 0 && sent.nacks_received > 0);
    assert!(received.nacks_sent < sent.frames_sent * 4, "{}", received.nacks_sent);
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn heavy_loss_is_made_good_by_repairs_that_were_sent_ahead() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let lossy = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment(lossy(20, &[102, 103, 104]));
    let (offerer, answerer) = call(&lossy, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    let recovered = || answerer.peer.stats().packets_recovered;
    assert!(eventually(&[&offerer, &answerer], &camera, PATIENCE, || recovered() > 50));
    eprintln!("20 % loss: {:#?}", answerer.peer.stats());
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn without_repairs_the_picture_comes_back_with_a_keyframe() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let burst = Arc::new(AtomicBool::new(false));
    let lossy = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment({
        let burst = Arc::clone(&burst);
        move |datagram| {
            // Pictures during the burst, and their retransmissions always.
            let [128..192, kind, ..] = datagram else { return false };
            kind & 0x7f == 103 || burst.load(Relaxed) && kind & 0x7f == 102
        }
    });
    let (offerer, answerer) = call(&lossy, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    let keyframes = camera.encoding.stats().keyframes;
    burst.store(true, Relaxed);
    std::thread::sleep(Duration::from_millis(400));
    burst.store(false, Relaxed);
    let before = answerer.peer.stats().frames_decoded;
    assert!(eventually(&[&offerer, &answerer], &camera, PATIENCE, || {
        answerer.peer.stats().frames_decoded > before + 10
    }));
    assert!(camera.encoding.stats().keyframes > keyframes);
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn a_keyframe_of_half_a_megabyte_arrives_whole() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (units, received) = sync_channel(8);
    let sinks = PeerSinks {
        video: VideoSink::Encoded(Arc::new(move |unit| {
            let _ = units.try_send(unit);
        })),
        audio: Arc::new(|_| {}),
    };
    let wire = Arc::new(Wire::default());
    let passing = Arc::clone(&wire);
    let (sender, _events) = sync_channel(64);
    let receiver =
        engine.connect(&Consent::for_test(), Role::Answerer, sinks, move |event| passing.pass_on(event, &sender));
    let to_receiver = Wire::default();
    to_receiver.join(&receiver);
    let sender = Side::new(&engine, Role::Offerer, to_receiver);
    wire.join(&sender.peer);
    sender.wait_for(|event| *event == PeerEvent::KeyframeRequested);
    let mut data = vec![0, 0, 0, 1, 0x67, 66, 0, 0, 0, 1, 0x65];
    data.resize(500_000, 0xaa);
    let data = Bytes::from(data);
    for _ in 0..5 {
        let unit = EncodedVideo { data: data.clone(), keyframe: true, captured_at: MediaTime::now(), rtp_timestamp: 0 };
        // Nothing follows the last packets and shows that they are missing: a busy machine may have to send it again.
        let arrives = || {
            sender.peer.send_video(&unit);
            received.recv_timeout(Duration::from_secs(2)).is_ok_and(|received| received.data == data)
        };
        assert!((0..10).any(|_| arrives()));
    }
    eprintln!("{:?}", receiver.stats());
    close(&[&sender]);
    receiver.close();
}

#[test]
#[ignore = "a measurement: cargo test --lib rtc::tests::network::soak -- --ignored --nocapture"]
fn soak() {
    let runtime = runtime();
    for percent in [1, 5, 10, 20] {
        let engine =
            || Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment(lossy(percent, &[102, 103, 111]));
        let (offerer, answerer) = call(&engine(), &engine());
        let camera = connect(&offerer, &answerer, 640, 360);
        assert!(!eventually(&[&offerer, &answerer], &camera, Duration::from_secs(15), || false));
        for side in [&offerer, &answerer] {
            let stats = side.peer.stats();
            eprintln!(
                "{percent} % loss: sent {}, received {}, decoded {}, lost {}, NACKs {}, PLIs {}, frozen {} ms, RTT {} ms",
                stats.frames_sent,
                stats.frames_received,
                stats.frames_decoded,
                stats.packets_lost,
                stats.nacks_sent,
                stats.plis_sent,
                stats.frozen_ms,
                stats.round_trip_ms
            );
        }
        drop(camera);
        close(&[&offerer, &answerer]);
    }
}
