//! Encoders of a picture's renditions, each with its own codec, size and rate. An encoder lives while somebody watches
//! its rendition. Pure; time is an argument.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::h264::Rate;
use super::picture_encoder::PictureEncoder;
use crate::media::{MediaTime, OutgoingPicture, RENDITIONS, RenditionPlan, VideoFrame};

/// One access unit, or none where the picture was left out.
type Encoded = Result<Option<OutgoingPicture>, openh264::Error>;

#[derive(Default)]
struct Rendition {
    encoder: PictureEncoder,
    keyframe_wanted: AtomicBool,
}

/// The encoders, and their counters together.
#[derive(Default)]
pub(crate) struct Renditions {
    each: [Option<Rendition>; RENDITIONS],
    /// Pictures left out though they were due.
    pub(crate) skipped: u64,
    /// Time spent encoding.
    pub(crate) busy: Duration,
    /// Capture time of the latest picture, and the time that its renditions took so far.
    spent: (MediaTime, Duration),
}

impl Renditions {
    /// Encodes a rendition of `frame` by its plan, at `most` so much; `None` where there is no plan for it. `clock`
    /// times the work.
    pub(crate) fn encode(
        &mut self,
        rendition: usize,
        plan: Option<RenditionPlan>,
        frame: &VideoFrame,
        most: Rate,
        clock: impl Fn() -> MediaTime,
    ) -> Option<Encoded> {
        let place = self.each.get_mut(rendition)?;
        let Some(plan) = plan else {
            *place = None;
            return None;
        };
        if self.spent.0 != frame.captured_at {
            self.spent = (frame.captured_at, Duration::ZERO);
        }
        let Rendition { encoder, keyframe_wanted } = place.get_or_insert_with(|| {
            let mut new = Rendition::default();
            if rendition > 0 {
                new.encoder.begin_at(plan.budget.max_lines);
            }
            new
        });
        keyframe_wanted.fetch_or(plan.keyframe, Ordering::Relaxed);
        let (skipped, busy) = (encoder.skipped, encoder.busy);
        encoder.note_other_work(self.spent.1);
        let encoded = encoder.encode(frame, most, plan.budget, keyframe_wanted, clock);
        let took = encoder.busy - busy;
        self.spent.1 += took;
        self.busy += took;
        self.skipped += encoder.skipped - skipped;
        Some(encoded)
    }

    /// Width and height of the latest picture of the largest rendition that is made.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.each.iter().flatten().next().map_or((0, 0), |rendition| rendition.encoder.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::VideoBudget;

    fn frame(ms: u64) -> VideoFrame {
        let mut frame = VideoFrame::black(640, 360);
        frame.captured_at = MediaTime::from_millis(ms);
        frame
    }

    fn plan(max_lines: u32, keyframe: bool) -> Option<RenditionPlan> {
        let budget = VideoBudget { kbps: 500, max_lines, ..VideoBudget::UNLIMITED };
        Some(RenditionPlan { budget, keyframe })
    }

    #[test]
    fn renditions_have_sizes_and_keyframes_of_their_own_and_begin_anew_after_a_pause() {
        let mut renditions = Renditions::default();
        let mut encode = |rendition, plan, ms| {
            let most = Rate { kbps: 600, max_fps: 30 };
            let encoded = renditions.encode(rendition, plan, &frame(ms), most, MediaTime::default);
            encoded.map(|encoded| (encoded.unwrap().unwrap().keyframe, renditions.size().1))
        };
        assert_eq!(encode(1, plan(180, true), 0), Some((true, 180)));
        assert_eq!(encode(0, plan(360, false), 0), Some((true, 360)), "a new encoder begins with a keyframe");
        assert_eq!(encode(0, plan(360, false), 33), Some((false, 360)));
        assert_eq!(encode(1, plan(180, true), 33), Some((true, 360)));
        assert_eq!(encode(0, plan(360, false), 66), Some((false, 360)), "the other one's is its own");
        assert_eq!((encode(1, None, 66), encode(9, plan(1, false), 66)), (None, None));
        assert_eq!(encode(1, plan(180, false), 99), Some((true, 360)));
    }

    #[test]
    fn a_keyframe_that_is_due_waits_for_the_next_picture_that_is_made() {
        let mut renditions = Renditions::default();
        let most = Rate { kbps: 600, max_fps: 30 };
        let behind =
            plan(360, true).map(|plan| RenditionPlan { budget: VideoBudget { behind: true, ..plan.budget }, ..plan });
        let mut made = |plan, ms| renditions.encode(0, plan, &frame(ms), most, MediaTime::default).unwrap().unwrap();
        assert!(made(plan(360, false), 0).is_some_and(|unit| unit.keyframe));
        assert!(made(behind, 33).is_none());
        assert!(made(plan(360, false), 66).is_some_and(|unit| unit.keyframe));
        let next = (3..20).find_map(|number| made(plan(360, false), number * 33));
        assert!(next.is_some_and(|unit| !unit.keyframe), "once");
    }
}
