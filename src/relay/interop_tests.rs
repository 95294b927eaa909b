//! The relay and the client of coturn.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use super::*;

const SECRET: &str = "sixteen or more bytes";
/// Messages of each of the two clients, and their bytes.
const MESSAGES: u64 = 200;
const LENGTH: u64 = 170;

/// Runs `turnutils_uclient` with pairs of clients that send to each other, and returns the relay's counts.
fn run(clients: u64, messages: u64, length: u64, further: &[&str]) -> Figures {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let (allocations, bits_per_second) = (100, 10_000_000_000);
    let limits = Limits {
        allocations,
        allocations_per_credential: allocations,
        bits_per_second,
        bits_per_second_per_credential: bits_per_second,
    };
    let config = Config { secret: SECRET.into(), realm: "visavis".to_owned(), limits };
    let server = Server::start(runtime.handle(), config, vec![socket]).unwrap();
    let [clients, messages, length] = [clients, messages, length].map(|number| number.to_string());
    let output = Command::new("turnutils_uclient")
        .args(["-y", "-c", "-m", &clients, "-n", &messages, "-l", &length, "-u", "somebody", "-W", SECRET, "-p", &port])
        .args(further)
        .arg("127.0.0.1")
        .output()
        .expect("turnutils_uclient, of Debian's package coturn");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{text}\n{:?}", server.figures());
    assert!(output.status.success() && text.contains("Total lost packets 0 "), "{text}");
    server.figures()
}

#[test]
#[ignore = "needs coturn's client: cargo test --lib relay::interop_tests -- --ignored --nocapture"]
fn the_client_of_coturn_loses_nothing_by_channels_and_by_indications() {
    for further in [&[][..], &["-s"]] {
        let figures = run(1, MESSAGES, LENGTH, further);
        assert_eq!(figures.relayed_datagrams, 2 * MESSAGES, "{further:?}");
        assert!(figures.relayed_bytes >= 2 * MESSAGES * LENGTH);
    }
}

/// CPU time of this process in seconds.
fn cpu_seconds() -> f64 {
    // SAFETY: the structure is plain numbers, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[test]
#[ignore = "a measurement: cargo test --lib relay::interop_tests::cpu -- --ignored --nocapture"]
fn cpu_of_relayed_datagrams() {
    let before = cpu_seconds();
    let figures = run(10, 2000, 1000, &["-z", "5"]);
    let cpu = cpu_seconds() - before;
    let (megabits, datagrams) = (figures.relayed_bytes as f64 * 8e-6, figures.relayed_datagrams);
    eprintln!("{datagrams} datagrams, {megabits:.0} Mbit: {cpu:.2} s of CPU, {:.2} ms a Mbit", cpu * 1000.0 / megabits);
}
