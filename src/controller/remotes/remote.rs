//! Remote participant of a conversation: their connection, their tile, their voice.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{CallError, Connectivity, ConversationId, Participant};
use crate::capture::y4m::Y4mWriter;
use crate::identity::PeerId;
use crate::media::{FrameSlot, LevelMeter, MediaTime, StreamId, StreamState, write_new_file};
use crate::media_receive::PictureMeter;
use crate::playout::ParticipantAudio;
use crate::rtc::Peer;

use super::statistics::{Counted, Encoding, received_stats, sample, sent_stats};
use crate::controller::engine_lane::KeyframesAsked;
use crate::controller::quality::CallHistory;
use crate::controller::{Event, ParticipantView, ReceivedStats, SentStats};

/// A deadline may be met a little before its time.
const ALMOST: Duration = Duration::from_millis(100);

/// Everything of a participant; dropping it silences them.
pub(super) struct Remote {
    /// Tells this connection's reports from those of an earlier one with the same person.
    connection: u64,
    conversation: ConversationId,
    peer: Peer,
    picture: Arc<FrameSlot>,
    /// Meter of the pictures shown of them.
    pictures: PictureMeter,
    level: Arc<LevelMeter>,
    audio: ParticipantAudio,
    muted_here: bool,
    hidden_here: bool,
    /// The conversation is over and the connection is being closed.
    closing: bool,
    /// Its requests for keyframes that are on their way here.
    keyframes_asked: Arc<KeyframesAsked>,
    /// Lines of their picture that are of use here, once that is known.
    wish: Option<u32>,
    /// They were not told of the wish yet.
    wish_pending: bool,
    sent: SentStats,
    received: ReceivedStats,
    /// As of the latest report, and as of the latest second of the history.
    counted: (MediaTime, Counted),
    sampled: (MediaTime, Counted),
    history: CallHistory,
}

