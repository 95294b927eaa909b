//! Pacer of connectivity checks to addresses where nobody has answered yet. Pure; time is an argument.
//!
//! The agent checks each pair every 20 ms, whatever their number (RFC 8445, 14.2, wants 50 ms between checks in all). A
//! far side names the addresses, so these may be anybody's. The first checks of a connection leave at once, as most
//! calls connect within them; after that each pair waits for its turn.

use std::net::SocketAddr;
use std::time::Duration;

use crate::media::MediaTime;

/// Checks that leave without waiting; earned back while none has to wait.
const BURST: f64 = 200.0;
const EARNED_A_SECOND: f64 = 10.0;
/// Between checks in all, once the burst is used up.
const INTERVAL: Duration = Duration::from_millis(20);
/// A pair that nobody wanted to check for this long takes no part any more.
const FORGOTTEN: Duration = Duration::from_secs(5);
/// Pairs remembered at most: sockets times candidates of a few restarts.
const MAX_PAIRS: usize = 512;

/// Paces the checks of one connection.
#[derive(Debug)]
pub(in crate::rtc) struct CheckPace {
    burst: f64,
    /// Up to when the burst has been earned back; no check had to wait since.
    earned_at: MediaTime,
    /// When the next check may leave, once the burst is used up.
    next: MediaTime,
    pairs: Vec<Pair>,
}

#[derive(Debug)]
struct Pair {
    from: SocketAddr,
    to: SocketAddr,
    checked: MediaTime,
    wanted: MediaTime,
}

impl CheckPace {
    pub(in crate::rtc) const fn new(now: MediaTime) -> Self {
        Self { burst: BURST, earned_at: now, next: now, pairs: Vec::new() }
    }

    /// Whether a check of this pair may leave now.
    pub(in crate::rtc) fn permits(&mut self, from: SocketAddr, to: SocketAddr, now: MediaTime) -> bool {
        self.burst = (self.burst + now.since(self.earned_at).as_secs_f64() * EARNED_A_SECOND).min(BURST);
        self.earned_at = self.earned_at.max(now);
        let permitted = self.turn_of(from, to, now) && self.take(now);
        if permitted {
            if let Some(pair) = self.pairs.iter_mut().find(|pair| pair.from == from && pair.to == to) {
                pair.checked = now;
            }
        } else {
            self.earned_at = self.earned_at.max(now + FORGOTTEN);
        }
        permitted
    }

    /// Whether every other pair has had its turn since this one's; notes that it is wanted.
    fn turn_of(&mut self, from: SocketAddr, to: SocketAddr, now: MediaTime) -> bool {
        self.pairs.retain(|pair| now.since(pair.wanted) < FORGOTTEN);
        let round = INTERVAL * u32::try_from(self.pairs.len()).unwrap_or(u32::MAX);
        let free = self.burst >= 1.0;
        if let Some(pair) = self.pairs.iter_mut().find(|pair| pair.from == from && pair.to == to) {
            pair.wanted = now;
            return free || now.since(pair.checked) >= round;
        }
        let room = self.pairs.len() < MAX_PAIRS;
        if room {
            // It waits for its turn like the others, so that ever new ones leave no faster.
            self.pairs.push(Pair { from, to, checked: now, wanted: now });
        }
        room && free
    }

    fn take(&mut self, now: MediaTime) -> bool {
        if self.burst >= 1.0 {
            self.burst -= 1.0;
            return true;
        }
        if now < self.next {
            return false;
        }
        self.next = now + INTERVAL;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], port))
    }

    /// How many checks leave in each second when `pairs` are checked every 20 ms, and how many of each pair.
    fn run(pairs: u8, seconds: u64) -> (Vec<usize>, Vec<usize>) {
        let start = MediaTime::from_millis(1000);
        let mut pace = CheckPace::new(start);
        let (mut each_second, mut each_pair) = (Vec::new(), vec![0; usize::from(pairs)]);
        for second in 0..seconds {
            let mut left = 0;
            for tick in 0..50 {
                let now = start + Duration::from_millis(second * 1000 + tick * 20);
                for pair in 0..pairs {
                    if pace.permits(address(250, 1), address(pair, 9), now) {
                        left += 1;
                        each_pair[usize::from(pair)] += 1;
                    }
                }
            }
            each_second.push(left);
        }
        (each_second, each_pair)
    }

    #[test]
    fn a_pair_or_two_are_checked_as_fast_as_the_agent_likes_for_seconds() {
        for pairs in [1, 2] {
            let (each_second, _) = run(pairs, 2);
            assert_eq!(each_second, vec![50 * usize::from(pairs); 2]);
        }
    }

    #[test]
    fn many_pairs_share_a_bounded_pace_and_none_is_left_out() {
        for pairs in [14, 64, 200] {
            let (each_second, each_pair) = run(pairs, 20);
            let all: usize = each_second.iter().sum();
            assert!(all <= 200 + 50 * 20, "{pairs} pairs: {each_second:?}");
            assert!(each_second[5..].iter().all(|left| (40..=51).contains(left)), "{pairs} pairs: {each_second:?}");
            let (least, most) = (each_pair.iter().min().unwrap(), each_pair.iter().max().unwrap());
            assert!(*least >= 1 && most - least <= 20, "{pairs} pairs: {each_pair:?}");
        }
    }

    #[test]
    fn a_connection_that_was_quiet_may_check_at_once_again() {
        let mut pace = CheckPace::new(MediaTime::from_millis(0));
        let mut at = |ms: u64| {
            (0..300).filter(|_| pace.permits(address(1, 1), address(2, 2), MediaTime::from_millis(ms))).count()
        };
        assert_eq!((at(0), at(6_000), at(40_000)), (200, 10, 200));
    }

    #[test]
    fn ever_new_pairs_leave_no_faster() {
        let mut pace = CheckPace::new(MediaTime::from_millis(0));
        let left = (0..10_000_u32)
            .filter(|n| {
                let to = address((n % 250) as u8, (n / 250) as u16 + 1024);
                pace.permits(address(250, 1), to, MediaTime::from_millis(u64::from(*n)))
            })
            .count();
        assert!(left <= 200 + 50 * 10, "{left}");
        assert!(pace.pairs.len() <= MAX_PAIRS);
    }
}
