//! Gates of outgoing media, one a stream and one for all: atomics that the media path checks before it sends anything,
//! so that hanging up and muting wait in no queue.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::media::{MAX_STREAMS, MediaSet, StreamId};

/// Gates of outgoing media.
///
/// A press that shuts a gate counts at once, on the thread of whoever pressed, and until the controller has handled it;
/// from then on the state chart decides. So no older command that still waits can open a shut gate.
#[derive(Debug, Default)]
pub struct Gates {
    /// One for each stream, by its number.
    streams: [Gate; MAX_STREAMS],
    away: Gate,
}

/// One gate.
#[derive(Debug, Default)]
pub struct Gate {
    /// As the state chart has it.
    shut: AtomicBool,
    /// Presses that shut it and that the controller has still to handle.
    pressed: AtomicU32,
}

impl Gate {
    fn is_shut(&self) -> bool {
        // In this order: a press that is no longer counted has set the flag before.
        self.pressed.load(Ordering::Acquire) > 0 || self.shut.load(Ordering::Acquire)
    }

    fn set(&self, shut: bool) {
        self.shut.store(shut, Ordering::Release);
    }

    /// Shuts it by a press, until that is [handled](Self::handled).
    pub(crate) fn press(&self) {
        self.pressed.fetch_add(1, Ordering::AcqRel);
    }

    /// The controller has handled one press, and the state chart has taken its consequences.
    pub(crate) fn handled(&self) {
        let counted_down = |presses: u32| presses.checked_sub(1);
        let _ = self.pressed.fetch_update(Ordering::AcqRel, Ordering::Acquire, counted_down);
    }
}

impl Gates {
    /// The gate of one of this side's streams, as Mute shuts that of the sound; `None` for a stream that cannot be.
    pub(crate) fn of(&self, stream: StreamId) -> Option<&Gate> {
        self.streams.get(usize::from(stream.number()))
    }

    /// The gate of everything, which is open in a call alone.
    pub(crate) const fn away(&self) -> &Gate {
        &self.away
    }

    /// True while this side's `stream` must not be sent.
    pub fn is_shut(&self, stream: StreamId) -> bool {
        self.of(stream).is_none_or(Gate::is_shut) || self.away.is_shut()
    }

    /// True while this side is muted, in a call.
    pub fn is_muted(&self) -> bool {
        self.of(StreamId::AUDIO).is_some_and(Gate::is_shut)
    }

    /// Follows the state chart: this side's streams, on where it means to send, or `None` outside a call.
    pub(crate) fn follow(&self, sends: Option<MediaSet>) {
        if sends.is_none() {
            self.away.set(true);
        }
        for (number, gate) in (0..).zip(&self.streams) {
            gate.set(sends.is_some_and(|streams| !streams.is_on(StreamId::new(number))));
        }
        if sends.is_some() {
            self.away.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::StreamState;

    #[test]
    fn each_stream_has_a_gate_of_its_own() {
        let gates = Gates::default();
        let shut = || [StreamId::AUDIO, StreamId::CAMERA, StreamId::SCREEN].map(|stream| gates.is_shut(stream));
        gates.follow(Some(MediaSet::of_call(true, false).with(StreamState::screen(true))));
        assert_eq!((shut(), gates.is_muted()), ([false, true, false], false));
        gates.of(StreamId::SCREEN).unwrap().press();
        assert_eq!(shut(), [false, true, true], "from the press on");
        gates.follow(Some(MediaSet::of_call(false, false).with(StreamState::screen(true))));
        gates.of(StreamId::SCREEN).unwrap().handled();
        assert_eq!((shut(), gates.is_muted()), ([true, true, false], true));
        gates.follow(Some(MediaSet::of_call(true, true)));
        assert_eq!(shut(), [false, false, true], "a stream that is not named is not sent");
        gates.follow(None);
        assert_eq!((shut(), gates.is_muted()), ([true; 3], false));
        assert!(gates.is_shut(StreamId::new(200)) && gates.of(StreamId::new(200)).is_none());
    }
}
