//! Video in virtual time over paths that change in mid-call. The figures are those of
//! `bench network --changes`: of the twenty seconds after the change, which comes after eight clean ones.

use std::time::Duration;

use super::call::Call;

const CLEAN: u64 = 8;
const AFTER: u64 = 20;
/// A picture of this size needs all of the bit rate, and costs little time.
const SIZE: (u32, u32) = (640, 360);

/// Cost of a change: the mean of both ends and all seeds, and the longest gap of any, in ms.
#[derive(Debug)]
struct Cost {
    frozen_percent: f64,
    longest_gap: u64,
    /// Frames a second over the last ten seconds, the least of any end.
    fps: f64,
    kbps: f64,
}

/// Calls over a link each way, of each seed.
fn cost(links: [&str; 2], size: (u32, u32), seeds: u64) -> Cost {
    let mut cost = Cost { frozen_percent: 0.0, longest_gap: 0, fps: f64::MAX, kbps: f64::MAX };
    for seed in 0..seeds {
        let links = links.map(|link| format!("{link},seed={seed}"));
        let mut call = Call::between([&links[0], &links[1]], size, 1500);
        call.run(CLEAN + AFTER);
        for end in 0..2 {
            let (frozen, _, _) = call.seen(end, CLEAN, CLEAN + AFTER);
            let (_, fps, kbps) = call.seen(end, CLEAN + AFTER / 2, CLEAN + AFTER);
            cost.frozen_percent += frozen / (seeds * 2) as f64;
            cost.longest_gap = cost.longest_gap.max(call.longest_gap(end, CLEAN, CLEAN + AFTER));
            (cost.fps, cost.kbps) = (cost.fps.min(fps), cost.kbps.min(kbps));
        }
    }
    println!("{links:?}: {cost:.2?}");
    cost
}

/// Both ways over the same link.
fn both(link: &str, seeds: u64) -> Cost {
    cost([link; 2], SIZE, seeds)
}

#[test]
fn a_path_that_becomes_longer_or_shorter_freezes_nothing_but_what_it_takes_itself() {
    for (link, most_frozen, most_gap) in [
        ("at=8:delay=100", 0.0, 200),
        ("at=8:delay=150", 0.0, 200),
        ("delay=25,at=8:delay=150,at=18:delay=25", 0.5, 240),
        ("delay=25,at=8:delay=150,at=18:delay=25+reorder=100", 0.5, 240),
        // Nothing at all comes for 300 ms.
        ("at=8:delay=300", 1.7, 340),
        ("at=8:delay=50", 0.0, 120),
        ("delay=150,at=8:delay=10", 0.0, 120),
        ("delay=10,at=8:delay=40,at=9:delay=70,at=10:delay=100,at=11:delay=130,at=12:delay=160", 0.0, 200),
        ("delay=10,rate=4000,at=8:delay=110", 0.0, 200),
    ] {
        let cost = both(link, 1);
        assert!(cost.frozen_percent <= most_frozen && cost.longest_gap <= most_gap, "{link}: {cost:?}");
        assert!(cost.fps > 28.0 && cost.kbps > 1300.0, "{link}: {cost:?}");
    }
}

#[test]
fn one_way_alone_may_become_longer_or_shorter() {
    for (there, back) in
        [("", "at=8:delay=150"), ("delay=25", "delay=25,at=8:delay=150"), ("delay=150", "delay=150,at=8:delay=20")]
    {
        let cost = cost([there, back], SIZE, 1);
        assert!(cost.frozen_percent <= 0.5 && cost.longest_gap <= 240, "{back}: {cost:?}");
        assert!(cost.fps > 28.0 && cost.kbps > 1300.0, "{back}: {cost:?}");
    }
}

#[test]
fn loss_that_begins_freezes_next_to_nothing() {
    for (links, most_frozen) in [
        (["delay=25,at=8:loss=20"; 2], 1.5),
        (["delay=25,at=8:loss=10"; 2], 1.5),
        (["at=8:loss=10"; 2], 0.5),
        (["delay=25,at=8:loss=10+burst=3"; 2], 1.8),
        // Until loss is known, each repair on request takes longer than a freeze.
        (["delay=75,at=8:loss=10"; 2], 2.5),
        (["delay=25", "delay=25,at=8:loss=20"], 1.0),
        (["delay=25,at=8:delay=100+loss=5"; 2], 4.0),
    ] {
        let cost = cost(links, SIZE, 2);
        assert!(cost.frozen_percent <= most_frozen && cost.longest_gap <= 650, "{links:?}: {cost:?}");
        assert!(cost.fps > 28.0 && cost.kbps > 1300.0, "{links:?}: {cost:?}");
    }
}

