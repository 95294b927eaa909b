//! Profile of an impaired link, in words: `loss=5,burst=3,delay=25`, and its changes from a moment on:
//! `delay=25,at=8:delay=150+jitter=10`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The conditions of a link during one part of its life; the default is a perfect link.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// Datagrams lost, 0 to 1.
    pub loss: f64,
    /// Mean length of a run of losses, in datagrams; 1 for independent ones.
    pub burst: f64,
    /// Delay one way.
    pub delay: Duration,
    /// Standard deviation of the delay.
    pub jitter: Duration,
    /// Datagrams that jitter, or a delay that falls, may put out of order, 0 to 1.
    pub reorder: f64,
    /// Datagrams that come twice, 0 to 1.
    pub duplicate: f64,
    /// The rate of the bottleneck in kbit/s; `None` without one.
    pub kbps: Option<u32>,
    /// Time for which the bottleneck's queue holds before it drops.
    pub queue: Duration,
    /// Greedy TCP flows that share the bottleneck.
    pub tcp: u32,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: 1.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            duplicate: 0.0,
            kbps: None,
            queue: Duration::from_millis(200),
            tcp: 0,
        }
    }
}

/// A description of a bad network, and of how it changes; the default is a perfect one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkProfile {
    /// The conditions at the start.
    first: Conditions,
    /// Later conditions, each from a moment on, in order of time.
    later: Vec<(Duration, Conditions)>,
    /// Times without any delivery: start and length.
    pub blackouts: Vec<(Duration, Duration)>,
    /// Makes other random choices.
    pub seed: u64,
}

impl LinkProfile {
    /// The conditions so long after the start.
    pub fn at(&self, time: Duration) -> &Conditions {
        self.later.iter().rev().find(|(from, _)| *from <= time).map_or(&self.first, |(_, conditions)| conditions)
    }

    /// The bottleneck's rates in kbit/s, each from a moment on; `None` where there is no bottleneck.
    pub fn rates(&self) -> Vec<(Duration, Option<u32>)> {
        let mut rates = vec![(Duration::ZERO, self.first.kbps)];
        rates.extend(self.later.iter().map(|(from, conditions)| (*from, conditions.kbps)));
        rates.dedup_by_key(|(_, kbps)| *kbps);
        rates
    }

    /// When the conditions first change, if they do.
    pub fn first_change(&self) -> Option<Duration> {
        self.later.first().map(|(from, _)| *from)
    }
}

/// A link that is not described properly.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParseLinkError {
    /// A part that is none.
    #[error(
        "{0:?} says nothing of a link; use loss=%, burst=packets, delay=ms, jitter=ms, reorder=%, duplicate=%, rate=kbit/s \
         (or none), queue=ms, tcp=flows, each also as at=s:loss=%+delay=ms from a moment on, step=s:kbit/s, blackout=s:s or \
         seed=number, joined by commas"
    )]
    Part(String),
    /// Between two runs of losses at least one packet comes.
    #[error("losses in runs of {0} packets are {1:.0} % at most; use less loss, or a longer burst")]
    Burst(f64, f64),
}

impl FromStr for LinkProfile {
    type Err = ParseLinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut profile = Self::default();
        let mut changes = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            profile.take(part, &mut changes).ok_or_else(|| ParseLinkError::Part(part.to_owned()))?;
        }
        // Stable: of two changes of one moment, the one that is said later counts.
        changes.sort_by_key(|(from, _)| *from);
        for (from, change) in changes {
            if profile.later.last().is_none_or(|(last, _)| *last != from) {
                profile.later.push((from, profile.at(from).clone()));
            }
            if let Some((_, conditions)) = profile.later.last_mut() {
                change.apply(conditions);
            }
        }
        for conditions in [&profile.first].into_iter().chain(profile.later.iter().map(|(_, conditions)| conditions)) {
            let most = conditions.burst / (1.0 + conditions.burst);
            if conditions.burst > 1.0 && conditions.loss > most {
                return Err(ParseLinkError::Burst(conditions.burst, most * 100.0));
            }
        }
        Ok(profile)
    }
}

