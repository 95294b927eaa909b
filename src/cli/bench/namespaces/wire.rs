//! Wire between the hosts of measured calls: one thread that carries Ethernet frames through emulated links.
//!
//! ```text
//! TAP interfaces of host 0 -- link 0 --> TAP interfaces of host 1      a line, one a call; lines may share
//! TAP interfaces of host 0 <-- link 1 -- TAP interfaces of host 1      the bottlenecks of their links
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use crate::media::MediaTime;
use crate::rtc::LinkEmulator;

/// The largest Ethernet frame of an interface with the usual MTU of 1500.
const MAX_FRAME: usize = 1514;
/// Bytes of the header of Ethernet, which a bottleneck does not count.
const ETHERNET_HEADER: usize = 14;
/// Headers of Ethernet, IPv4 and UDP: the link adds the latter two to its datagrams.
const HEADERS: usize = ETHERNET_HEADER + 28;
/// Frames on their way at most; more are lost.
const MAX_ON_THE_WAY: usize = 65_536;
/// Longest time after which the thread sees that it shall end.
const TURN: Duration = Duration::from_millis(50);
/// Time between two notes of the traffic.
const NOTE_INTERVAL: Duration = Duration::from_millis(250);

/// Two hosts' interfaces, and the link of each direction.
#[derive(Debug)]
pub struct Line {
    /// The interfaces of each host; frames for a host go to all of its own, of which one is up.
    pub taps: [Vec<File>; 2],
    /// The links of outgoing packets, one a host.
    pub links: [LinkEmulator; 2],
}

/// Traffic up to a moment.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// When it was noted.
    pub at: MediaTime,
    /// Bytes delivered on each line, in each direction, headers of IP counted.
    pub lines: Vec<[u64; 2]>,
    /// Bytes that the TCP flows of the first line's links have delivered.
    pub tcp: [u64; 2],
}

/// Frame on its way: when it is due, its number, its line, the host that it goes to.
type Delivery = Reverse<(MediaTime, u64, usize, usize, Bytes)>;

#[derive(Debug)]
struct State {
    lines: Vec<Line>,
    delivered: Vec<[u64; 2]>,
    waiting: BinaryHeap<Delivery>,
    number: u64,
    notes: Vec<Traffic>,
}

