//! Calls in virtual time that share their bottleneck: with another call, and with a TCP flow.

use super::call::Call;

const SIZE: (u32, u32) = (640, 360);

/// The rates of two calls over one bottleneck, in kbit/s, and how much of the time each is frozen, in percent: of both
/// ends, the mean from `from` to `to` s. The second call begins so many seconds after the first.
fn rates(profile: &str, later: u64, (from, to): (u64, u64)) -> [(f64, f64); 2] {
    let mut first = Call::over(profile, SIZE, 1500);
    let mut second = Call::beside(&first, profile, SIZE, 1500);
    for ms in 0..to * 1000 {
        first.step();
        if ms < later * 1000 { second.wait() } else { second.step() }
    }
    [&first, &second].map(|call| {
        let seen = [0, 1].map(|end| call.seen(end, from, to));
        ((seen[0].2 + seen[1].2) / 2.0, (seen[0].0 + seen[1].0) / 2.0)
    })
}

#[test]
fn two_calls_over_one_bottleneck_share_it() {
    for (profile, later) in [("rate=1500,queue=200,delay=20", 0), ("rate=1500,queue=200,delay=20", 10)] {
        let [first, second] = rates(profile, later, (30, 60));
        println!("{profile}, {later} s later: {first:.0?} and {second:.0?} kbit/s and % frozen");
        let share = first.0 / (first.0 + second.0);
        assert!((0.3..=0.7).contains(&share), "{share:.2}");
        assert!(first.0 + second.0 > 1000.0 && first.1 < 5.0 && second.1 < 5.0);
    }
}

#[test]
fn a_call_goes_on_beside_a_tcp_flow() {
    let mut call = Call::over("rate=4000,queue=100,delay=20,at=10:tcp=1", SIZE, 1500);
    call.run(40);
    let (before, after) = (call.seen(0, 2, 10), call.seen(0, 15, 40));
    let tcp = call.ends[1].path.tcp_bytes() as f64 * 8.0 / 30_000.0;
    println!("before {before:.1?}, beside TCP {after:.1?} (% frozen, fps, kbit/s); TCP {tcp:.0} kbit/s");
    assert!(after.0 < 20.0 && after.1 > 15.0 && after.2 > 400.0);
}
