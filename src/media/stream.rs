//! Identity and kind of a media stream: a participant sends a set of these (`MediaSet`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Streams that one side has at most.
pub const MAX_STREAMS: usize = 8;

/// Streams of pictures that every connection of this version carries, both ways and from the start, sent or not. So a
/// screen is added and removed in mid-call by word of it alone, without another description.
pub const PICTURE_STREAMS: [(StreamId, StreamKind); 2] =
    [(StreamId::CAMERA, StreamKind::Camera), (StreamId::SCREEN, StreamKind::Screen)];

/// Lines of a picture that every receiver takes, however small it draws them: fewer save little and come back late.
pub const MIN_HEIGHT: u32 = 180;

/// Identifier of a stream, unique among the streams of one side of a connection.
///
/// Both sides use the same identifier for the same purpose: their streams of one identifier share a media section.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(u8);

impl StreamId {
    /// The microphone of a call.
    pub const AUDIO: Self = Self(0);
    /// The camera of a call.
    pub const CAMERA: Self = Self(1);
    /// The shared screen of a call.
    pub const SCREEN: Self = Self(2);

    /// The stream of this number.
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its number, as events and messages carry it.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StreamId({})", self.0)
    }
}

/// Source of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Sound of a microphone.
    Audio,
    /// Pictures of a camera.
    Camera,
    /// Pictures of a screen or a window.
    Screen,
}

impl StreamKind {
    /// True for pictures.
    pub const fn is_video(self) -> bool {
        match self {
            Self::Audio => false,
            Self::Camera | Self::Screen => true,
        }
    }

    /// Its name in messages and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Camera => "camera",
            Self::Screen => "screen",
        }
    }

    /// The kind of this name; `None` for one of another version.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Audio, Self::Camera, Self::Screen].into_iter().find(|kind| kind.name() == name)
    }
}

/// A stream, and whether media is sent in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamState {
    /// Which stream.
    pub id: StreamId,
    /// Its source.
    pub kind: StreamKind,
    /// False while it is muted or its device is off.
    pub on: bool,
}

impl StreamState {
    /// The microphone of a call.
    pub const fn audio(on: bool) -> Self {
        Self { id: StreamId::AUDIO, kind: StreamKind::Audio, on }
    }

    /// The camera of a call.
    pub const fn camera(on: bool) -> Self {
        Self { id: StreamId::CAMERA, kind: StreamKind::Camera, on }
    }

    /// The shared screen of a call.
    pub const fn screen(on: bool) -> Self {
        Self { id: StreamId::SCREEN, kind: StreamKind::Screen, on }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_again_by_the_names_that_messages_carry() {
        for kind in [StreamKind::Audio, StreamKind::Camera, StreamKind::Screen] {
            assert_eq!(StreamKind::of_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(StreamKind::of_name("hologram"), None);
        assert_eq!(serde_json::to_string(&StreamId::SCREEN).unwrap(), "2");
    }
}
