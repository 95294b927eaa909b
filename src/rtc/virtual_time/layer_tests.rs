//! Temporal layers in a call of two.

use super::call::Call;

const SIZE: (u32, u32) = (640, 360);

/// Percent of the time frozen, pictures a second and kbit/s that both ends see of a call in so many layers, the mean
/// over several calls: their links differ by as many milliseconds of delay, and so by their losses.
fn seen(layers: u8, profile: &str, calls: u64, (from, to): (u64, u64)) -> (f64, f64, f64) {
    let (mut sum, mut count) = ((0.0, 0.0, 0.0), 0.0);
    for number in 0..calls {
        let mut call = Call::over(&format!("{profile},delay={}", 20 + number), SIZE, 1500);
        call.layers = layers;
        call.run(to);
        for end in 0..2 {
            let (frozen, fps, kbps) = call.seen(end, from, to);
            sum = (sum.0 + frozen, sum.1 + fps, sum.2 + kbps);
            count += 1.0;
        }
    }
    (sum.0 / count, sum.1 / count, sum.2 / count)
}

#[test]
#[ignore = "a measurement: cargo test --lib layer_tests::measure -- --ignored --nocapture"]
fn measure() {
    for profile in [
        "rate=3000,queue=200",
        "rate=150,queue=200",
        "rate=3000,queue=200,loss=2",
        "rate=3000,queue=200,loss=10",
        "rate=3000,queue=200,loss=10,burst=3",
        "rate=3000,queue=200,step=10:500",
        "rate=600,queue=200,loss=5,burst=3",
    ] {
        let [one, two] = [1, 2].map(|layers| seen(layers, profile, 4, (5, 25)));
        println!("{profile}: one layer {one:.2?}, two {two:.2?} (% frozen, fps, kbit/s)");
    }
}

#[test]
fn a_call_in_two_layers_goes_on_over_a_path_that_loses_packets() {
    let (frozen, fps, _) = seen(2, "rate=3000,queue=200,loss=5,burst=2", 1, (5, 25));
    assert!(frozen <= 1.0 && fps >= 24.0, "{frozen} % frozen, {fps} pictures a second");
}
