//! Remote participant of a conversation: their connection, their pictures, their voice.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{CallError, ConversationId, Participant, ParticipantState};
use crate::identity::PeerId;
use crate::media::{LevelMeter, MediaTime, StreamId, StreamState, Volume};
use crate::playout::ParticipantAudio;
use crate::rtc::Peer;

use super::picture::RemotePicture;
use super::statistics::{Counted, Encodings, StreamCounted, received_stats, sample, sent_stats};
use crate::controller::engine_lane::KeyframesAsked;
use crate::controller::quality::CallHistory;
use crate::controller::{Event, ParticipantView};

/// A deadline may be met a little before its time.
const EARLY_TOLERANCE: Duration = Duration::from_millis(100);

/// Everything of a participant; dropping it silences them.
pub(super) struct Remote {
    /// Tells this connection's reports from those of an earlier one with the same person.
    connection: u64,
    conversation: ConversationId,
    peer: Peer,
    /// Streams of pictures that the connection carries.
    pictures: Vec<RemotePicture>,
    level: Arc<LevelMeter>,
    audio: ParticipantAudio,
    muted_here: bool,
    hidden_here: bool,
    volume: Volume,
    /// The conversation is over and the connection is being closed.
    closing: bool,
    /// Its requests for keyframes that are on their way here.
    keyframes_asked: Arc<KeyframesAsked>,
    /// As of the latest report, and as of the latest second of the history.
    counted: (MediaTime, Counted),
    sampled: (MediaTime, Counted),
    history: CallHistory,
}

impl Remote {
    /// Somebody who is being connected: by the connection of a number in a conversation, with tiles and a voice.
    pub(super) fn new(
        (connection, conversation): (u64, ConversationId),
        peer: Peer,
        pictures: Vec<RemotePicture>,
        (level, audio): (Arc<LevelMeter>, ParticipantAudio),
        keyframes_asked: Arc<KeyframesAsked>,
    ) -> Self {
        let now = MediaTime::now();
        Self {
            connection,
            conversation,
            peer,
            pictures,
            level,
            audio,
            muted_here: false,
            hidden_here: false,
            volume: Volume::default(),
            closing: false,
            keyframes_asked,
            counted: (now, Counted::default()),
            sampled: (now, Counted::default()),
            history: CallHistory::default(),
        }
    }

    /// Number of the connection.
    pub(super) const fn connection(&self) -> u64 {
        self.connection
    }

