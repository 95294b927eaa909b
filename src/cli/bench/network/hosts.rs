//! Measurement of calls between hosts of their own: reordering, a move to another network, and flows that share a
//! bottleneck.

use std::time::Duration;

use serde::Serialize;

use super::dips::narrowest;
use super::place::Place;
use super::record::SideRecord;
use super::{Measured, table};
use crate::cli::bench::figures::{Distribution, median, round};
use crate::cli::bench::namespaces::{Network, Traffic};
use crate::controller::LinkProfile;

/// One measurement of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The network, in words.
    pub name: &'static str,
    /// The link between the hosts of each call.
    pub link: &'static str,
    /// Calls at the same time, through one bottleneck.
    pub calls: usize,
    /// The caller's host loses its interface and address, and gets others, at the first change of the link.
    pub moves: bool,
}

/// The measurements of the table.
pub const ROWS: [Row; 4] = [
    Row { name: "2 % out of order, RTT 50 ms", link: "delay=25,jitter=10,reorder=2", calls: 1, moves: false },
    Row { name: "Wi-Fi to tethering, 8000 to 700 kbit/s", link: MOVE, calls: 1, moves: true },
    Row { name: "two calls, 2000 kbit/s", link: "rate=2000,queue=200,delay=10", calls: 2, moves: false },
    Row { name: "a TCP flow beside, 3000 kbit/s", link: "rate=3000,queue=200,delay=20,tcp=1", calls: 1, moves: false },
];

/// Wi-Fi up to the tenth second, then a telephone.
const MOVE: &str = "rate=8000,queue=200,delay=5,at=10:rate=700+delay=30";

/// Figures of all calls of a row: means of all sides. Where there is a move, pictures, sound and rates are those after
/// it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostFigures {
    /// The program.
    pub peer: &'static str,
    /// The network, in words.
    pub network: String,
    /// The link, as a profile.
    pub link: String,
    /// Pictures shown a second.
    pub fps: f64,
    /// Percent of the time in gaps of more than 200 ms.
    pub frozen_percent: f64,
    /// From capture to the tile.
    pub latency_ms_p50: f64,
    /// The same for the slowest twentieth.
    pub latency_ms_p95: f64,
    /// Concealed sound in percent.
    pub audio_concealed_percent: f64,
    /// Video payload that arrives on each side.
    pub kbps: f64,
    /// From the move until pictures move again, of the later side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_to_picture: Option<f64>,
    /// From capture to the tile for the slowest twentieth, from two seconds after the move on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_latency_ms_p95: Option<f64>,
    /// Percent of the bottleneck's capacity that each call gets, the least first, headers counted; the mean of both
    /// directions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub call_shares_percent: Vec<f64>,
    /// The same of the TCP flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_share_percent: Option<f64>,
}

