//! Attempt to capture, on a thread of its own: its pictures and its reports. The watching thread in
//! `camera` starts it and judges it; nothing here is tried twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::{MediaTime, Planes, VideoFormat, VideoFrame};

use super::outputs::Outputs;
use super::rate::FpsMeter;
use super::stop::Stop;

const CAMERA: DeviceKind = DeviceKind::Camera;

/// Description of a source, given with its first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The system's name, or for a stand-in the text that chooses it.
    pub name: String,
    /// Width, height and frames a second that the source runs in, when it is a camera or a file.
    pub device_mode: Option<(u32, u32, u32)>,
}

/// Why an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The stop flag was set, or a wait was interrupted.
    Stopped,
    /// The source does not work.
    Fault(DeviceError),
}

/// Message of an attempt to the watching thread.
#[derive(Debug)]
pub enum AttemptReport {
    /// The first picture was delivered.
    Opened(Opened),
    /// The attempt is over, and the device is closed.
    Ended(End),
    /// Not from an attempt: the camera is being closed.
    Close,
}

/// State that all attempts of one camera share.
#[derive(Debug)]
pub struct Sink {
    /// Which source.
    pub choice: DeviceChoice,
    /// Format to deliver.
    pub format: VideoFormat,
    /// Where to.
    pub outputs: Outputs,
    /// Counts delivered pictures.
    pub meter: Mutex<FpsMeter>,
    /// Reports of attempts, each with the attempt's number.
    pub reports: SyncSender<(u64, AttemptReport)>,
}

/// One attempt.
#[derive(Debug)]
pub struct Session {
    /// Tells this attempt's reports from those of one that was given up.
    pub number: u64,
    /// Ends it.
    pub stop: Stop,
    /// When the latest picture was delivered, in microseconds; 0 before the first.
    pub last_picture: AtomicU64,
    /// State that it shares with the others.
    pub sink: Arc<Sink>,
}

impl Session {
    /// Delivers a picture. An attempt that was told to stop delivers nothing any more.
    pub(super) fn deliver(&self, frame: &Arc<VideoFrame>, opened: &Opened) {
        if self.stop.is_set() {
            return;
        }
        let now = MediaTime::now();
        self.sink.outputs.put(frame);
        self.sink.meter.lock().unwrap_or_else(PoisonError::into_inner).record(now);
        if self.last_picture.swap(now.as_micros().max(1), Ordering::AcqRel) == 0 {
            self.report(AttemptReport::Opened(opened.clone()));
        }
    }

    /// Tells the watching thread. An attempt makes two reports and the queue has room for them; if a given-up one finds
    /// it full, nobody misses its report.
    pub fn report(&self, report: AttemptReport) {
        let _ = self.sink.reports.try_send((self.number, report));
    }
}

pub(super) fn whole(bytes: &[u8], width: usize, height: usize) -> Result<Planes<'_>, DeviceError> {
    Planes::i420(bytes, width, height).ok_or_else(|| failed(DeviceReason::DamagedPictures))
}

pub(super) const fn failed(reason: DeviceReason) -> DeviceError {
    DeviceFault::Failed(reason).of(CAMERA)
}