    pub(super) const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    pub(super) const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// True while the connection is being closed.
    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// The conversation is over: closes the connection, and shows and plays nothing more.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.pictures.iter().for_each(RemotePicture::close);
        self.audio.set_muted(true);
        self.peer.close();
    }

    /// Takes the request for a keyframe of a stream that was on its way.
    pub(super) fn take_keyframe_request(&self, stream: StreamId) {
        self.keyframes_asked.take(stream);
    }

    /// The same of every stream.
    pub(super) fn take_keyframe_requests(&self) {
        self.pictures.iter().for_each(|picture| self.take_keyframe_request(picture.id()));
    }

    /// One of their streams was added, or went on or off.
    pub(super) fn on_stream_changed(&mut self, stream: StreamState) {
        self.pictures.iter_mut().for_each(|picture| picture.on_changed(stream));
    }

    pub(super) fn set_muted_here(&mut self, muted: bool) {
        self.muted_here = muted;
        self.audio.set_muted(muted);
    }

    pub(super) fn set_volume(&mut self, volume: Volume) {
        self.volume = volume;
        self.audio.set_volume(volume);
    }

    pub(super) const fn set_hidden_here(&mut self, hidden: bool) {
        self.hidden_here = hidden;
    }

    /// The stream of pictures of this identifier.
    ///
    /// # Errors
    ///
    /// When the connection carries none.
    pub(super) fn picture(&mut self, stream: StreamId) -> Result<&mut RemotePicture, CallError> {
        let not_carried = || CallError::BadArgument("A call carries no pictures in this stream.".to_owned());
        self.pictures.iter_mut().find(|picture| picture.id() == stream).ok_or_else(not_carried)
    }

    /// Takes the wishes that they were not told yet: the greatest height of each stream.
    pub(super) fn take_pending_wishes(&mut self) -> impl Iterator<Item = (StreamId, u32)> {
        self.pictures.iter_mut().filter_map(|picture| Some((picture.id(), picture.take_pending_wish()?)))
    }

    /// Takes the statistics since the last time, where that is as long ago as `every`; an event for each stream of
    /// pictures that either side has in the call.
    pub(super) fn measure_if_due(
        &mut self,
        now: MediaTime,
        every: Duration,
        id: PeerId,
        encodings: &Encodings,
    ) -> Vec<Event> {
        if now.since(self.counted.0) + EARLY_TOLERANCE < every {
            return Vec::new();
        }
        let counted = self.count(now);
        let elapsed = now.since(self.counted.0).max(Duration::from_millis(1));
        let before = &self.counted.1;
        let mut reports = Vec::new();
        for picture in &mut self.pictures {
            let stream = picture.id();
            let encoding = encodings.of(stream);
            if encoding.is_none() && !picture.is_announced() {
                continue;
            }
            let sent = sent_stats((before, &counted), stream, elapsed, encoding.unwrap_or_default());
            picture.set_stats(sent, received_stats((before, &counted), stream, elapsed));
            let (sent, received) = picture.stats();
            reports.push(Event::Stats {
                conversation: self.conversation,
                participant: id,
                stream,
                kind: picture.kind(),
                quality: self.history.quality(),
                sent: Box::new(sent.clone()),
                received: Box::new(received.clone()),
            });
        }
        self.counted = (now, counted);
        reports
    }

    /// Writes the picture of one of their tiles into a new file.
    pub(super) fn save_picture(&mut self, stream: StreamId, path: &Path) -> Result<(), CallError> {
        self.picture(stream)?.save(path)
    }

    /// Adds the second since the last time to the history, where that is as long ago as `every`.
    pub(super) fn sample_if_due(&mut self, now: MediaTime, every: Duration, encodings: &Encodings) {
        if now.since(self.sampled.0) + EARLY_TOLERANCE < every {
            return;
        }
        let counted = self.count(now);
        let elapsed = now.since(self.sampled.0).max(Duration::from_millis(1));
        self.history.push(sample(&self.sampled.1, &counted, elapsed, encodings));
        self.sampled = (now, counted);
    }

    fn count(&self, now: MediaTime) -> Counted {
        let of = |picture: &RemotePicture| {
            let stream = self.peer.stream_stats(picture.id()).unwrap_or_default();
            (picture.id(), StreamCounted { stream, shown: picture.meter().stats(now) })
        };
        Counted {
            connection: self.peer.stats(),
            sound: self.audio.stats(),
            pictures: self.pictures.iter().map(of).collect(),
        }
    }

    /// As the window shows them: their pictures are those of their streams that the connection carries.
    pub(super) fn view(&self, id: PeerId, name: String, participant: &Participant) -> ParticipantView {
        let streams = participant.streams();
        let announced = |picture: &RemotePicture| {
            let stream = streams.get(picture.id()).filter(|stream| stream.kind == picture.kind())?;
            Some(picture.view(stream.on))
        };
        ParticipantView {
            id,
            name,
            reconnecting: matches!(participant.state(), ParticipantState::Interrupted { .. }),
            audio: streams.audio(),
            muted_here: self.muted_here,
            hidden_here: self.hidden_here,
            volume: self.volume,
            pictures: self.pictures.iter().filter_map(announced).collect(),
            level: Arc::clone(&self.level),
            quality: self.history.quality(),
            history: Arc::clone(self.history.samples()),
        }
    }
}
