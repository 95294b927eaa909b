//! Sending side of one stream of pictures: the slot that its source fills, and the thread that encodes them.

use std::fmt;
use std::sync::Arc;

use super::FanOut;
use crate::encoder::VideoEncoding;
use crate::media::{FrameSlot, MediaTime, StreamId, VideoFormat};

/// One stream of pictures of this side. Owned by the controller's thread.
pub struct PictureSend {
    fan_out: Arc<FanOut>,
    stream: StreamId,
    slot: Arc<FrameSlot>,
    /// Runs from the first call to the release of the source.
    encoding: Option<VideoEncoding>,
}

impl fmt::Debug for PictureSend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PictureSend").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl PictureSend {
    pub(super) fn new(fan_out: Arc<FanOut>, stream: StreamId) -> Self {
        Self { fan_out, stream, slot: Arc::default(), encoding: None }
    }

    /// The stream.
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Slot of the source's pictures.
    pub const fn slot(&self) -> &Arc<FrameSlot> {
        &self.slot
    }

    /// Starts encoding, unless that goes on already.
    pub fn start(&mut self, format: VideoFormat) {
        if self.encoding.is_some() {
            return;
        }
        let (plans, fan_out, stream) = (Arc::clone(&self.fan_out), Arc::clone(&self.fan_out), self.stream);
        self.encoding = VideoEncoding::start(
            Arc::clone(&self.slot),
            format,
            move |source| plans.plan_video(stream, source, MediaTime::now()),
            move |rendition, picture| fan_out.send_video(stream, rendition, &picture),
        )
        .inspect_err(|error| tracing::error!("no thread to encode video on: {error}"))
        .ok();
    }

    /// Changes the greatest rate of pictures and bits.
    pub fn set_format(&self, format: VideoFormat) {
        if let Some(encoding) = &self.encoding {
            encoding.set_format(format);
        }
    }

    /// Asks for a keyframe of every rendition.
    pub fn request_keyframes(&self) {
        self.fan_out.request_keyframes(self.stream);
    }

    /// Width and height of the latest encoded picture; `None` before there is one.
    pub fn encoded_size(&self) -> Option<(u32, u32)> {
        let stats = self.encoding.as_ref()?.stats();
        (stats.width > 0).then_some((stats.width, stats.height))
    }

    /// Takes the encoder thread out; dropping it ends it, which takes up to 100 ms.
    pub const fn stop(&mut self) -> Option<VideoEncoding> {
        self.encoding.take()
    }
}