impl LinkProfile {
    fn take(&mut self, part: &str, changes: &mut Vec<(Duration, Change)>) -> Option<()> {
        let (key, value) = part.split_once('=')?;
        match key {
            "at" => {
                let (at, what) = value.split_once(':')?;
                let at = seconds(at)?;
                for change in what.split('+') {
                    let (key, value) = change.trim().split_once('=')?;
                    changes.push((at, Change::read(key, value)?));
                }
            }
            "step" => {
                let (at, rate) = value.split_once(':')?;
                changes.push((seconds(at)?, Change::Rate(Some(kbps(rate)?))));
            }
            "blackout" => {
                let (at, length) = value.split_once(':')?;
                self.blackouts.push((seconds(at)?, seconds(length)?));
            }
            "seed" => self.seed = value.parse().ok()?,
            _ => Change::read(key, value)?.apply(&mut self.first),
        }
        Some(())
    }
}

/// A change of one of the conditions.
#[derive(Clone, Copy, Debug)]
enum Change {
    Loss(f64),
    Burst(f64),
    Delay(Duration),
    Jitter(Duration),
    Reorder(f64),
    Duplicate(f64),
    Rate(Option<u32>),
    Queue(Duration),
    Tcp(u32),
}

impl Change {
    fn read(key: &str, value: &str) -> Option<Self> {
        Some(match key {
            "loss" => Self::Loss(share(value)?),
            "burst" => Self::Burst(number(value, 1000.0).filter(|burst| *burst >= 1.0)?),
            "delay" => Self::Delay(millis(value)?),
            "jitter" => Self::Jitter(millis(value)?),
            "reorder" => Self::Reorder(share(value)?),
            "duplicate" => Self::Duplicate(share(value)?),
            "rate" if value == UNLIMITED => Self::Rate(None),
            "rate" => Self::Rate(Some(kbps(value)?)),
            "queue" => Self::Queue(millis(value)?),
            "tcp" => Self::Tcp(value.parse().ok().filter(|flows| *flows <= MAX_TCP_FLOWS)?),
            _ => return None,
        })
    }

    fn apply(self, conditions: &mut Conditions) {
        match self {
            Self::Loss(loss) => conditions.loss = loss,
            Self::Burst(burst) => conditions.burst = burst,
            Self::Delay(delay) => conditions.delay = delay,
            Self::Jitter(jitter) => conditions.jitter = jitter,
            Self::Reorder(reorder) => conditions.reorder = reorder,
            Self::Duplicate(duplicate) => conditions.duplicate = duplicate,
            Self::Rate(kbps) => conditions.kbps = kbps,
            Self::Queue(queue) => conditions.queue = queue,
            Self::Tcp(flows) => conditions.tcp = flows,
        }
    }
}

impl fmt::Display for Conditions {
    /// All of them, in words that `at=` takes.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(formatter, "loss={}+burst={}+delay={}", self.loss * 100.0, self.burst, millis(self.delay))?;
        write!(formatter, "+jitter={}+reorder={}", millis(self.jitter), self.reorder * 100.0)?;
        write!(formatter, "+duplicate={}+queue={}+tcp={}", self.duplicate * 100.0, millis(self.queue), self.tcp)?;
        match self.kbps {
            Some(kbps) => write!(formatter, "+rate={kbps}"),
            None => write!(formatter, "+rate={UNLIMITED}"),
        }
    }
}

impl fmt::Display for LinkProfile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first.to_string().replace('+', ","))?;
        for (from, conditions) in &self.later {
            write!(formatter, ",at={}:{conditions}", from.as_secs_f64())?;
        }
        for (start, length) in &self.blackouts {
            write!(formatter, ",blackout={}:{}", start.as_secs_f64(), length.as_secs_f64())?;
        }
        write!(formatter, ",seed={}", self.seed)
    }
}

/// TCP flows beside a call at most.
const MAX_TCP_FLOWS: u32 = 8;
/// The word for a rate without a bottleneck.
const UNLIMITED: &str = "none";

fn number(text: &str, most: f64) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| (0.0..=most).contains(number))
}

fn share(text: &str) -> Option<f64> {
    Some(number(text, 100.0)? / 100.0)
}

fn millis(text: &str) -> Option<Duration> {
    Some(Duration::from_secs_f64(number(text, 60_000.0)? / 1000.0))
}

fn seconds(text: &str) -> Option<Duration> {
    Some(Duration::from_secs_f64(number(text, 86_400.0)?))
}

