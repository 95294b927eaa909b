//! Resources of a call: those that remain after it, and its cost.

use super::*;

#[test]
fn closing_works_at_any_time() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let stages: [fn(&Side, &Side); 4] = [
        |_, _| {},
        |offerer, _| {
            while offerer.wire.addresses.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
        },
        |_, answerer| _ = answerer.wait_for(|event| *event == PeerEvent::Connected),
        |offerer, answerer| drop(connect(offerer, answerer, 320, 180)),
    ];
    for reach in stages {
        let (offerer, answerer) = call(&engine, &engine);
        reach(&offerer, &answerer);
        close(&[&offerer, &answerer]);
    }
    let alone = Side::new(&engine, Role::Answerer, Wire::default());
    close(&[&alone]);
}

#[test]
fn closing_waits_neither_for_the_opening_nor_for_what_the_far_side_asks_for() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    for number in 0..50 {
        let (offerer, answerer) = call(&engine, &engine);
        // Descriptions of restarts wait in the queue when it is closed, too.
        (1..60).for_each(|generation| offerer.peer.restart_ice(generation + number));
        for side in [&offerer, &answerer] {
            side.peer.close();
            let before = side.wire.descriptions.load(Relaxed);
            side.wait_for(|event| *event == PeerEvent::Closed);
            let after = side.wire.descriptions.load(Relaxed);
            assert!(after <= before + 1, "only one that was being made at that moment: {before}, {after}");
        }
    }
}

#[test]
fn who_is_elsewhere_is_not_reached_at_addresses_of_this_computer() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), None);
    if engine.addresses().iter().all(IpAddr::is_loopback) {
        return; // Without a network there is nothing but this computer.
    }
    let path = |remote: &str| {
        let path = crate::network::Path::new(SocketAddr::new(LOOPBACK, 1), SocketAddr::new(remote.parse().unwrap(), 1));
        engine.along(Arc::new(move || Some(path)))
    };
    let (near, far) = (path("127.0.0.1"), path("192.0.2.1"));
    let (offerer, answerer) = call(&near, &near);
    drop(connect(&offerer, &answerer, 320, 180));
    close(&[&offerer, &answerer]);
    let (offerer, answerer) = call(&far, &far);
    answerer.wait_for(|event| matches!(event, SideEvent::Peer(PeerEvent::Failed { .. })));
    close(&[&offerer, &answerer]);
}

/// Runs one of the ignored tests below in a process of its own, where nothing else starts threads.
fn in_own_process(test: &str) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("rtc::tests::release::{test}"), "--nocapture"])
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn fifty_calls_leave_no_thread_and_no_socket_behind() {
    in_own_process("fifty_calls");
}

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// Value of `held` once it has not changed for ten looks.
fn at_rest<T: PartialEq>(held: impl Fn() -> T) -> T {
    let (mut last, mut unchanged) = (held(), 0);
    let deadline = Instant::now() + TIMEOUT;
    while unchanged < 10 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        let now = held();
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    last
}

#[test]
#[ignore = "run by fifty_calls_leave_no_thread_and_no_socket_behind"]
fn fifty_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_keep_alive(Duration::from_millis(20))
        .build()
        .unwrap();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    let one_call = || {
        let (offerer, answerer) = call(&engine, &engine);
        drop(connect(&offerer, &answerer, 320, 180));
        close(&[&offerer, &answerer]);
    };
    let held = || (entries("/proc/self/task"), entries("/proc/self/fd"));
    let resident = || std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().to_owned();
    one_call();
    let before = at_rest(held);
    eprintln!("before: threads and files {before:?}, resident pages {}", resident());
    for _ in 0..50 {
        one_call();
    }
    let deadline = Instant::now() + TIMEOUT;
    let returned = || held().0 <= before.0 && held().1 <= before.1;
    while !returned() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!("after: threads and files {:?}, resident pages {}", held(), resident());
    assert!(returned(), "{:?} -> {:?}", before, held());
}

#[test]
#[ignore = "a measurement: cargo test --lib rtc::tests::release::measure -- --ignored --nocapture"]
fn measure() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), Some(LOOPBACK));
    for (width, height) in [(640, 360), (1280, 720), (1920, 1080)] {
        let began = Instant::now();
        let (offerer, answerer) = call(&engine, &engine);
        let camera = Camera::start(width, height, vec![offerer.peer.clone(), answerer.peer.clone()]);
        for side in [&offerer, &answerer] {
            serve(side, &camera, |event| *event == PeerEvent::Connected);
        }
        let connected = began.elapsed();
        camera.keyframe();
        for side in [&offerer, &answerer] {
            serve(side, &camera, |event| matches!(event, SideEvent::FirstPicture { .. }));
        }
        let first_frames = began.elapsed();
        let cpu = cpu_ticks();
        assert!(!eventually(&[&offerer, &answerer], &camera, Duration::from_secs(8), || false));
        let cpu = (cpu_ticks() - cpu) as f32 / 8.0;
        let encoding = camera.encoding.stats();
        eprintln!(
            "{width}x{height}: connected {connected:?}, first frames {first_frames:?}, process CPU {cpu:.0} %, \
             encode {} us a frame, {encoding:?}\n{:#?}",
            encoding.busy_us / encoding.frames.max(1),
            answerer.peer.stats()
        );
        drop(camera);
        let closing = Instant::now();
        close(&[&offerer, &answerer]);
        eprintln!("closed after {:?}", closing.elapsed());
    }
}

/// CPU time of this process in ticks of 10 ms.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn engines_on_every_network_of_the_computer_connect() {
    let runtime = runtime();
    let engine = Engine::new(runtime.handle().clone(), None);
    let began = Instant::now();
    let (offerer, answerer) = call(&engine, &engine);
    let camera = connect(&offerer, &answerer, 640, 360);
    eprintln!("{:?}, first frames after {:?}", offerer.wire.addresses.lock().unwrap(), began.elapsed());
    drop(camera);
    close(&[&offerer, &answerer]);
}