/// The wire; its thread ends when this is dropped.
#[derive(Debug)]
pub struct Wire {
    state: Arc<Mutex<State>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Carries the frames of these lines from now on.
    pub fn new(lines: Vec<Line>) -> std::io::Result<Self> {
        let delivered = vec![[0; 2]; lines.len()];
        let state = State { lines, delivered, waiting: BinaryHeap::new(), number: 0, notes: Vec::new() };
        let mut polled = state.polled();
        let state = Arc::new(Mutex::new(state));
        let ends = Arc::new(AtomicBool::new(false));
        let (of_thread, ended) = (Arc::clone(&state), Arc::clone(&ends));
        let carry = move || {
            let mut wait = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                poll(&mut polled, wait);
                wait = lock(&of_thread).turn().min(TURN);
            }
        };
        let thread = std::thread::Builder::new().name("wire".into()).spawn(carry)?;
        Ok(Self { state, ends, thread: Some(thread) })
    }

    /// The changes of a line's links count from now on.
    pub fn begin(&self, line: usize) {
        let now = MediaTime::now();
        if let Some(line) = lock(&self.state).lines.get_mut(line) {
            line.links.iter_mut().for_each(|link| link.begin(now));
        }
    }

    /// The traffic between two moments, as closely as it was noted: that up to the first one, and that up to the
    /// second.
    pub fn traffic(&self, from: MediaTime, to: MediaTime) -> Option<[Traffic; 2]> {
        let state = lock(&self.state);
        let first = state.notes.iter().find(|note| note.at >= from)?;
        let last = state.notes.iter().rev().find(|note| note.at <= to)?;
        (first.at < last.at).then(|| [first.clone(), last.clone()])
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn polled(&self) -> Vec<libc::pollfd> {
        let taps = self.lines.iter().flat_map(|line| line.taps.iter().flatten());
        taps.map(|tap| libc::pollfd { fd: tap.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect()
    }

    /// Takes the frames that have come, delivers those that are due, and tells how long nothing is.
    fn turn(&mut self) -> Duration {
        self.take();
        let now = MediaTime::now();
        while self.waiting.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((_, _, line, to, frame))) = self.waiting.pop() else { break };
            // An interface that is down takes none: the frame is lost.
            let taken = |tap: &File| {
                let mut tap = tap;
                tap.write(&frame).is_ok()
            };
            if self.lines[line].taps[to].iter().filter(|tap| taken(tap)).count() > 0 {
                self.delivered[line][1 - to] += frame.len().saturating_sub(ETHERNET_HEADER) as u64;
            }
        }
        if self.notes.last().is_none_or(|note| now.since(note.at) >= NOTE_INTERVAL) {
            let tcp = self.lines.first().map_or([0; 2], |line| line.links.each_ref().map(LinkEmulator::tcp_bytes));
            self.notes.push(Traffic { at: now, lines: self.delivered.clone(), tcp });
        }
        self.waiting.peek().map_or(TURN, |Reverse((at, ..))| at.since(MediaTime::now()))
    }

    fn take(&mut self) {
        let mut frame = [0; MAX_FRAME];
        for (number, line) in self.lines.iter_mut().enumerate() {
            let Line { taps, links } = line;
            for (from, (taps, link)) in taps.iter_mut().zip(links).enumerate() {
                for tap in taps {
                    while let Ok(length) = tap.read(&mut frame) {
                        let now = MediaTime::now();
                        let frame = Bytes::copy_from_slice(&frame[..length]);
                        for at in link.send(length.saturating_sub(HEADERS), now).into_iter().flatten() {
                            if self.waiting.len() < MAX_ON_THE_WAY {
                                self.number += 1;
                                self.waiting.push(Reverse((at, self.number, number, 1 - from, frame.clone())));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Waits until a frame can be read, for `wait` at most.
fn poll(polled: &mut [libc::pollfd], wait: Duration) {
    // Rounded up: a wait of less than a millisecond must not spin.
    let wait = wait.as_micros().div_ceil(1000).min(1000) as libc::c_int;
    // SAFETY: the slice is valid for its length; the descriptors stay open as long as the thread that polls them.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, wait) };
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A socket in the place of an interface: what is sent to the first one is a frame that its host sends.
    fn interface() -> (UnixDatagram, File) {
        let (host, wire) = UnixDatagram::pair().unwrap();
        wire.set_nonblocking(true).unwrap();
        host.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (host, File::from(OwnedFd::from(wire)))
    }

    fn links(profile: &str) -> [LinkEmulator; 2] {
        [1, 2].map(|seed| LinkEmulator::new(profile.parse().unwrap(), seed, MediaTime::now()))
    }

    #[test]
    fn frames_go_to_the_other_host_after_the_delay_of_the_link_and_are_counted() {
        let (near, near_tap) = interface();
        let (far, far_tap) = interface();
        let (stranger, other_tap) = interface();
        let (_silent, silent_tap) = interface();
        let lines = vec![
            Line { taps: [vec![near_tap], vec![far_tap]], links: links("delay=30") },
            Line { taps: [vec![other_tap], vec![silent_tap]], links: links("loss=100") },
        ];
        let wire = Wire::new(lines).unwrap();
        let sent = MediaTime::now();
        stranger.send(&[9; 100]).unwrap();
        near.send(&[1; 114]).unwrap();
        far.send(&[2; 64]).unwrap();
        let mut frame = [0; MAX_FRAME];
        assert_eq!((far.recv(&mut frame).unwrap(), frame[0]), (114, 1));
        assert!(MediaTime::now().since(sent) >= Duration::from_millis(30));
        assert_eq!((near.recv(&mut frame).unwrap(), frame[0]), (64, 2));
        let state = lock(&wire.state);
        assert_eq!(state.delivered, [[100, 50], [0, 0]]);
    }
}