fn kbps(text: &str) -> Option<u32> {
    text.parse().ok().filter(|kbps| (1..=10_000_000).contains(kbps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_from_words() {
        let text = "loss=2.5, burst=3,delay=25,jitter=5,reorder=1,duplicate=2,rate=3000,step=35:3000,step=15:500,\
                    queue=300,tcp=2,blackout=10:1.5,seed=7";
        let profile: LinkProfile = text.parse().unwrap();
        let (seconds, millis) = (Duration::from_secs_f64, Duration::from_millis);
        let first = profile.at(Duration::ZERO);
        assert_eq!((first.loss, first.burst, profile.seed), (0.025, 3.0, 7));
        assert_eq!((first.delay, first.jitter, first.queue), (millis(25), millis(5), millis(300)));
        assert_eq!((first.reorder, first.duplicate, first.tcp), (0.01, 0.02, 2));
        assert_eq!(profile.blackouts, [(seconds(10.0), seconds(1.5))]);
        let rates = [0, 14, 15, 34, 35].map(|at| profile.at(Duration::from_secs(at)).kbps);
        assert_eq!(rates, [Some(3000), Some(3000), Some(500), Some(500), Some(3000)]);
        assert_eq!("".parse(), Ok(LinkProfile::default()));
        assert_eq!(profile.to_string().parse(), Ok(profile), "and written in words again");
    }

    #[test]
    fn everything_may_change_from_a_moment_on() {
        let text = "delay=25,rate=3000,at=20:delay=5,at=8:loss=10+burst=3+delay=150,at=12:jitter=30+reorder=100+duplicate=1,\
                    step=15:500,at=30:rate=none+queue=50,at=30:queue=70";
        let profile: LinkProfile = text.parse().unwrap();
        let at = |seconds| profile.at(Duration::from_secs_f64(seconds));
        let delays = [0.0, 7.999, 8.0, 19.0, 20.0, 99.0].map(|seconds| at(seconds).delay.as_millis());
        assert_eq!(delays, [25, 25, 150, 150, 5, 5]);
        assert_eq!(
            [0.0, 8.0, 99.0].map(|seconds| (at(seconds).loss, at(seconds).burst)),
            [(0.0, 1.0), (0.1, 3.0), (0.1, 3.0)]
        );
        let jittery = |seconds| (at(seconds).jitter.as_millis(), at(seconds).reorder, at(seconds).duplicate);
        assert_eq!([jittery(11.0), jittery(12.0)], [(0, 0.0, 0.0), (30, 1.0, 0.01)]);
        assert_eq!(at(30.0).queue.as_millis(), 70, "what is said later counts");
        let rates = profile.rates().into_iter().map(|(from, kbps)| (from.as_secs(), kbps));
        assert_eq!(rates.collect::<Vec<_>>(), [(0, Some(3000)), (15, Some(500)), (30, None)]);
        assert_eq!(profile.first_change(), Some(Duration::from_secs(8)));
        assert_eq!(profile.to_string().parse(), Ok(profile), "and written in words again");
        for wrong in [
            "at=8",
            "at=8:",
            "at=8:loss",
            "at=8:seed=3",
            "at=x:loss=3",
            "at=8:loss=3+",
            "at=8:blackout=3:1",
            "at=8:delay=-1",
        ] {
            assert_eq!(wrong.parse::<LinkProfile>(), Err(ParseLinkError::Part(wrong.to_owned())));
        }
        assert_eq!("burst=3,at=9:loss=80".parse::<LinkProfile>(), Err(ParseLinkError::Burst(3.0, 75.0)));
    }

    #[test]
    fn what_is_no_link_is_refused_by_name() {
        for wrong in
            ["loss", "loss=-1", "loss=101", "delay=x", "rate=0", "step=5", "speed=3", "burst=0.5", "delay=NaN", "tcp=9"]
        {
            let error = format!("delay=5,{wrong}").parse::<LinkProfile>().unwrap_err();
            assert_eq!(error, ParseLinkError::Part(wrong.to_owned()));
        }
        assert_eq!("loss=80,burst=3".parse::<LinkProfile>(), Err(ParseLinkError::Burst(3.0, 75.0)));
        assert!("loss=75,burst=3".parse::<LinkProfile>().is_ok() && "loss=100".parse::<LinkProfile>().is_ok());
    }
}
