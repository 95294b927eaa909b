//! Set of the streams of one side, each on or off: a person's intent, the streams that the devices give, or those that
//! others were told of. As JSON it is a list of `{"id", "kind", "on"}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::stream::{MAX_STREAMS, StreamId, StreamKind, StreamState};

/// Streams by identifier, at most [`MAX_STREAMS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaSet {
    /// In the order of their identifiers, with the empty places last.
    streams: [Option<StreamState>; MAX_STREAMS],
}

impl MediaSet {
    /// The two streams of a call: a microphone and a camera.
    pub const fn of_call(audio: bool, camera: bool) -> Self {
        let mut streams = [None; MAX_STREAMS];
        streams[0] = Some(StreamState::audio(audio));
        streams[1] = Some(StreamState::camera(camera));
        Self { streams }
    }

    /// The streams, in the order of their identifiers.
    pub fn iter(&self) -> impl Iterator<Item = StreamState> + '_ {
        self.streams.iter().flatten().copied()
    }

    /// The stream of this identifier.
    pub fn get(&self, id: StreamId) -> Option<StreamState> {
        self.iter().find(|stream| stream.id == id)
    }

    /// True while media is sent in the stream.
    pub fn is_on(&self, id: StreamId) -> bool {
        self.get(id).is_some_and(|stream| stream.on)
    }

    /// True while media of this kind is sent in any stream.
    pub fn sends(&self, kind: StreamKind) -> bool {
        self.iter().any(|stream| stream.kind == kind && stream.on)
    }

    /// True while sound is sent.
    pub fn audio(&self) -> bool {
        self.sends(StreamKind::Audio)
    }

    /// True while pictures of a camera are sent.
    pub fn camera(&self) -> bool {
        self.sends(StreamKind::Camera)
    }

    /// The set with `stream` in the place of one with its identifier; unchanged where there is no room for it.
    #[must_use]
    pub fn with(mut self, stream: StreamState) -> Self {
        if let Some(place) = self.streams.iter_mut().flatten().find(|one| one.id == stream.id) {
            *place = stream;
        } else if let Some(place) = self.streams.iter_mut().find(|place| place.is_none()) {
            *place = Some(stream);
            self.streams.sort_unstable_by_key(|place| place.map_or((true, 0), |one| (false, one.id.number())));
        }
        self
    }

    /// The streams of this set, on where they are on in `other`, too.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for stream in self.streams.iter_mut().flatten() {
            stream.on &= other.is_on(stream.id);
        }
        self
    }

    /// The streams that differ from those of the set `before`; one that is no more is given as off.
    pub fn changes(self, before: Self) -> impl Iterator<Item = StreamState> {
        let changed = self.streams.into_iter().flatten().filter(move |stream| before.get(stream.id) != Some(*stream));
        let gone = before.streams.into_iter().flatten().filter(move |stream| self.get(stream.id).is_none());
        changed.chain(gone.map(|stream| StreamState { on: false, ..stream }))
    }
}

impl FromIterator<StreamState> for MediaSet {
    fn from_iter<T: IntoIterator<Item = StreamState>>(streams: T) -> Self {
        streams.into_iter().fold(Self::default(), Self::with)
    }
}

impl Serialize for MediaSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// A stream in a message; its kind may be one of another version.
#[derive(Deserialize)]
struct NamedStream {
    id: StreamId,
    kind: String,
    on: bool,
}

impl<'de> Deserialize<'de> for MediaSet {
    /// Streams of unknown kinds are passed over; too many, or two of one identifier, are an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = Vec::<NamedStream>::deserialize(deserializer)?;
        if named.len() > MAX_STREAMS {
            return Err(de::Error::custom("too many streams"));
        }
        let mut set = Self::default();
        for (index, NamedStream { id, kind, on }) in named.iter().enumerate() {
            if named[..index].iter().any(|earlier| earlier.id == *id) {
                return Err(de::Error::custom("two streams of one identifier"));
            }
            if let Some(kind) = StreamKind::of_name(kind) {
                set = set.with(StreamState { id: *id, kind, on: *on });
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_kept_by_identifier_in_whatever_order_they_come() {
        let [audio, camera, screen] = [StreamState::audio(true), StreamState::camera(false), StreamState::screen(true)];
        let set: MediaSet = [screen, audio, camera].into_iter().collect();
        assert_eq!(set, MediaSet::of_call(true, false).with(screen));
        assert_eq!(set.iter().collect::<Vec<_>>(), [audio, camera, screen]);
        assert!(set.audio() && !set.camera() && set.sends(StreamKind::Screen) && set.is_on(StreamId::SCREEN));
        assert!(set.with(StreamState::camera(true)).camera());
        assert_eq!(
            (3..20).map(|id| StreamState { id: StreamId::new(id), ..screen }).collect::<MediaSet>().iter().count(),
            8
        );
    }

    #[test]
    fn a_stream_is_on_in_both_sets_or_off() {
        let set = MediaSet::of_call(true, true).with(StreamState::screen(true));
        let given = MediaSet::of_call(false, true);
        assert_eq!(set.and(given), MediaSet::of_call(false, true).with(StreamState::screen(false)));
    }

    #[test]
    fn changes_name_each_stream_that_differs() {
        let before = MediaSet::of_call(true, false).with(StreamState::screen(true));
        assert_eq!(before.changes(before).count(), 0);
        let now = MediaSet::of_call(false, false);
        let changes: Vec<_> = now.changes(before).collect();
        assert_eq!(changes, [StreamState::audio(false), StreamState::screen(false)]);
        assert_eq!(now.changes(MediaSet::default()).count(), 2);
    }

    #[test]
    fn a_list_of_another_version_is_read_as_far_as_it_is_understood() {
        let read = |json: &str| serde_json::from_str::<MediaSet>(json);
        let set = read(
            r#"[{"id":2,"kind":"screen","on":true},{"id":5,"kind":"hologram","on":true},{"id":0,"kind":"audio","on":false,"stereo":true}]"#,
        );
        assert_eq!(set.unwrap(), [StreamState::audio(false), StreamState::screen(true)].into_iter().collect());
        let call = MediaSet::of_call(true, false);
        assert_eq!(read(&serde_json::to_string(&call).unwrap()).unwrap(), call);
        assert!(read(r#"[{"id":0,"kind":"audio","on":true},{"id":0,"kind":"camera","on":true}]"#).is_err());
        let many: Vec<_> = (0..9).map(|id| format!(r#"{{"id":{id},"kind":"x","on":true}}"#)).collect();
        assert!(read(&format!("[{}]", many.join(","))).is_err());
    }
}
