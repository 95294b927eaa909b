//! Scanner of QR codes from one's own camera, on a thread of its own: a picture takes up to some tenths of a second. It
//! looks at the latest picture alone, and ends with this value.

use std::sync::Arc;
use std::time::Duration;

use eframe::egui::Context;

use crate::media::{FrameSlot, Latest, VideoFrame};

/// Waiting for a picture before looking whether the scan is over.
const PICTURE_WAIT: Duration = Duration::from_secs(1);

/// A scan that is under way, for codes that are read as `T`.
#[derive(Debug)]
pub struct CodeScanner<T> {
    pictures: Arc<FrameSlot>,
    found: Arc<Latest<T>>,
    /// Version of the preview that was handed over last.
    seen: Option<u64>,
}

impl<T: Send + 'static> CodeScanner<T> {
    /// Has `read` look at each picture; asks `ctx` for a repaint when it has found something. `None` when the system
    /// has no thread for it.
    pub fn start(ctx: &Context, read: impl Fn(&VideoFrame) -> Option<T> + Send + 'static) -> Option<Self> {
        let (pictures, found) = (Arc::new(FrameSlot::new()), Arc::new(Latest::new()));
        let scanner = Self { pictures: Arc::clone(&pictures), found: Arc::clone(&found), seen: None };
        let ctx = ctx.clone();
        let scan = move || {
            while !pictures.is_closed() {
                let code = pictures.take_timeout(PICTURE_WAIT).and_then(|picture| read(&picture));
                if let Some(code) = code {
                    found.put(code);
                    ctx.request_repaint();
                }
            }
        };
        let thread = std::thread::Builder::new().name("qr-code".into()).spawn(scan);
        if let Err(error) = thread {
            tracing::warn!("no thread to read a code on: {error}");
            return None;
        }
        Some(scanner)
    }

    /// Hands over the preview's picture if it is new; the code that was found since, if any.
    pub fn look(&mut self, preview: &FrameSlot) -> Option<T> {
        let (picture, version): (Option<Arc<VideoFrame>>, u64) = preview.get();
        if self.seen.replace(version) != Some(version)
            && let Some(picture) = picture
        {
            self.pictures.put(picture);
        }
        self.found.take()
    }
}

impl<T> Drop for CodeScanner<T> {
    fn drop(&mut self) {
        self.pictures.close();
    }
}
