//! The whole way of pictures in virtual time over paths whose rate changes. The figures are those of `bench network`.

use super::call::Call;

#[test]
fn a_path_that_shrinks_costs_one_short_freeze_and_is_used_again_when_it_widens() {
    let mut call = Call::over("rate=3000,step=12:500,step=24:3000,queue=200,delay=10", (1280, 720), 1500);
    call.run(34);
    for end in 0..2 {
        let (frozen, _, _) = call.seen(end, 2, 34);
        let (_, fps, dip) = call.seen(end, 14, 24);
        let (_, _, after) = call.seen(end, 29, 34);
        println!("end {end}: {frozen:.2} % frozen, {fps:.1} fps and {dip:.0} kbit/s in the dip, {after:.0} after it");
        // Sound and headers take some 90 kbit/s of the 500.
        assert!(frozen < 2.0 && fps > 15.0 && dip > 300.0 && after > 1350.0);
    }
}

#[test]
fn a_thin_path_shows_pictures_without_freezing() {
    let mut call = Call::over("rate=150,queue=200,delay=10", (1280, 720), 1500);
    call.run(4);
    let before = call.ends.each_ref().map(|end| end.path.sound_came());
    call.run(30);
    for (end, before) in before.into_iter().enumerate() {
        let (frozen, fps, kbps) = call.seen(end, 4, 34);
        let sound = call.ends[end].path.sound_came() - before;
        println!("end {end}: {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s, {sound} of 1500 packets of sound");
        assert!(frozen < 2.0 && fps > 13.0 && kbps > 50.0 && sound > 1470);
    }
}

#[test]
fn loss_and_distance_cost_neither_rate_nor_pictures() {
    for (link, most_frozen) in [("", 0.0), ("loss=10,delay=25", 2.5), ("delay=150", 0.0)] {
        let mut call = Call::over(link, (1280, 720), 1500);
        call.run(12);
        for end in 0..2 {
            let (frozen, fps, kbps) = call.seen(end, 2, 12);
            println!("{link:20} end {end}: {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s");
            assert!(frozen <= most_frozen && fps > 29.0 && kbps > 1350.0, "{link}");
        }
    }
}

#[test]
fn pictures_that_begin_in_mid_call_reach_their_rate_within_two_seconds() {
    for link in ["delay=20", "rate=4000,queue=200,delay=20"] {
        let mut call = Call::over(link, (1280, 720), 1500);
        call.filming = false;
        call.run(6);
        call.filming = true;
        call.run(4);
        for end in 0..2 {
            let (_, fps, kbps) = call.seen(end, 8, 10);
            println!("{link}: {fps:.1} fps, {kbps:.0} kbit/s");
            assert!(fps > 29.0 && kbps > 1350.0, "{link}: {fps:.1} fps, {kbps:.0} kbit/s");
        }
    }
}

#[test]
fn a_picture_that_was_cheap_reaches_its_rate_soon() {
    // As where the scene was still: far less was sent than the path takes, after it had been narrow. A small picture is
    // whole all the time; a large one has become smaller, and comes back step by step.
    for (size, cheap, seconds) in [((640, 360), 200, 2), ((1280, 720), 200, 4)] {
        let mut call = Call::over("rate=400,step=4:4000,queue=200,delay=20", size, cheap);
        call.run(8);
        call.kbps = 1500;
        call.run(seconds + 2);
        for end in 0..2 {
            let (_, fps, kbps) = call.seen(end, 8 + seconds, 10 + seconds);
            println!("{size:?} end {end}: {fps:.1} fps, {kbps:.0} kbit/s");
            assert!(fps > 28.0 && kbps > 1350.0, "{size:?} end {end}: {fps:.1} fps, {kbps:.0} kbit/s");
        }
    }
}

#[test]
fn a_path_that_queues_for_seconds_is_not_filled() {
    let mut call = Call::over("rate=3000,step=6:300,queue=2000,delay=10", (1280, 720), 1500);
    call.run(16);
    for end in 0..2 {
        let (frozen, fps, kbps) = call.seen(end, 8, 16);
        println!("end {end}: {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s");
        assert!(frozen < 1.0 && fps > 15.0 && kbps > 140.0, "end {end}: {frozen:.2} %, {fps:.1} fps, {kbps:.0}");
    }
}

#[test]
fn a_still_scene_after_a_narrow_path_is_whole_again_in_four_seconds() {
    // The path is narrow for twelve seconds; the scene stands still two seconds before it widens.
    let mut call = Call::over("rate=500,step=12:4000,queue=200,delay=20", (1280, 720), 1500);
    call.run(10);
    let smaller = call.ends.each_ref().map(|end| end.picture_size().1);
    call.still = true;
    call.run(6);
    let whole = call.ends.each_ref().map(|end| end.picture_size().1);
    let (frozen, _, _) = call.seen(0, 12, 16);
    println!("{smaller:?} lines, {whole:?} four seconds after, {frozen:.1} % frozen");
    assert!(smaller.iter().all(|lines| *lines < 720), "nothing was tested: {smaller:?}");
    assert_eq!(whole, [720; 2]);
}

#[test]
fn a_call_of_long_rtt_reaches_its_preset_in_two_seconds() {
    for link in ["delay=150", "delay=150,rate=4000,queue=200", "delay=150,rate=2500,queue=200"] {
        let mut call = Call::over(link, (1280, 720), 1500);
        call.run(6);
        for end in 0..2 {
            let (_, fps, kbps) = call.seen(end, 2, 3);
            println!("{link} end {end}: {fps:.1} fps, {kbps:.0} kbit/s in the third second");
            assert!(fps > 28.0 && kbps > 1350.0, "{link} end {end}: {fps:.1} fps, {kbps:.0} kbit/s");
        }
    }
}

#[test]
fn a_path_that_reorders_costs_few_retransmissions_and_no_pictures() {
    // As the second half of such a path in the grid: the RTT becomes 200 ms, with jitter, and 2 % of packets overtake.
    let mut call = Call::over("delay=25,at=4:delay=100+jitter=20+reorder=2", (640, 360), 1500);
    call.run(8);
    let before = call.ends.each_ref().map(|end| end.path.sent);
    call.run(20);
    for (end, before) in before.into_iter().enumerate() {
        let [video, rtx, fec] = [0, 1, 2].map(|kind| (call.ends[end].path.sent[kind] - before[kind]) as f64);
        let (frozen, fps, kbps) = call.seen(end, 8, 28);
        let [rtx, fec] = [rtx, fec].map(|bytes| bytes / video * 100.0);
        println!("end {end}: RTX {rtx:.2} %, FEC {fec:.2} %, {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s");
        assert!(rtx < 3.0, "RTX {rtx:.2} % of the media");
        assert!(frozen <= 1.5 && fps > 25.0, "{frozen:.2} % frozen, {fps:.1} fps");
    }
}
