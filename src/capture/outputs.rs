//! Outputs of the cameras, and the hand-over from one camera to another.

use std::sync::{Arc, Mutex, PoisonError};

use crate::media::{FrameSlot, VideoFrame};

/// Slots for the pictures of one camera after the other.
#[derive(Debug)]
pub struct Succession {
    slots: Arc<[Arc<FrameSlot>]>,
    /// The newest camera that gave a picture.
    seen: Arc<Mutex<u64>>,
    latest: u64,
}

impl Succession {
    /// Each picture goes into all `slots`.
    pub fn new(slots: impl Into<Arc<[Arc<FrameSlot>]>>) -> Self {
        Self { slots: slots.into(), seen: Arc::default(), latest: 0 }
    }

    /// For the next camera. Its first picture takes the place of those of all cameras before: theirs go nowhere then.
    pub fn next_camera(&mut self) -> Outputs {
        self.latest += 1;
        Outputs { slots: Arc::clone(&self.slots), seen: Arc::clone(&self.seen), number: self.latest }
    }
}

/// Where the pictures of one camera go.
#[derive(Debug)]
pub struct Outputs {
    slots: Arc<[Arc<FrameSlot>]>,
    seen: Arc<Mutex<u64>>,
    number: u64,
}

impl Outputs {
    /// Puts `frame` into every slot, unless a later camera is seen already.
    pub(super) fn put(&self, frame: &Arc<VideoFrame>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen <= self.number {
            *seen = self.number;
            self.slots.iter().for_each(|slot| drop(slot.put(Arc::clone(frame))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_of_the_next_camera_ends_those_of_the_one_before() {
        let slots = [Arc::new(FrameSlot::new()), Arc::new(FrameSlot::new())];
        let mut succession = Succession::new(slots.clone());
        let old = succession.next_camera();
        let new = succession.next_camera();
        let pictures = [2, 4, 6].map(|width| Arc::new(VideoFrame::black(width, 2)));
        let widths = || slots.each_ref().map(|slot| slot.get().0.map(|frame| frame.width()));
        old.put(&pictures[0]);
        assert_eq!(widths(), [Some(2), Some(2)], "the new one has given nothing yet");
        new.put(&pictures[1]);
        old.put(&pictures[2]);
        assert_eq!(widths(), [Some(4), Some(4)]);
    }
}
