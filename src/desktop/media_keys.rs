//! Media keys: what the keys of a keyboard or a headset mean in a call and while it rings. Pure.

use std::time::{Duration, Instant};

use super::phase::Phase;
use crate::call::InviteId;
use crate::controller::{Command, VideoChoice};

/// How long a ring is not answered by a key: whoever stops their music at that moment answers nobody.
const NO_ANSWER: Duration = Duration::from_secs(1);

/// Media key, as the desktop tells of it (MPRIS 2.2, `org.mpris.MediaPlayer2.Player`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaKey {
    /// The one button of a headset, the key with both signs.
    PlayPause,
    /// Go on.
    Play,
    /// Pause. Desktops send it by themselves, too, as when a headset is unplugged.
    Pause,
    /// End.
    Stop,
}

/// Name of the call's playback in MPRIS: whether this side is heard; `None` while there is nothing to be worked by a
/// key, so that other programs keep theirs.
pub(super) const fn playback(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::InCall { heard: true } => Some("Playing"),
        Phase::InCall { heard: false } => Some("Paused"),
        Phase::Ringing(_) | Phase::Calling => Some("Stopped"),
        Phase::Idle => None,
    }
}

/// Presses of media keys between snapshots.
#[derive(Debug, Default)]
pub(super) struct MediaKeys {
    /// The invite that rings, and since when.
    ring: Option<(InviteId, Instant)>,
    /// The latest mute was by a key. [`MediaKey::Play`], which programs send without a person, undoes no other one.
    muted_by_key: bool,
    /// This side was muted when the call was looked at last.
    was_muted: bool,
}

impl MediaKeys {
    /// Follows the ring and the call.
    pub(super) fn follow(&mut self, phase: Phase, now: Instant) {
        self.ring = match (phase, self.ring) {
            (Phase::Ringing(invite), Some(ring)) if ring.0 == invite => Some(ring),
            (Phase::Ringing(invite), _) => Some((invite, now)),
            _ => None,
        };
        let muted = matches!(phase, Phase::InCall { heard: false });
        // Whoever is heard again was unmuted since.
        self.muted_by_key &= matches!(phase, Phase::InCall { .. }) && (muted || !self.was_muted);
        self.was_muted = muted;
    }

    /// The command of a key, if it has one now. A ring is answered with sound alone, muted where the settings say so.
    pub(super) fn press(&mut self, key: MediaKey, phase: Phase, join_muted: bool, now: Instant) -> Option<Command> {
        match (key, phase) {
            (MediaKey::PlayPause, Phase::Ringing(invite)) => {
                let (known, since) = self.ring?;
                let rings = known == invite && now.saturating_duration_since(since) >= NO_ANSWER;
                rings.then_some(Command::Accept { invite, audio: !join_muted, video: VideoChoice::Off })
            }
            (MediaKey::Stop, Phase::Ringing(invite)) => Some(Command::Reject { invite }),
            (MediaKey::Stop, Phase::Calling | Phase::InCall { .. }) => Some(Command::Leave),
            (MediaKey::PlayPause, Phase::InCall { heard }) => Some(self.hear(!heard)),
            (MediaKey::Pause, Phase::InCall { heard: true }) => Some(self.hear(false)),
            (MediaKey::Play, Phase::InCall { heard: false }) if self.muted_by_key => Some(self.hear(true)),
            _ => None,
        }
    }

    fn hear(&mut self, on: bool) -> Command {
        self.muted_by_key = !on;
        Command::EnableAudio { on, participant: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: InviteId = InviteId::from_bits(7);
    const RINGING: Phase = Phase::Ringing(INVITE);
    const HEARD: Phase = Phase::InCall { heard: true };
    const MUTED: Phase = Phase::InCall { heard: false };

    const fn hear(on: bool) -> Option<Command> {
        Some(Command::EnableAudio { on, participant: None })
    }

    #[test]
    fn a_ring_is_answered_with_sound_alone_and_not_in_its_first_second() {
        let (start, mut keys) = (Instant::now(), MediaKeys::default());
        let mut press = |ms: u64, key, join_muted| {
            keys.follow(RINGING, start + Duration::from_millis(ms));
            keys.press(key, RINGING, join_muted, start + Duration::from_millis(ms))
        };
        let accept = |audio| Some(Command::Accept { invite: INVITE, audio, video: VideoChoice::Off });
        assert_eq!((press(0, MediaKey::PlayPause, false), press(900, MediaKey::PlayPause, false)), (None, None));
        assert_eq!(press(1000, MediaKey::PlayPause, false), accept(true));
        assert_eq!(press(1000, MediaKey::PlayPause, true), accept(false));
        assert_eq!((press(2000, MediaKey::Play, false), press(2000, MediaKey::Pause, false)), (None, None));
        assert_eq!(press(100, MediaKey::Stop, false), Some(Command::Reject { invite: INVITE }));
        let next = Phase::Ringing(InviteId::from_bits(8));
        keys.follow(next, start + Duration::from_secs(9));
        assert_eq!(keys.press(MediaKey::PlayPause, next, false, start + Duration::from_secs(9)), None, "another ring");
    }

    #[test]
    fn keys_mute_and_play_alone_undoes_only_what_a_key_has_muted() {
        let (now, mut keys) = (Instant::now(), MediaKeys::default());
        let mut press = |key, phase| {
            keys.follow(phase, now);
            keys.press(key, phase, false, now)
        };
        assert_eq!(press(MediaKey::Play, MUTED), None, "the person has muted in the window");
        assert_eq!(press(MediaKey::PlayPause, MUTED), hear(true));
        assert_eq!((press(MediaKey::Play, HEARD), press(MediaKey::Pause, HEARD)), (None, hear(false)));
        assert_eq!((press(MediaKey::Pause, MUTED), press(MediaKey::Play, MUTED)), (None, hear(true)));
        assert_eq!(press(MediaKey::PlayPause, HEARD), hear(false));
        assert_eq!(press(MediaKey::PlayPause, Phase::Idle), None);
        assert_eq!(press(MediaKey::Play, MUTED), None, "another call");
    }

    #[test]
    fn stop_ends_whatever_is_going_on() {
        let (now, mut keys) = (Instant::now(), MediaKeys::default());
        for (phase, command) in [
            (HEARD, Some(Command::Leave)),
            (MUTED, Some(Command::Leave)),
            (Phase::Calling, Some(Command::Leave)),
            (Phase::Idle, None),
        ] {
            assert_eq!(keys.press(MediaKey::Stop, phase, false, now), command);
        }
        assert_eq!(
            [HEARD, MUTED, RINGING, Phase::Calling, Phase::Idle].map(playback),
            [Some("Playing"), Some("Paused"), Some("Stopped"), Some("Stopped"), None]
        );
    }

    #[test]
    fn play_undoes_no_mute_that_a_press_in_the_window_made_after_that_of_a_key() {
        let (now, mut keys) = (Instant::now(), MediaKeys::default());
        keys.follow(HEARD, now);
        assert_eq!(keys.press(MediaKey::Pause, HEARD, false, now), hear(false));
        for phase in [HEARD, MUTED, HEARD, MUTED] {
            keys.follow(phase, now);
        }
        assert_eq!(keys.press(MediaKey::Play, MUTED, false, now), None);
    }
}
