//! The camera that is a film file, played again and again at its own rate.

use std::io::BufReader;
use std::path::Path;

use super::barcode;
use super::convert::Converter;
use super::rate::{Pacer, RateLimit};
use super::session::{Opened, Session, failed, whole};
use super::test_card::stamp;
use super::y4m::Y4mReader;
use crate::device::{DeviceError, DeviceReason};
use crate::media::{FramePool, MediaTime, open_regular_file};

/// Plays `path` until `session` is stopped.
pub(super) fn run(session: &Session, path: &Path) -> Result<(), DeviceError> {
    let format = session.sink.format;
    let file = open_regular_file(path).map_err(|error| failed(DeviceReason::of_file(&error)))?;
    let mut reader = Y4mReader::new(BufReader::new(file)).map_err(failed)?;
    let header = reader.header();
    let (fps, per_second) = header.fps;
    let opened = Opened {
        name: session.sink.choice.to_string(),
        device_mode: Some((header.width as u32, header.height as u32, fps.div_ceil(per_second))),
    };
    let (mut pool, mut converter) = (FramePool::new(), Converter::default());
    let mut limit = RateLimit::new(format.max_fps);
    let mut picture = vec![0; header.frame_len()];
    let mut pacer = Pacer::new(MediaTime::now(), fps, per_second);
    let mut counter = 0_u32;
    loop {
        if !reader.read_frame(&mut picture).map_err(failed)? {
            reader.rewind().map_err(failed)?;
            continue;
        }
        let due = pacer.next(MediaTime::now());
        if session.stop.wait_until(due) {
            return Ok(());
        }
        if !limit.admit(due) {
            continue;
        }
        let frame = pool.produce(format.width, format.height, |frame| {
            frame.captured_at = MediaTime::now();
            converter.convert_film(whole(&picture, header.width, header.height)?, &header, frame);
            stamp(frame, counter, barcode::unix_micros());
            Ok(())
        })?;
        session.deliver(&frame, &opened);
        counter = counter.wrapping_add(1);
    }
}
