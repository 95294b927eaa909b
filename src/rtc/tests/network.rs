//! Networks that lose, fall silent and come back.

use super::*;
use crate::codec::VideoCodec;
use crate::rtc::PeerStats;

/// Loses every datagram of RTP with one of `payload_types`, `percent` of the time, in the same way each run; counts the
/// pictures' packets among them in `lost`.
fn lossy(percent: u64, payload_types: &'static [u8], lost: Arc<AtomicU64>) -> impl Fn(&[u8]) -> bool + Send + Sync {
    let state = AtomicU64::new(1);
    move |datagram: &[u8]| {
        let &[128..192, kind, ..] = datagram else { return false };
        let payload_type = kind & 0x7f;
        let next = |seed: u64| seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let loses =
            payload_types.contains(&payload_type) && (next(state.update(Relaxed, Relaxed, next)) >> 33) % 100 < percent;
        lost.fetch_add(u64::from(loses && payload_type == PICTURES), Relaxed);
        loses
    }
}

const PICTURES: u8 = 102;
const RETRANSMISSIONS: u8 = 103;
const REPAIRS: u8 = 104;

/// A call that loses `percent` of all packets of pictures and repairs on the way to the answerer until a hundred
/// pictures' packets were lost; what either side has counted then, and the packets that were lost.
fn after_a_hundred_losses(percent: u64) -> (PeerStats, PeerStats, u64) {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let lost = Arc::new(AtomicU64::new(0));
    let lossy = lossy(percent, &[PICTURES, RETRANSMISSIONS, REPAIRS], Arc::clone(&lost));
    let lossy = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment(lossy);
    let (offerer, answerer) = call(&lossy, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || lost.load(Relaxed) >= 100));
    let counted = (offerer.peer.stats(), answerer.peer.stats(), lost.load(Relaxed));
    eprintln!("{percent} % loss, {} lost: {:#?}\n{:#?}", counted.2, counted.0, counted.1);
    drop(camera);
    close(&[&offerer, &answerer]);
    counted
}

/// Pictures that were sent and did not arrive. A few are still on their way, and a busy machine may spoil one or two.
fn missing(sent: &PeerStats, received: &PeerStats) -> u64 {
    sent.frames_sent.saturating_sub(received.frames_received)
}

#[test]
fn lost_packets_are_repaired_and_asked_for_a_bounded_number_of_times() {
    let (sent, received, lost) = after_a_hundred_losses(5);
    assert!(missing(&sent, &received) * 4 < lost, "each loss spoils a picture at least, unless it is repaired");
    assert!(received.nacks_sent > 0 && sent.nacks_received > 0);
    assert!(received.nacks_sent < lost * 4, "{} requests", received.nacks_sent);
}

#[test]
fn heavy_loss_is_made_good_by_repairs_that_were_sent_ahead() {
    let (sent, received, lost) = after_a_hundred_losses(20);
    assert!(received.packets_recovered * 2 > lost, "half of what is lost is worked out from what comes");
    assert!(missing(&sent, &received) * 4 < lost, "each loss spoils a picture at least, unless it is repaired");
}

#[test]
fn without_repairs_the_picture_comes_back_with_a_keyframe() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let burst = Arc::new(AtomicBool::new(false));
    let lost = Arc::new(AtomicU64::new(0));
    let lossy = Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment({
        let (burst, lost) = (Arc::clone(&burst), Arc::clone(&lost));
        move |datagram| {
            // Pictures during the burst, and their retransmissions always.
            let [128..192, kind, ..] = datagram else { return false };
            let spoils = burst.load(Relaxed) && kind & 0x7f == PICTURES;
            lost.fetch_add(u64::from(spoils), Relaxed);
            spoils || kind & 0x7f == RETRANSMISSIONS
        }
    });
    let (offerer, answerer) = call(&lossy, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    let keyframes = camera.encoding.stats().keyframes;
    burst.store(true, Relaxed);
    assert!(
        eventually(&[&offerer, &answerer], &camera, TIMEOUT, || lost.load(Relaxed) >= 40),
        "some pictures' packets"
    );
    burst.store(false, Relaxed);
    let before = answerer.frames_decoded();
    assert!(eventually(&[&offerer, &answerer], &camera, TIMEOUT, || { answerer.frames_decoded() > before + 10 }));
    assert!(camera.encoding.stats().keyframes > keyframes);
    drop(camera);
    close(&[&offerer, &answerer]);
}