impl Row {
    /// Makes the calls of `seconds` at the same time, each as `measure` does; the figures of `peer`.
    pub fn measure(
        &self,
        peer: &'static str,
        measure: &(dyn Fn(&Place<'_>) -> anyhow::Result<Measured> + Sync),
    ) -> anyhow::Result<HostFigures> {
        let link: LinkProfile = self.link.parse()?;
        let moves_after = link.first_change().filter(|_| self.moves);
        let network = Network::new(&link, self.calls, moves_after)?;
        let calls = std::thread::scope(|scope| {
            let call = |number| {
                let network = &network;
                move || measure(&Place::Hosts(network.place(number)?))
            };
            let calls: Vec<_> = (0..self.calls).map(|number| scope.spawn(call(number))).collect();
            let ended = |_| Err(anyhow::anyhow!("the thread of a call ended"));
            calls.into_iter().map(|call| call.join().unwrap_or_else(ended)).collect::<anyhow::Result<Vec<_>>>()
        })?;
        let traffic = narrowest(&link, common_window(&calls)).and_then(|((from, to), kbps)| {
            let began = calls.iter().map(|call| call.began.at).max()?;
            let moment = |seconds| began + Duration::from_secs_f64(seconds);
            Some((network.traffic(moment(from), moment(to))?, kbps))
        });
        Ok(HostFigures::of(peer, self, &link, &calls, traffic.as_ref()))
    }
}

/// Window that counts in all calls, in seconds since the last one began.
fn common_window(calls: &[Measured]) -> (f64, f64) {
    let last = calls.iter().map(|call| call.began.at).max();
    let windows = calls.iter().map(|call| {
        let earlier = last.map_or(0.0, |last| last.saturating_duration_since(call.began.at).as_secs_f64());
        (call.window.0 - earlier, call.window.1 - earlier)
    });
    windows.reduce(|(from, to), window| (from.max(window.0), to.min(window.1))).unwrap_or_default()
}

impl HostFigures {
    /// The figures of some calls; `traffic`: that of a bottleneck of so many kbit/s, up to two moments.
    fn of(
        peer: &'static str,
        row: &Row,
        link: &LinkProfile,
        calls: &[Measured],
        traffic: Option<&([Traffic; 2], f64)>,
    ) -> Self {
        let moved_at = link.first_change().filter(|_| row.moves).map(|at| at.as_secs_f64());
        let window = |call: &Measured| (moved_at.unwrap_or(call.window.0), call.window.1);
        let sides = || calls.iter().flat_map(|call| call.sides.iter().map(move |side| (side, window(call))));
        let mean = |of: &dyn Fn(&SideRecord, (f64, f64)) -> f64| {
            sides().map(|(side, window)| of(side, window)).sum::<f64>() / sides().count().max(1) as f64
        };
        let delays: Distribution = sides().flat_map(|(side, _)| side.delays.iter().copied()).collect();
        let settled: Distribution = sides().flat_map(|(side, _)| side.settled_delays.iter().copied()).collect();
        let to_picture =
            |at: f64| sides().map(|(side, (_, end))| side.seconds_until_moving(at, end)).fold(0.0, f64::max);
        let share = |of: &dyn Fn(&Traffic) -> f64| traffic.map(|traffic| share_percent(traffic, of));
        let both = |bytes: [u64; 2]| (bytes[0] + bytes[1]) as f64 / 2.0;
        let of_call = |call: usize| share(&|traffic| traffic.lines.get(call).map_or(0.0, |bytes| both(*bytes)));
        let mut call_shares_percent: Vec<f64> = (0..calls.len()).filter_map(of_call).collect();
        call_shares_percent.sort_by(f64::total_cmp);
        Self {
            peer,
            network: row.name.to_owned(),
            link: row.link.to_owned(),
            fps: round(mean(&SideRecord::fps), 1),
            frozen_percent: round(mean(&SideRecord::frozen_percent), 2),
            latency_ms_p50: delays.percentile(0.5).unwrap_or_default(),
            latency_ms_p95: delays.percentile(0.95).unwrap_or_default(),
            audio_concealed_percent: round(mean(&SideRecord::concealed_percent_in), 2),
            kbps: round(mean(&SideRecord::kbps), 0),
            seconds_to_picture: moved_at.map(|at| round(to_picture(at), 2)),
            settled_latency_ms_p95: settled.percentile(0.95),
            call_shares_percent,
            tcp_share_percent: share(&|traffic| both(traffic.tcp)).filter(|_| link.at(Duration::ZERO).tcp > 0),
        }
    }

    /// The median of each figure of some runs, each for itself; `None` of no run.
    pub fn medians(runs: &[Self]) -> Option<Self> {
        let middle = |of: &dyn Fn(&Self) -> f64| median(runs.iter().map(of)).unwrap_or_default();
        let middle_if_any = |of: &dyn Fn(&Self) -> Option<f64>| median(runs.iter().filter_map(of));
        let first = runs.first()?;
        let shares = (0..first.call_shares_percent.len())
            .filter_map(|call| middle_if_any(&|run| run.call_shares_percent.get(call).copied()));
        Some(Self {
            fps: middle(&|run| run.fps),
            frozen_percent: middle(&|run| run.frozen_percent),
            latency_ms_p50: middle(&|run| run.latency_ms_p50),
            latency_ms_p95: middle(&|run| run.latency_ms_p95),
            audio_concealed_percent: middle(&|run| run.audio_concealed_percent),
            kbps: middle(&|run| run.kbps),
            seconds_to_picture: middle_if_any(&|run| run.seconds_to_picture),
            settled_latency_ms_p95: middle_if_any(&|run| run.settled_latency_ms_p95),
            call_shares_percent: shares.collect(),
            tcp_share_percent: middle_if_any(&|run| run.tcp_share_percent),
            ..first.clone()
        })
    }
}

/// Percent of a bottleneck of so many kbit/s that some traffic was, in bytes up to each of two moments.
fn share_percent(([first, last], kbps): &([Traffic; 2], f64), bytes: &dyn Fn(&Traffic) -> f64) -> f64 {
    let seconds = last.at.since(first.at).as_secs_f64().max(1e-3);
    round((bytes(last) - bytes(first)) * 8.0 / 1000.0 / seconds / kbps * 100.0, 1)
}

const COLUMNS: [table::Column<HostFigures>; 10] = [
    ("Frames a second", |row| row.fps.to_string()),
    ("Frozen (%)", |row| row.frozen_percent.to_string()),
    ("Delay, median (ms)", |row| row.latency_ms_p50.to_string()),
    ("Delay, 95 % (ms)", |row| row.latency_ms_p95.to_string()),
    ("Sound concealed (%)", |row| row.audio_concealed_percent.to_string()),
    ("kbit/s", |row| row.kbps.to_string()),
    ("To picture (s)", |row| table::or_dash(row.seconds_to_picture)),
    ("Delay from 2 s after, 95 % (ms)", |row| table::or_dash(row.settled_latency_ms_p95)),
    ("Of the capacity (%)", |row| shares(&row.call_shares_percent)),
    ("TCP (%)", |row| table::or_dash(row.tcp_share_percent)),
];

fn shares(of_calls: &[f64]) -> String {
    let shares: Vec<String> = of_calls.iter().map(f64::to_string).collect();
    if shares.is_empty() { "-".to_owned() } else { shares.join(" and ") }
}

/// The measurements as a Markdown table; where there are two figures the first one is ours.
pub fn table(rows: &[(HostFigures, Option<HostFigures>)]) -> String {
    table::of("Network", &COLUMNS, |row| &row.network, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::namespaces::Began;
    use crate::cli::bench::network::Sample;
    use crate::media::MediaTime;

    /// A call whose pictures stand still from second 10 to 10.8 on one side, and whose delays are 50 ms, then 90 ms.
    fn call() -> Measured {
        let sample = |at: f64| Sample {
            at,
            kbit: at * 600.0,
            wire_kbit: at * 700.0,
            concealed_ms: at * 10.0,
            sound_ms: at * 1000.0,
            lines: 720,
        };
        let moving = SideRecord {
            shown: (0..930).map(|n| f64::from(n) / 30.0).collect(),
            delays: vec![50.0, 90.0],
            settled_delays: vec![90.0],
            samples: (0..=62).map(|n| sample(f64::from(n) / 2.0)).collect(),
        };
        let shown = moving.shown.iter().copied().filter(|at| !(10.01..10.79).contains(at)).collect();
        let still = SideRecord { shown, ..moving.clone() };
        Measured { setup_ms: 100.0, began: Began::now(), window: (2.0, 31.0), sides: [still, moving], psnr: Vec::new() }
    }

    fn traffic(seconds: u64, lines: &[u64], tcp: u64) -> Traffic {
        let lines = lines.iter().map(|bytes| [*bytes; 2]).collect();
        Traffic { at: MediaTime::from_millis(seconds * 1000), lines, tcp: [tcp; 2] }
    }

    fn figures(peer: &'static str, row: &Row, calls: usize, traffic: [Traffic; 2]) -> HostFigures {
        let calls: Vec<Measured> = (0..calls).map(|_| call()).collect();
        HostFigures::of(peer, row, &row.link.parse().unwrap(), &calls, Some(&(traffic, 2000.0)))
    }

    #[test]
    fn a_move_is_measured_from_its_moment_on() {
        let moved = figures("visavis", &ROWS[1], 1, [traffic(1, &[0], 0), traffic(11, &[625_000], 0)]);
        assert_eq!((moved.seconds_to_picture, moved.settled_latency_ms_p95), (Some(0.8), Some(90.0)));
        assert_eq!((moved.call_shares_percent.as_slice(), moved.tcp_share_percent), ([25.0].as_slice(), None));
        assert!((moved.frozen_percent - 1.9).abs() < 0.1, "0.8 s of 21, of one side of two: {}", moved.frozen_percent);
        assert_eq!((moved.kbps, moved.audio_concealed_percent), (600.0, 1.0));
    }

    #[test]
    fn calls_and_flows_have_shares_of_the_bottleneck() {
        let traffic = [traffic(1, &[1000, 0], 0), traffic(11, &[1_501_000, 1_000_000], 250_000)];
        let shared = figures("visavis", &ROWS[2], 2, traffic.clone());
        assert_eq!(shared.call_shares_percent, [40.0, 60.0]);
        assert_eq!((shared.tcp_share_percent, shared.seconds_to_picture), (None, None));
        let beside = figures("visavis", &ROWS[3], 1, traffic);
        assert_eq!((beside.call_shares_percent.as_slice(), beside.tcp_share_percent), ([60.0].as_slice(), Some(10.0)));
    }

    #[test]
    fn the_table_has_both_programs() {
        let of = |peer| figures(peer, &ROWS[2], 2, [traffic(1, &[0, 0], 0), traffic(11, &[1_000_000, 1_250_000], 0)]);
        let text = table(&[(of("visavis"), Some(of("chromium")))]);
        assert!(text.contains("| Network | Frames a second | Frozen (%) |"), "{text}");
        assert!(text.contains("| - / - | 90 / 90 | 40 and 50 / 40 and 50 | - / - |"), "{text}");
        assert_eq!(HostFigures::medians(&[of("visavis"), of("visavis")]), Some(of("visavis")));
        assert!(HostFigures::medians(&[]).is_none());
    }

    #[test]
    fn the_window_of_calls_is_that_of_them_all() {
        let first = call();
        let at = first.began.at + Duration::from_secs(1);
        let second = Measured { began: Began { at, ..first.began }, window: (2.0, 30.5), ..call() };
        assert_eq!(common_window(&[first, second]), (2.0, 30.0), "since the second one began");
    }

    #[test]
    fn every_row_can_be_read_and_every_move_has_its_moment() {
        for row in ROWS {
            let link: LinkProfile = row.link.parse().unwrap();
            assert!(!row.moves || link.first_change() == Some(Duration::from_secs(10)), "{}", row.name);
        }
    }
}
