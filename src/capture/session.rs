//! One attempt to capture, on a thread of its own: open the source, deliver pictures until told to stop, and say how it
//! ended. The watching thread in `camera` starts it and judges it; nothing here is tried twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::{CallError, DeviceKind, DeviceReason};
use crate::media::{FramePool, MediaTime, Planes, VideoFormat, VideoFrame};
use crate::store::DeviceChoice;

use super::barcode;
use super::cameras::nodes_of;
use super::convert::Converter;
use super::device::Device;
use super::film_file;
use super::outputs::Outputs;
use super::rate::{FpsMeter, Pacer, RateLimit};
use super::stop::Stop;
use super::test_card::{TestCard, stamp};

const CAMERA: DeviceKind = DeviceKind::Camera;
/// Damaged buffers in a row after which a camera counts as failed (some give a few at the start).
const MAX_DAMAGED: u32 = 30;

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
    Fault(CallError),
}

/// Message of an attempt to the watching thread.
#[derive(Debug)]
pub enum Report {
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
    pub reports: SyncSender<(u64, Report)>,
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
    /// Captures until the end and returns why. Reports nothing but the first picture.
    pub fn run(&self) -> End {
        let result = match &self.sink.choice {
            DeviceChoice::SystemDefault => self.run_device(None),
            DeviceChoice::Named(name) => self.run_device(Some(name)),
            DeviceChoice::TestCard { format } => self.run_test_card(*format),
            DeviceChoice::File(path) => film_file::run(self, path),
            DeviceChoice::None | DeviceChoice::Tone { .. } => Err(failed(DeviceReason::WrongKind)),
        };
        match result {
            Ok(()) => End::Stopped,
            Err(_) if self.stop.is_set() => End::Stopped,
            Err(fault) => End::Fault(fault),
        }
    }

    fn run_device(&self, name: Option<&str>) -> Result<(), CallError> {
        let format = self.sink.format;
        let mut device = open_device(name, format)?;
        let mode = device.mode();
        let name = name.unwrap_or(&device.name).to_owned();
        let opened = Opened { name, device_mode: Some((mode.width, mode.height, mode.rate.rounded())) };
        let (mut pool, mut converter) = (FramePool::new(), Converter::default());
        let mut limit = RateLimit::new(format.max_fps);
        let mut damaged = 0;
        loop {
            let raw = match device.next() {
                Ok(raw) => raw,
                // It is woken to be stopped; any other signal to the process wakes it too.
                Err(error) if error.is_interruption() && !self.stop.is_set() => continue,
                Err(error) if error.is_interruption() => return Ok(()),
                Err(error) => return Err(error.into_fault(true)),
            };
            if self.stop.is_set() {
                return Ok(());
            }
            let now = MediaTime::now();
            let Some(raw) = raw else {
                damaged = count_damaged(damaged, "the buffer holds no whole picture")?;
                continue;
            };
            if !limit.admit(now) {
                continue;
            }
            let converted = pool.produce(format.width, format.height, |frame| {
                frame.captured_at = now;
                converter.convert(raw, frame)
            });
            match converted {
                Ok(frame) => {
                    damaged = 0;
                    self.deliver(&frame, &opened);
                }
                Err(error) => damaged = count_damaged(damaged, &error.to_string())?,
            }
        }
    }

    fn run_test_card(&self, card_format: Option<(u32, u32, u32)>) -> Result<(), CallError> {
        let format = self.sink.format;
        let (width, height, fps) = card_format.unwrap_or((format.width, format.height, format.max_fps));
        let fps = fps.min(format.max_fps);
        let card = TestCard::new(width, height, fps);
        let drawn_to_size = (card.width(), card.height()) == (format.width & !1, format.height & !1);
        let (mut pool, mut converter) = (FramePool::new(), Converter::default());
        let mut drawing = VideoFrame::black(2, 2);
        if !drawn_to_size {
            drawing = VideoFrame::black(width, height);
        }
        let opened =
            Opened { name: self.sink.choice.to_string(), device_mode: card_format.map(|_| (width, height, fps)) };
        let mut pacer = Pacer::new(MediaTime::now(), fps, 1);
        let mut counter = 0_u32;
        loop {
            if self.stop.wait_until(pacer.next(MediaTime::now())) {
                return Ok(());
            }
            let frame = pool.produce(format.width, format.height, |frame| {
                frame.captured_at = MediaTime::now();
                if drawn_to_size {
                    card.draw(counter, frame);
                } else {
                    card.draw(counter, &mut drawing);
                    let planes = whole(drawing.as_bytes(), width as usize & !1, height as usize & !1)?;
                    converter.convert_planar(planes, frame);
                }
                stamp(frame, counter, barcode::unix_micros());
                Ok(())
            })?;
            self.deliver(&frame, &opened);
            counter = counter.wrapping_add(1);
        }
    }

    /// Delivers a picture. An attempt that was told to stop delivers nothing any more.
    pub(super) fn deliver(&self, frame: &Arc<VideoFrame>, opened: &Opened) {
        if self.stop.is_set() {
            return;
        }
        let now = MediaTime::now();
        self.sink.outputs.put(frame);
        self.sink.meter.lock().unwrap_or_else(PoisonError::into_inner).record(now);
        if self.last_picture.swap(now.as_micros().max(1), Ordering::AcqRel) == 0 {
            self.report(Report::Opened(opened.clone()));
        }
    }

    /// Tells the watching thread. An attempt makes two reports and the queue has room for them; if a given-up one finds
    /// it full, nobody misses its report.
    pub fn report(&self, report: Report) {
        let _ = self.sink.reports.try_send((self.number, report));
    }
}

/// One more damaged buffer in a row; an error when that is too many.
fn count_damaged(before: u32, why: &str) -> Result<u32, CallError> {
    tracing::debug!(why, "a picture of the camera is damaged");
    if before == MAX_DAMAGED { Err(failed(DeviceReason::DamagedPictures)) } else { Ok(before + 1) }
}

/// Opens the first camera of that name (of any name without one) that can be opened.
fn open_device(name: Option<&str>, format: VideoFormat) -> Result<Device, CallError> {
    let mut fault = CallError::DeviceMissing { device: CAMERA };
    for node in &nodes_of(name) {
        match Device::open(node, format) {
            Ok(Some(device)) => return Ok(device),
            Ok(None) => {}
            Err(error) if tells_more(&error, &fault) => fault = error,
            Err(_) => {}
        }
    }
    Err(fault)
}

/// True when the fault of a node is told rather than that of a node before it. The first camera's own trouble tells
/// more than that of the nodes after it, but for formats that cannot be read: with those there is nothing that a person
/// could do.
fn tells_more(fault: &CallError, before: &CallError) -> bool {
    let unreadable =
        |fault: &CallError| matches!(fault, CallError::DeviceFailed { reason: DeviceReason::CameraFormats(_), .. });
    let missing = |fault: &CallError| matches!(fault, CallError::DeviceMissing { .. });
    missing(before) || (unreadable(before) && !unreadable(fault) && !missing(fault))
}

pub(super) fn whole(bytes: &[u8], width: usize, height: usize) -> Result<Planes<'_>, CallError> {
    Planes::i420(bytes, width, height).ok_or_else(|| failed(DeviceReason::DamagedPictures))
}

pub(super) const fn failed(reason: DeviceReason) -> CallError {
    CallError::DeviceFailed { device: CAMERA, reason }
}