#[test]
fn jitter_that_begins_freezes_nothing() {
    for link in [
        "at=8:jitter=30",
        "at=8:jitter=30+reorder=100",
        "delay=50,at=8:jitter=30",
        "delay=50,at=8:jitter=30+reorder=100",
        "delay=100,at=8:jitter=30",
    ] {
        let cost = both(link, 1);
        assert!(cost.frozen_percent == 0.0 && cost.longest_gap <= 200, "{link}: {cost:?}");
        assert!(cost.fps > 28.0 && cost.kbps > 1200.0, "{link}: {cost:?}");
    }
    for link in ["delay=25,at=8:delay=100+jitter=10", "delay=25,at=8:delay=100+jitter=20+reorder=100"] {
        let cost = both(link, 1);
        assert!(cost.frozen_percent <= 1.5 && cost.longest_gap <= 300, "{link}: {cost:?}");
    }
}

#[test]
fn a_path_that_becomes_narrow_costs_less_than_a_second() {
    for link in ["delay=10,at=8:rate=150", "delay=10,rate=3000,at=8:rate=150"] {
        let cost = cost([link; 2], (1280, 720), 1);
        assert!(cost.frozen_percent <= 4.0 && cost.longest_gap <= 800, "{link}: {cost:?}");
        assert!(cost.fps > 12.0 && cost.kbps > 40.0, "{link}: {cost:?}");
    }
    let cost = cost(["delay=10,rate=3000,at=8:rate=300,at=9:rate=3000"; 2], (1280, 720), 1);
    assert!(cost.frozen_percent <= 5.0 && cost.fps > 28.0 && cost.kbps > 1200.0, "a short dip: {cost:?}");
}

#[test]
fn a_fall_to_a_thin_path_freezes_about_as_long_at_any_moment() {
    // At each moment between two pictures the fall finds other pictures in the pacer and on the path.
    let (mut frozen, mut worst) = (Vec::new(), 0);
    for (link, at) in [("", 8.037), ("", 8.111), ("rate=3000", 8.037), ("rate=3000", 8.148)] {
        let link = format!("delay=10,{link},at={at}:rate=150").replace(",,", ",");
        let mut call = Call::over(&link, (1280, 720), 1500);
        call.run(CLEAN + 9);
        for end in 0..2 {
            let (share, fps, _) = call.seen(end, CLEAN, CLEAN + 9);
            let gap = call.longest_gap(end, CLEAN, CLEAN + 9);
            println!("{link} end {end}: {share:.1} % frozen, {gap} ms at the longest, {fps:.1} fps");
            frozen.push(share);
            worst = worst.max(gap);
        }
    }
    let mean = frozen.iter().sum::<f64>() / frozen.len() as f64;
    println!("{mean:.1} % frozen on average, {worst} ms at the longest");
    assert!(mean < 9.0 && worst < 900, "{mean:.1} %, {worst} ms");
}

#[test]
fn the_rtt_is_that_of_the_path_and_follows_it() {
    let mut call = Call::over("delay=25,at=6:delay=100,at=10:delay=10", SIZE, 1500);
    for (seconds, rtt) in [(5, 50), (3, 200), (4, 20)] {
        call.run(seconds);
        for end in &call.ends {
            let known = end.path.state.path.rtt().as_millis();
            assert!((rtt..=rtt + rtt / 10 + 15).contains(&known), "{known} ms of {rtt}");
        }
    }
    let least = call.ends[0].path.state.path.min_rtt().as_millis();
    assert!((20..=25).contains(&least), "{least} ms");
}

#[test]
fn another_path_begins_anew() {
    // From Wi-Fi to a telephone: another address, and a tenth of the capacity.
    let mut call = Call::over("delay=5,rate=8000,at=8:rate=700+delay=40+queue=400", (1280, 720), 1500);
    call.run(CLEAN);
    for end in &call.ends {
        end.path.state.path.changed();
        end.path.keyframe_wanted.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(end.path.state.path.rtt().is_zero());
    }
    call.run(2);
    let mut most = Duration::ZERO;
    for _ in 0..10_000 {
        call.step();
        most = call.ends.iter().map(|end| end.path.state.path.queuing_delay()).fold(most, Duration::max);
    }
    for end in 0..2 {
        let (gap, (frozen, fps, kbps)) = (call.longest_gap(end, CLEAN, 20), call.seen(end, CLEAN, 20));
        println!("end {end}: {gap} ms, {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s, queue {most:?}");
        assert!(gap <= 1000 && most <= Duration::from_millis(200), "{gap} ms, {most:?}");
    }
}

#[test]
fn a_deep_queue_is_not_filled() {
    // After a fall, packets that were sent before the first feedback fill the queue for a second.
    for (link, most_frozen) in [
        ("delay=10,rate=150,queue=500", 2.0),
        ("delay=10,rate=150,queue=1000", 2.0),
        ("delay=10,rate=3000,at=8:rate=150+queue=500", 12.0),
        ("delay=10,rate=3000,at=8:rate=150+queue=1000", 20.0),
    ] {
        let cost = cost([link; 2], (1280, 720), 1);
        assert!(cost.frozen_percent <= most_frozen, "{link}: {cost:?}");
    }
}