#[test]
fn a_keyframe_of_half_a_megabyte_arrives_whole() {
    const KEYFRAMES: u32 = 10;
    /// As many may be lost for good where a busy machine drops what its sockets cannot hold.
    const SPOILED: u32 = 2;
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let (sinks, received) = undecoded(8);
    let wire = Arc::new(Wire::default());
    let passing = Arc::clone(&wire);
    let (sender, _events) = sync_channel(64);
    let receiver =
        engine.connect(&Consent::for_test(), Role::Answerer, sinks, move |event| passing.pass_on(event, &sender));
    let to_receiver = Wire::default();
    to_receiver.join(&receiver);
    let sender = Side::new(&engine, Role::Offerer, to_receiver);
    wire.join(&sender.peer);
    sender.wait_for(|event| matches!(event, SideEvent::Peer(PeerEvent::KeyframeRequested { .. })));
    let unit = |data: &[u8], keyframe| {
        let data = Bytes::copy_from_slice(data);
        OutgoingPicture { codec: VideoCodec::PREFERRED, data, keyframe, captured_at: MediaTime::now() }
    };
    let mut data = vec![0, 0, 0, 1, 0x67, 66, 0, 0, 0, 1, 0x65];
    data.resize(500_000, 0xaa);
    let mut whole = 0;
    for _ in 0..KEYFRAMES {
        sender.peer.send_video(StreamId::CAMERA, &unit(&data, true));
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            match received.recv_timeout(Duration::from_millis(33)) {
                Ok(unit) if unit.keyframe => {
                    assert!(unit.data == data, "what arrives is what was sent");
                    whole += 1;
                    break;
                }
                Ok(_) => {}
                // Packets of later pictures show which ones of the keyframe are missing.
                Err(_) => sender.peer.send_video(StreamId::CAMERA, &unit(&[0, 0, 0, 1, 0x41, 9, 8, 7], false)),
            }
        }
    }
    assert!(whole + SPOILED >= KEYFRAMES, "{whole} of {KEYFRAMES} arrived");
    eprintln!("{:?}", receiver.stats());
    close(&[&sender]);
    receiver.close();
}

#[test]
#[ignore = "a measurement: cargo test --lib rtc::tests::network::soak -- --ignored --nocapture"]
fn soak() {
    let runtime = runtime();
    for percent in [1, 5, 10, 20] {
        let engine = || {
            Engine::new(runtime.handle().clone(), Some(LOOPBACK)).with_impairment(lossy(
                percent,
                &[102, 103, 111],
                Arc::default(),
            ))
        };
        let (offerer, answerer) = call(&engine(), &engine());
        let camera = connect(&offerer, &answerer, 640, 360);
        assert!(!eventually(&[&offerer, &answerer], &camera, Duration::from_secs(15), || false));
        for side in [&offerer, &answerer] {
            let stats = side.peer.stats();
            eprintln!(
                "{percent} % loss: sent {}, received {}, decoded {}, lost {}, NACKs {}, PLIs {}, frozen {} ms, RTT {} ms",
                stats.frames_sent,
                stats.frames_received,
                side.frames_decoded(),
                stats.packets_lost,
                stats.nacks_sent,
                stats.plis_sent,
                side.shown.stats(MediaTime::now()).frozen_ms,
                stats.round_trip_ms
            );
        }
        drop(camera);
        close(&[&offerer, &answerer]);
    }
}
