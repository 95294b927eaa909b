//! Digital silence: a microphone that is open and gives nothing but zeros, as one whose switch is off, an input to
//! which nothing is plugged, or one that the system has muted. The noise of a room is never that quiet.

use std::time::Duration;

use crate::media::MediaTime;

/// Finds out that a microphone has given only zeros since it was opened. Later zeros are no news: some microphones gate
/// the pauses between words.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: Option<MediaTime>,
    told: bool,
    heard: bool,
}

impl Silence {
    /// How long zeros may come at first: drivers begin with some.
    const AFTER: Duration = Duration::from_secs(4);
    /// Half of the least step of 16 bits.
    const ZERO: f32 = 0.5 / 32_768.0;

    /// Notes a frame that was captured `at`. True: it is time to say that it is silent; false: that it is no more.
    pub(super) fn note(&mut self, frame: &[f32], at: MediaTime) -> Option<bool> {
        if self.heard {
            return None;
        }
        if frame.iter().any(|sample| sample.abs() > Self::ZERO) {
            self.heard = true;
            return self.told.then_some(false);
        }
        let since = *self.since.get_or_insert(at);
        let is_news = !self.told && at.since(since) >= Self::AFTER;
        self.told |= is_news;
        is_news.then_some(true)
    }

    /// Begins anew, for the next opening. True: it was told to be silent, and is no more.
    pub(super) fn end(&mut self) -> bool {
        let was = std::mem::take(self);
        was.told && !was.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// News told of frames of 20 ms, with the index of each.
    fn told(silence: &mut Silence, level: impl Fn(u64) -> f32, frames: u64) -> Vec<(u64, bool)> {
        let note = |index: u64| {
            let news = silence.note(&[0.0, level(index), 0.0], MediaTime::from_millis(1000 + index * 20));
            news.map(|on| (index, on))
        };
        (0..frames).filter_map(note).collect()
    }

    #[test]
    fn zeros_from_the_start_are_told_once_and_so_is_their_end() {
        let from = |frame| move |index| if index < frame { 0.0 } else { 0.001 };
        assert_eq!(told(&mut Silence::default(), from(500), 1000), [(200, true), (500, false)]);
        assert_eq!(told(&mut Silence::default(), from(150), 1000), [], "a driver that takes three seconds");
    }

    #[test]
    fn the_noise_of_a_room_and_the_gaps_of_a_gate_are_no_silence() {
        assert_eq!(told(&mut Silence::default(), |_| 1.0 / 32_768.0, 1000), []);
        assert_eq!(told(&mut Silence::default(), |index| if index == 0 { 0.1 } else { 0.0 }, 1000), []);
    }

    #[test]
    fn the_end_of_a_microphone_that_was_told_to_be_silent_is_news_once() {
        let mut silence = Silence::default();
        assert!(!silence.end(), "nothing was told");
        assert_eq!(told(&mut silence, |_| 0.0, 300), [(200, true)]);
        assert!(silence.end() && !silence.end());
        assert_eq!(told(&mut silence, |_| 0.0, 300), [(200, true)], "it begins anew");
        assert_eq!(told(&mut silence, |_| 0.1, 1), [(0, false)]);
        assert!(!silence.end(), "it was heard");
    }
}
