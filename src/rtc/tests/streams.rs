//! Connections with several streams of pictures.

use super::*;

/// A screen's tile at one side, and the pictures shown in it.
struct Screen {
    picture: Arc<FrameSlot>,
    shown: PictureMeter,
}

/// A side with a screen beside its camera.
fn with_screen(engine: &Engine, role: Role, wire: Wire) -> (Side, Screen) {
    let screen = Screen { picture: Arc::new(FrameSlot::new()), shown: PictureMeter::default() };
    let sink = PictureReceiver::new(Arc::clone(&screen.picture), screen.shown.clone(), None, |_, _| {});
    (Side::with_pictures(engine, role, wire, vec![PictureStreamSink::screen(sink)]), screen)
}

fn decoded(meter: &PictureMeter) -> u64 {
    meter.stats(MediaTime::now()).frames_decoded
}

/// Serves keyframe requests of `sides` from the encoder of the stream that they name, until `holds`.
fn serve_until(sides: [&Side; 2], sources: &[(StreamId, &Camera)], mut holds: impl FnMut(usize, &SideEvent) -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        assert!(Instant::now() < deadline, "waited in vain");
        for (number, side) in sides.into_iter().enumerate() {
            let Ok(event) = side.events.recv_timeout(Duration::from_millis(5)) else { continue };
            if let SideEvent::Peer(PeerEvent::KeyframeRequested { stream }) = event {
                sources.iter().filter(|(id, _)| *id == stream).for_each(|(_, source)| source.keyframe());
            }
            if holds(number, &event) {
                return;
            }
        }
    }
}

fn size(picture: Option<Arc<VideoFrame>>) -> Option<(u32, u32)> {
    picture.map(|picture| (picture.width(), picture.height()))
}

#[test]
fn a_camera_and_a_screen_arrive_each_in_its_own_sink() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let from_offerer = Wire::default();
    let (answerer, answerers_screen) = with_screen(&engine, Role::Answerer, Wire::default());
    from_offerer.join(&answerer.peer);
    let (offerer, offerers_screen) = with_screen(&engine, Role::Offerer, from_offerer);
    answerer.wire.join(&offerer.peer);
    let peers = || vec![offerer.peer.clone(), answerer.peer.clone()];
    let camera = Camera::start(320, 180, peers());
    let screen = Camera::of_stream(StreamId::SCREEN, 640, 360, peers());
    let sources = [(StreamId::CAMERA, &camera), (StreamId::SCREEN, &screen)];
    let sides = [&offerer, &answerer];
    let meters = [&offerer.shown, &answerer.shown, &offerers_screen.shown, &answerers_screen.shown];
    // Requests come while there is something to serve, so each wait ends.
    let deadline = Instant::now() + TIMEOUT;
    while !meters.iter().all(|meter| decoded(meter) >= 15) {
        assert!(Instant::now() < deadline, "decoded {:?}", meters.map(decoded));
        for side in sides {
            let Ok(event) = side.events.recv_timeout(Duration::from_millis(5)) else { continue };
            if let SideEvent::Peer(PeerEvent::KeyframeRequested { stream }) = event {
                sources.iter().filter(|(id, _)| *id == stream).for_each(|(_, source)| source.keyframe());
            }
        }
    }
    for (side, tile) in [(&offerer, &offerers_screen), (&answerer, &answerers_screen)] {
        assert_eq!(size(side.picture.get().0), Some((320, 180)));
        assert_eq!(size(tile.picture.get().0), Some((640, 360)));
        let (camera, screen) = (side.peer.stats(), side.peer.stream_stats(StreamId::SCREEN).unwrap());
        assert!(camera.frames_received >= 15 && screen.frames_received >= 15, "each counts its own");
        assert!(camera.frames_sent >= 15 && screen.frames_sent >= 15);
    }

    // A request names its stream.
    let asked = |id| offerer.peer.stream_stats(id).unwrap().keyframe_requests_received;
    let before = asked(StreamId::SCREEN);
    answerer.peer.request_keyframe(StreamId::SCREEN);
    let of_screen = PeerEvent::KeyframeRequested { stream: StreamId::SCREEN };
    serve_until(sides, &sources, |side, event| side == 0 && *event == of_screen);
    assert!(asked(StreamId::SCREEN) > before);
    assert_eq!(offerer.peer.stream_stats(StreamId::new(7)), None);
    drop((camera, screen));
    close(&[&offerer, &answerer]);
}

#[test]
fn a_side_without_a_screen_gets_the_camera_alone() {
    for offerer_has_one in [true, false] {
        let runtime = runtime();
        let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
        let side = |role, wire, has_one: bool| match has_one {
            true => with_screen(&engine, role, wire).0,
            false => Side::new(&engine, role, wire),
        };
        let from_offerer = Wire::default();
        let answerer = side(Role::Answerer, Wire::default(), !offerer_has_one);
        from_offerer.join(&answerer.peer);
        let offerer = side(Role::Offerer, from_offerer, offerer_has_one);
        answerer.wire.join(&offerer.peer);
        let peers = || vec![offerer.peer.clone(), answerer.peer.clone()];
        let camera = Camera::start(320, 180, peers());
        let screen = Camera::of_stream(StreamId::SCREEN, 640, 360, peers());
        let sources = [(StreamId::CAMERA, &camera), (StreamId::SCREEN, &screen)];
        let mut came = [false; 2];
        serve_until([&offerer, &answerer], &sources, |side, event| {
            came[side] |= *event == SideEvent::FirstPicture { width: 320, height: 180 };
            came == [true; 2]
        });
        let sharing = if offerer_has_one { &offerer } else { &answerer };
        assert_eq!(sharing.peer.stream_stats(StreamId::SCREEN).map(|stats| stats.frames_sent), Some(0));
        drop((camera, screen));
        close(&[&offerer, &answerer]);
    }
}
