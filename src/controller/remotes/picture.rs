//! Stream of pictures of a remote participant: its tile, its figures, and the receive resolution that is asked for.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::call::CallError;
use crate::capture::y4m::Y4mWriter;
use crate::controller::{PictureView, ReceivedStats, SentStats};
use crate::media::{FrameSlot, StreamId, StreamKind, StreamState, write_new_file};
use crate::media_receive::PictureMeter;

/// One stream of pictures of a participant.
pub(super) struct RemotePicture {
    id: StreamId,
    kind: StreamKind,
    slot: Arc<FrameSlot>,
    /// Meter of the pictures shown.
    meter: PictureMeter,
    /// They have announced the stream in this call.
    announced: bool,
    /// Lines that are of use here, once that is known.
    max_height: Option<u32>,
    /// They were not told of that yet.
    wish_pending: bool,
    sent: SentStats,
    received: ReceivedStats,
}

impl RemotePicture {
    /// The stream of this identifier, shown in `slot` and counted in `meter`.
    pub(super) fn new((id, kind): (StreamId, StreamKind), slot: Arc<FrameSlot>, meter: PictureMeter) -> Self {
        Self {
            id,
            kind,
            slot,
            meter,
            announced: false,
            max_height: None,
            wish_pending: false,
            sent: SentStats::default(),
            received: ReceivedStats::default(),
        }
    }

    pub(super) const fn id(&self) -> StreamId {
        self.id
    }

    pub(super) const fn kind(&self) -> StreamKind {
        self.kind
    }

    pub(super) const fn meter(&self) -> &PictureMeter {
        &self.meter
    }

    /// True once they have announced the stream in this call.
    pub(super) const fn is_announced(&self) -> bool {
        self.announced
    }

    /// Nothing more is shown.
    pub(super) fn close(&self) {
        self.slot.close();
    }

    /// It was added, or went on or off. A stream that is off shows no last picture.
    pub(super) fn on_changed(&mut self, stream: StreamState) {
        if (stream.id, stream.kind) != (self.id, self.kind) {
            return;
        }
        self.announced = true;
        self.meter.expect_pictures(stream.on);
        if !stream.on {
            self.slot.clear();
        }
    }

    /// Notes how many lines are of use here.
    pub(super) const fn set_wish(&mut self, max_height: u32) {
        self.max_height = Some(max_height);
        self.wish_pending = true;
    }

    /// Takes the wish that they were not told yet.
    pub(super) fn take_pending_wish(&mut self) -> Option<u32> {
        self.max_height.filter(|_| std::mem::take(&mut self.wish_pending))
    }

    /// The wish did not arrive.
    pub(super) const fn resend_wish(&mut self) {
        self.wish_pending = true;
    }

    /// Takes over the statistics of the latest two seconds.
    pub(super) fn set_stats(&mut self, sent: SentStats, received: ReceivedStats) {
        (self.sent, self.received) = (sent, received);
    }

    /// The statistics of the latest two seconds.
    pub(super) const fn stats(&self) -> (&SentStats, &ReceivedStats) {
        (&self.sent, &self.received)
    }

    /// Writes the picture of the tile into a new file.
    pub(super) fn save(&self, path: &Path) -> Result<(), CallError> {
        let Some(picture) = self.slot.get().0 else {
            return Err(CallError::BadArgument("There is no picture of this person yet.".to_owned()));
        };
        let saved = write_new_file(path, |file| {
            let mut writer = Y4mWriter::new(file, (picture.width(), picture.height()))?;
            writer.write_frame(&picture)?;
            writer.finish()
        });
        saved.map_err(|error| CallError::BadArgument(not_saved(&error)))
    }

    /// As the window shows it, while they send it or not.
    pub(super) fn view(&self, on: bool) -> PictureView {
        PictureView {
            stream: self.id,
            kind: self.kind,
            on,
            slot: Arc::clone(&self.slot),
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
    use crate::media::VideoFrame;

    fn screen() -> RemotePicture {
        RemotePicture::new((StreamId::SCREEN, StreamKind::Screen), Arc::default(), PictureMeter::default())
    }

    #[test]
    fn a_picture_that_is_not_saved_is_told_with_its_reason() {
        let said = |kind| not_saved(&std::io::Error::from(kind));
        assert!(said(ErrorKind::StorageFull).contains("the disk is full. Free"));
        assert!(said(ErrorKind::NotFound).contains("folder does not exist"));
        assert!(said(ErrorKind::AlreadyExists).contains("is not replaced"));
        assert!(said(ErrorKind::TimedOut).starts_with("The picture could not be saved: "));
    }

    #[test]
    fn a_stream_shows_no_last_picture_once_it_is_off_and_changes_of_others_leave_it_alone() {
        let mut screen = screen();
        screen.slot.put(Arc::new(VideoFrame::black(4, 2)));
        screen.on_changed(StreamState::camera(false));
        let of_another_kind = StreamState { kind: StreamKind::Camera, ..StreamState::screen(false) };
        screen.on_changed(of_another_kind);
        assert!(!screen.is_announced() && screen.slot.get().0.is_some());
        screen.on_changed(StreamState::screen(true));
        assert!(screen.is_announced() && screen.slot.get().0.is_some());
        screen.on_changed(StreamState::screen(false));
        assert!(screen.is_announced() && screen.slot.get().0.is_none());
    }

    #[test]
    fn a_wish_is_told_once_and_again_when_it_did_not_arrive() {
        let mut screen = screen();
        assert_eq!(screen.take_pending_wish(), None);
        screen.resend_wish();
        assert_eq!(screen.take_pending_wish(), None, "there is none");
        screen.set_wish(720);
        assert_eq!((screen.take_pending_wish(), screen.take_pending_wish()), (Some(720), None));
        screen.resend_wish();
        assert_eq!(screen.take_pending_wish(), Some(720));
    }
}