impl Remote {
    /// Somebody who is being connected: by the connection of a number in a conversation, with a tile and a voice.
    pub(super) fn new(
        (connection, conversation): (u64, ConversationId),
        peer: Peer,
        (picture, pictures): (Arc<FrameSlot>, PictureMeter),
        (level, audio): (Arc<LevelMeter>, ParticipantAudio),
        keyframes_asked: Arc<KeyframesAsked>,
    ) -> Self {
        let now = MediaTime::now();
        Self {
            connection,
            conversation,
            peer,
            picture,
            pictures,
            level,
            audio,
            muted_here: false,
            hidden_here: false,
            closing: false,
            keyframes_asked,
            wish: None,
            wish_pending: false,
            sent: SentStats::default(),
            received: ReceivedStats::default(),
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
        self.picture.close();
        self.audio.set_muted(true);
        self.peer.close();
    }

    /// Takes the request for a keyframe of a stream that was on its way.
    pub(super) fn take_keyframe_request(&self, stream: StreamId) {
        self.keyframes_asked.take(stream);
    }

    /// One of their streams was added, or went on or off. A far camera that is off shows no last picture.
    pub(super) fn on_stream_changed(&self, stream: StreamState) {
        if stream.id != StreamId::CAMERA {
            return;
        }
        self.pictures.expect_pictures(stream.on);
        if !stream.on {
            self.picture.clear();
        }
    }

    pub(super) fn set_muted_here(&mut self, muted: bool) {
        self.muted_here = muted;
        self.audio.set_muted(muted);
    }

    pub(super) const fn set_hidden_here(&mut self, hidden: bool) {
        self.hidden_here = hidden;
    }

    /// Notes how many lines of their picture are of use here.
    pub(super) const fn set_wish(&mut self, lines: u32) {
        self.wish = Some(lines);
        self.wish_pending = true;
    }

    /// Takes the wish that they were not told yet.
    pub(super) fn take_pending_wish(&mut self) -> Option<u32> {
        self.wish.filter(|_| std::mem::take(&mut self.wish_pending))
    }

    /// The wish did not arrive.
    pub(super) const fn resend_wish(&mut self) {
        self.wish_pending = true;
    }

    /// Takes the statistics since the last time, where that is as long ago as `every`; the event that reports them.
    pub(super) fn measure_if_due(
        &mut self,
        now: MediaTime,
        every: Duration,
        id: PeerId,
        encoding: Encoding,
    ) -> Option<Event> {
        if now.since(self.counted.0) + ALMOST < every {
            return None;
        }
        let counted = self.count(now);
        let elapsed = now.since(self.counted.0).max(Duration::from_millis(1));
        self.sent = sent_stats(&self.counted.1.peer, &counted.peer, elapsed, encoding);
        self.received = received_stats(&self.counted.1, &counted, elapsed);
        self.counted = (now, counted);
        Some(Event::Stats {
            conversation: self.conversation,
            participant: id,
            quality: self.history.quality(),
            sent: Box::new(self.sent.clone()),
            received: Box::new(self.received.clone()),
        })
    }

    /// Writes the picture of their tile into a new file.
    pub(super) fn save_picture(&self, path: &Path) -> Result<(), CallError> {
        let Some(picture) = self.picture.get().0 else {
            return Err(CallError::BadArgument("There is no picture of this person yet.".to_owned()));
        };
        let saved = write_new_file(path, |file| {
            let mut writer = Y4mWriter::new(file, (picture.width(), picture.height()))?;
            writer.write_frame(&picture)?;
            writer.finish()
        });
        saved.map_err(|error| CallError::BadArgument(not_saved(&error)))
    }

    /// Adds the second since the last time to the history, where that is as long ago as `every`.
    pub(super) fn sample_if_due(&mut self, now: MediaTime, every: Duration, encoding: Encoding) {
        if now.since(self.sampled.0) + ALMOST < every {
            return;
        }
        let counted = self.count(now);
        let elapsed = now.since(self.sampled.0).max(Duration::from_millis(1));
        self.history.push(sample(&self.sampled.1, &counted, elapsed, encoding));
        self.sampled = (now, counted);
    }

    fn count(&self, now: MediaTime) -> Counted {
        Counted { peer: self.peer.stats(), pictures: self.pictures.stats(now), sound: self.audio.stats() }
    }

    /// As the window shows them.
    pub(super) fn view(&self, id: PeerId, name: String, participant: &Participant) -> ParticipantView {
        ParticipantView {
            id,
            name,
            reconnecting: matches!(participant.link(), Connectivity::Interrupted { .. }),
            audio: participant.streams().audio(),
            video: participant.streams().camera(),
            muted_here: self.muted_here,
            hidden_here: self.hidden_here,
            picture: Arc::clone(&self.picture),
            level: Arc::clone(&self.level),
            quality: self.history.quality(),
            history: Arc::clone(self.history.samples()),
            sent: self.sent.clone(),
            received: self.received.clone(),
        }
    }
}

/// Why a picture was not saved, and the way on.
fn not_saved(error: &std::io::Error) -> String {
    let reason = match error.kind() {
        ErrorKind::AlreadyExists => "something of that name exists, and is not replaced. Choose another name",
        ErrorKind::NotFound | ErrorKind::NotADirectory => "the folder does not exist. Make it first",
        ErrorKind::PermissionDenied => "the folder may not be written to. Choose another one",
        ErrorKind::ReadOnlyFilesystem => "nothing can be written there. Choose another folder",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full. Free some space",
        _ => return format!("The picture could not be saved: {error}."),
    };
    format!("The picture could not be saved: {reason}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_is_not_saved_is_told_with_its_reason() {
        let said = |kind| not_saved(&std::io::Error::from(kind));
        assert!(said(ErrorKind::StorageFull).contains("the disk is full. Free"));
        assert!(said(ErrorKind::NotFound).contains("folder does not exist"));
        assert!(said(ErrorKind::AlreadyExists).contains("is not replaced"));
        assert!(said(ErrorKind::TimedOut).starts_with("The picture could not be saved: "));
    }
}
