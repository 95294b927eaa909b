//! A remote person in the present conversation: their connection, their tile, their voice.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::call::{CallError, ConversationId, Link, Participant};
use crate::capture::y4m::Y4mWriter;
use crate::identity::PeerId;
use crate::media::{FrameSlot, LevelMeter, MediaTime, write_new_file};
use crate::media_receive::PictureMeter;
use crate::playout::ParticipantAudio;
use crate::rtc::Peer;

use super::quality::CallHistory;
use super::statistics::{Counted, Encoding, received_stats, sample, sent_stats};
use super::{Event, ParticipantView, ReceivedStats, SentStats};

/// What the controller holds of a participant; dropping it silences them.
pub(super) struct Remote {
    /// Tells this connection's reports from those of an earlier one with the same person.
    pub(super) connection: u64,
    pub(super) conversation: ConversationId,
    pub(super) peer: Peer,
    pub(super) picture: Arc<FrameSlot>,
    /// What is shown of them.
    pub(super) pictures: PictureMeter,
    pub(super) level: Arc<LevelMeter>,
    pub(super) audio: ParticipantAudio,
    pub(super) muted_here: bool,
    pub(super) hidden_here: bool,
    /// The conversation is over and the connection is being closed.
    pub(super) closing: bool,
    /// Its wish for a keyframe is on its way here: further ones are the same.
    pub(super) keyframe_asked: Arc<AtomicBool>,
    /// Lines of their picture that are of use here, once that is known, and whether they were told.
    pub(super) wish: Option<(u32, bool)>,
    pub(super) sent: SentStats,
    pub(super) received: ReceivedStats,
    /// As of the latest report, and as of the latest second of the history.
    pub(super) counted: (MediaTime, Counted),
    pub(super) sampled: (MediaTime, Counted),
    pub(super) history: CallHistory,
}

impl Remote {
    /// Takes the statistics since the last time; the event that reports them.
    pub(super) fn measure(&mut self, now: MediaTime, id: PeerId, encoding: Encoding) -> Event {
        let counted = self.count(now);
        let elapsed = now.since(self.counted.0).max(Duration::from_millis(1));
        self.sent = sent_stats(&self.counted.1.peer, &counted.peer, elapsed, encoding);
        self.received = received_stats(&self.counted.1, &counted, elapsed);
        self.counted = (now, counted);
        Event::Stats {
            conversation: self.conversation,
            participant: id,
            quality: self.history.quality(),
            sent: Box::new(self.sent.clone()),
            received: Box::new(self.received.clone()),
        }
    }

    /// Writes what their tile shows into a new file.
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

    /// Adds the second since the last time to the history.
    pub(super) fn sample(&mut self, now: MediaTime, encoding: Encoding) {
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
            reconnecting: matches!(participant.link(), Link::Interrupted { .. }),
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
