//! What an impaired link does, in words: `loss=5,burst=3,delay=25`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A description of a bad network; the default is a perfect one.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkProfile {
    /// Datagrams lost, 0 to 1.
    pub loss: f64,
    /// Mean length of a run of losses, in datagrams; 1 for independent ones.
    pub burst: f64,
    /// Delay one way.
    pub delay: Duration,
    /// Standard deviation of the delay.
    pub jitter: Duration,
    /// Datagrams that jitter may put out of order, 0 to 1.
    pub reorder: f64,
    /// Datagrams that come twice, 0 to 1.
    pub duplicate: f64,
    /// Rates of the bottleneck in kbit/s, each from a moment on; none at first is no bottleneck.
    pub rates: Vec<(Duration, u32)>,
    /// What the bottleneck's queue holds before it drops.
    pub queue: Duration,
    /// Times without any delivery: start and length.
    pub blackouts: Vec<(Duration, Duration)>,
    /// Makes other random choices.
    pub seed: u64,
}

impl Default for LinkProfile {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: 1.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            duplicate: 0.0,
            rates: Vec::new(),
            queue: Duration::from_millis(200),
            blackouts: Vec::new(),
            seed: 0,
        }
    }
}

impl LinkProfile {
    /// The bottleneck's rate so long after the start, in kbit/s; `None` without a bottleneck.
    pub fn kbps_after(&self, time: Duration) -> Option<u32> {
        self.rates.iter().rev().find(|(from, _)| *from <= time).map(|&(_, kbps)| kbps)
    }
}

/// A link that is not described properly.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParseLinkError {
    /// A part that is none.
    #[error(
        "{0:?} says nothing of a link; use loss=%, burst=packets, delay=ms, jitter=ms, reorder=%, duplicate=%, rate=kbit/s, \
         step=s:kbit/s, queue=ms, blackout=s:s or seed=number, joined by commas"
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
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            profile.take(part).ok_or_else(|| ParseLinkError::Part(part.to_owned()))?;
        }
        profile.rates.sort_by_key(|(from, _)| *from);
        let most = profile.burst / (1.0 + profile.burst);
        if profile.burst > 1.0 && profile.loss > most {
            return Err(ParseLinkError::Burst(profile.burst, most * 100.0));
        }
        Ok(profile)
    }
}

impl LinkProfile {
    fn take(&mut self, part: &str) -> Option<()> {
        let (key, value) = part.split_once('=')?;
        match key {
            "loss" => self.loss = share(value)?,
            "burst" => self.burst = number(value, 1000.0).filter(|burst| *burst >= 1.0)?,
            "delay" => self.delay = millis(value)?,
            "jitter" => self.jitter = millis(value)?,
            "reorder" => self.reorder = share(value)?,
            "duplicate" => self.duplicate = share(value)?,
            "rate" => self.rates.push((Duration::ZERO, kbps(value)?)),
            "step" => {
                let (at, rate) = value.split_once(':')?;
                self.rates.push((seconds(at)?, kbps(rate)?));
            }
            "queue" => self.queue = millis(value)?,
            "blackout" => {
                let (at, length) = value.split_once(':')?;
                self.blackouts.push((seconds(at)?, seconds(length)?));
            }
            "seed" => self.seed = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}

impl fmt::Display for LinkProfile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(formatter, "loss={},burst={},delay={}", self.loss * 100.0, self.burst, millis(self.delay))?;
        write!(formatter, ",jitter={},reorder={}", millis(self.jitter), self.reorder * 100.0)?;
        write!(formatter, ",duplicate={},queue={}", self.duplicate * 100.0, millis(self.queue))?;
        for (from, kbps) in &self.rates {
            write!(formatter, ",step={}:{kbps}", from.as_secs_f64())?;
        }
        for (start, length) in &self.blackouts {
            write!(formatter, ",blackout={}:{}", start.as_secs_f64(), length.as_secs_f64())?;
        }
        write!(formatter, ",seed={}", self.seed)
    }
}

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
                    queue=300,blackout=10:1.5,seed=7";
        let profile: LinkProfile = text.parse().unwrap();
        let (seconds, millis) = (Duration::from_secs_f64, Duration::from_millis);
        assert_eq!((profile.loss, profile.burst, profile.seed), (0.025, 3.0, 7));
        assert_eq!((profile.delay, profile.jitter, profile.queue), (millis(25), millis(5), millis(300)));
        assert_eq!((profile.reorder, profile.duplicate), (0.01, 0.02));
        assert_eq!(profile.blackouts, [(seconds(10.0), seconds(1.5))]);
        let rates = [0, 14, 15, 34, 35].map(|at| profile.kbps_after(Duration::from_secs(at)));
        assert_eq!(rates, [Some(3000), Some(3000), Some(500), Some(500), Some(3000)]);
        assert_eq!("".parse(), Ok(LinkProfile::default()));
        assert_eq!(profile.to_string().parse(), Ok(profile), "and written in words again");
    }

    #[test]
    fn what_is_no_link_is_refused_by_name() {
        for wrong in ["loss", "loss=-1", "loss=101", "delay=x", "rate=0", "step=5", "speed=3", "burst=0.5", "delay=NaN"]
        {
            let error = format!("delay=5,{wrong}").parse::<LinkProfile>().unwrap_err();
            assert_eq!(error, ParseLinkError::Part(wrong.to_owned()));
        }
        assert_eq!("loss=80,burst=3".parse::<LinkProfile>(), Err(ParseLinkError::Burst(3.0, 75.0)));
        assert!("loss=75,burst=3".parse::<LinkProfile>().is_ok() && "loss=100".parse::<LinkProfile>().is_ok());
    }
}
