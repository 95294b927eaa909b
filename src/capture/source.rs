//! Sources of an attempt to capture: a camera, the test card, or a film. Each opens, delivers pictures until it is told
//! to stop, and says how it ended.

use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::{FramePool, MediaTime, VideoFormat, VideoFrame};

use super::barcode;
use super::cameras::nodes_of;
use super::convert::Converter;
use super::device::Device;
use super::film_file;
use super::rate::{Pacer, RateLimit};
use super::session::{End, Opened, Session, failed, whole};
use super::test_card::{TestCard, stamp};

/// Damaged buffers in a row after which a camera counts as failed (some give a few at the start).
const MAX_DAMAGED: u32 = 30;

/// Captures for `session` until its end and returns why. Reports nothing but the first picture.
pub fn run(session: &Session) -> End {
    let result = match &session.sink.choice {
        DeviceChoice::SystemDefault => run_device(session, None),
        DeviceChoice::Named(name) => run_device(session, Some(name)),
        DeviceChoice::TestCard { format } => run_test_card(session, *format),
        DeviceChoice::File(path) => film_file::run(session, path),
        DeviceChoice::None | DeviceChoice::Tone { .. } => Err(failed(DeviceReason::WrongKind)),
    };
    match result {
        Ok(()) => End::Stopped,
        Err(_) if session.stop.is_set() => End::Stopped,
        Err(fault) => End::Fault(fault),
    }
}

fn run_device(session: &Session, name: Option<&str>) -> Result<(), DeviceError> {
    let format = session.sink.format;
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
            Err(error) if error.is_interruption() && !session.stop.is_set() => continue,
            Err(error) if error.is_interruption() => return Ok(()),
            Err(error) => return Err(error.into_fault(true)),
        };
        if session.stop.is_set() {
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
                session.deliver(&frame, &opened);
            }
            Err(error) => damaged = count_damaged(damaged, &error.to_string())?,
        }
    }
}

fn run_test_card(session: &Session, card_format: Option<(u32, u32, u32)>) -> Result<(), DeviceError> {
    let format = session.sink.format;
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
        Opened { name: session.sink.choice.to_string(), device_mode: card_format.map(|_| (width, height, fps)) };
    let mut pacer = Pacer::new(MediaTime::now(), fps, 1);
    let mut counter = 0_u32;
    loop {
        if session.stop.wait_until(pacer.next(MediaTime::now())) {
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
        session.deliver(&frame, &opened);
        counter = counter.wrapping_add(1);
    }
}

/// One more damaged buffer in a row; an error when that is too many.
fn count_damaged(before: u32, why: &str) -> Result<u32, DeviceError> {
    tracing::debug!(why, "a picture of the camera is damaged");
    if before == MAX_DAMAGED { Err(failed(DeviceReason::DamagedPictures)) } else { Ok(before + 1) }
}

/// Opens the first camera of that name (of any name without one) that can be opened.
fn open_device(name: Option<&str>, format: VideoFormat) -> Result<Device, DeviceError> {
    let mut fault = DeviceFault::Missing.of(DeviceKind::Camera);
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
fn tells_more(fault: &DeviceError, before: &DeviceError) -> bool {
    let unreadable = |fault: &DeviceError| {
        matches!(fault, DeviceError { fault: DeviceFault::Failed(DeviceReason::CameraFormats(_)), .. })
    };
    let missing = |fault: &DeviceError| matches!(fault, DeviceError { fault: DeviceFault::Missing, .. });
    missing(before) || (unreadable(before) && !unreadable(fault) && !missing(fault))
}
