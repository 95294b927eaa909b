//! Feed of an open speaker.

use std::sync::{Arc, Mutex};

use super::recorder::Recorder;
use crate::sound_device::{CallbackPeriod, Heart, PlayRing, Resampler};

/// Destination of the playout thread's frames while this speaker is open.
pub(super) enum Feed {
    /// A device, which sets the pace.
    Device { ring: PlayRing, resampler: Box<Resampler>, heart: Arc<Heart>, period: CallbackPeriod },
    /// A file, written at the pace of the clock.
    File { recorder: Arc<Mutex<Recorder>>, heart: Arc<Heart> },
}
