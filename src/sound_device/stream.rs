//! The real-time stream of a device, of any rate, channels and sample format, with a lock-free ring behind it.
//!
//! The callbacks here run on the system's real-time thread. Opening and releasing run on short-lived threads of their
//! own with a bounded wait, because the system's calls can block without end: the PulseAudio client waits for the first
//! sound of a microphone that gives none, and for a goodbye to a stream that the server has killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize};
use rtrb::{Consumer, Producer, RingBuffer};

use super::channel_map::{channels_to_open, is_of_inputs};
use super::host::open_error;
use super::{Direction, Downmix, Found, Heart};
use crate::device::{DeviceError, DeviceFault, DeviceReason};
use crate::media::SAMPLE_RATE;

/// How long opening may take before the device counts as giving nothing.
const OPEN_WAIT: Duration = Duration::from_secs(3);

/// Openings that may be stuck in the system at the same time; further ones fail at once until it answers again.
const MAX_OPENING: usize = 3;

/// How long releasing is waited for; it goes on by itself after that.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// Request to the system between opening the stream and giving up.
const BUILD_WAIT: Duration = Duration::from_secs(2);

/// An open device; dropping it releases the device.
pub(crate) struct DeviceStream(Option<cpal::Stream>);

/// The sound that a microphone gave: one channel at the device's rate.
pub(crate) struct RecordRing {
    pub(crate) samples: Consumer<f32>,
    pub(crate) rate: u32,
}

/// The sound that a speaker will take: one channel at the device's rate.
pub(crate) struct PlayRing {
    pub(crate) samples: Producer<f32>,
    pub(crate) rate: u32,
}

/// The threads that a stream wakes.
#[derive(Clone)]
pub(crate) struct Wakes {
    /// After each callback.
    pub(crate) data: Thread,
    /// At the first callback of a speaker, and after each report of trouble.
    pub(crate) owner: Thread,
}

impl Drop for DeviceStream {
    fn drop(&mut self) {
        let Some(stream) = self.0.take() else { return };
        let (released, wait) = sync_channel(1);
        let spawned = thread::Builder::new().name("sound-release".to_owned()).spawn(move || {
            drop(stream);
            let _ = released.send(());
        });
        if spawned.is_ok() && wait.recv_timeout(RELEASE_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the sound system takes long to release a device");
        }
    }
}

/// Opens a microphone. `wakes.data` is unparked after each callback.
pub(crate) fn open_input(
    found: &Found,
    heart: &Arc<Heart>,
    wakes: Wakes,
) -> Result<(DeviceStream, RecordRing), DeviceError> {
    let (device, heart, source) = (found.device.clone(), Arc::clone(heart), found.server_id().map(str::to_owned));
    within_limit(Direction::Input, move || {
        let (config, format) = choose_config(&device, Direction::Input)?;
        let (config, downmix) = with_every_channel(config, source.as_deref());
        with_fitting_buffer(config, |config| {
            let (producer, samples) = RingBuffer::new(config.sample_rate as usize / 2);
            let ring = RecordRing { samples, rate: config.sample_rate };
            let stream = build_input(&device, config, format, (producer, downmix.clone()), &heart, &wakes)?;
            Ok((stream, ring))
        })
    })
}

/// How a microphone is opened so that each of its channels comes, and how they become one. Where nobody knows their
/// positions, more than two are the inputs of an interface. `source` is its name at a sound server, which may know.
fn with_every_channel(config: StreamConfig, source: Option<&str>) -> (StreamConfig, Downmix) {
    let (channels, rate) = (config.channels, config.sample_rate);
    if channels <= 2 || source.is_some_and(|id| !is_of_inputs(id)) {
        return (config, Downmix::mean(channels.into(), rate));
    }
    let channels = if source.is_some() { channels_to_open(channels) } else { channels };
    (StreamConfig { channels, ..config }, Downmix::sum(channels.into(), rate))
}

/// Opens a speaker. `wakes.data` is unparked after each callback.
pub(crate) fn open_output(
    found: &Found,
    heart: &Arc<Heart>,
    wakes: Wakes,
) -> Result<(DeviceStream, PlayRing), DeviceError> {
    let (device, heart) = (found.device.clone(), Arc::clone(heart));
    within_limit(Direction::Output, move || {
        let (config, format) = choose_config(&device, Direction::Output)?;
        with_fitting_buffer(config, |config| {
            let (samples, consumer) = RingBuffer::new(config.sample_rate as usize);
            let ring = PlayRing { samples, rate: config.sample_rate };
            let stream = build_output(&device, config, format, consumer, &heart, &wakes)?;
            Ok((stream, ring))
        })
    })
}

/// Runs `open` on its own thread. A stream that comes after the limit is released at once.
fn within_limit<R: Send + 'static>(
    direction: Direction,
    open: impl FnOnce() -> Result<(cpal::Stream, R), cpal::Error> + Send + 'static,
) -> Result<(DeviceStream, R), DeviceError> {
    let device = direction.kind();
    let opening = Opening::begin().ok_or(DeviceFault::Stalled.of(device))?;
    let (opened, wait) = sync_channel(1);
    thread::Builder::new()
        .name("sound-open".to_owned())
        .spawn(move || {
            let result = open().and_then(|(stream, ring)| {
                stream.play()?;
                Ok((DeviceStream(Some(stream)), ring))
            });
            drop(opening);
            let _ = opened.send(result);
        })
        .map_err(|error| DeviceFault::Failed(DeviceReason::System(error.to_string())).of(device))?;
    match wait.recv_timeout(OPEN_WAIT) {
        Ok(Ok(open)) => Ok(open),
        Ok(Err(error)) => {
            tracing::debug!(%error, kind = ?error.kind(), ?direction, "a sound device does not open");
            Err(open_error(&error, direction))
        }
        Err(_) => Err(DeviceFault::Stalled.of(device)),
    }
}

/// One opening under way; each costs a thread until the system answers.
struct Opening(());

static OPENING: AtomicUsize = AtomicUsize::new(0);

impl Opening {
    fn begin() -> Option<Self> {
        let before = OPENING.fetch_add(1, Ordering::AcqRel);
        // One too many is taken back as it is dropped.
        let begun = Self(());
        (before < MAX_OPENING).then_some(begun)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Tries 10 ms of device buffer first, then the device's own preference.
fn with_fitting_buffer<R>(
    config: StreamConfig,
    mut build: impl FnMut(StreamConfig) -> Result<R, cpal::Error>,
) -> Result<R, cpal::Error> {
    match build(config) {
        Err(error) if error.kind() == ErrorKind::UnsupportedConfig && config.buffer_size != BufferSize::Default => {
            build(StreamConfig { buffer_size: BufferSize::Default, ..config })
        }
        result => result,
    }
}

/// The device's own channels; 48 kHz in 32-bit float where it offers that, otherwise its own rate and format.
fn choose_config(device: &cpal::Device, direction: Direction) -> Result<(StreamConfig, SampleFormat), cpal::Error> {
    let own = match direction {
        Direction::Input => device.default_input_config()?,
        Direction::Output => device.default_output_config()?,
    };
    let offers = |range: cpal::SupportedStreamConfigRange| {
        range.channels() == own.channels()
            && range.sample_format() == SampleFormat::F32
            && (range.min_sample_rate()..=range.max_sample_rate()).contains(&SAMPLE_RATE)
    };
    let as_inside = match direction {
        Direction::Input => device.supported_input_configs().is_ok_and(|mut ranges| ranges.any(offers)),
        Direction::Output => device.supported_output_configs().is_ok_and(|mut ranges| ranges.any(offers)),
    };
    let (sample_rate, format) =
        if as_inside { (SAMPLE_RATE, SampleFormat::F32) } else { (own.sample_rate(), own.sample_format()) };
    let buffer_size = match own.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => {
            BufferSize::Fixed((sample_rate / 100).clamp(*min, *max))
        }
        _ => BufferSize::Default,
    };
    Ok((StreamConfig { channels: own.channels(), sample_rate, buffer_size }, format))
}

/// Calls a generic function for the sample type that `format` names.
macro_rules! for_format {
    ($format:expr, $function:ident($($argument:expr),*)) => {
        match $format {
            SampleFormat::I8 => $function::<i8>($($argument),*),
            SampleFormat::I16 => $function::<i16>($($argument),*),
            SampleFormat::I24 => $function::<cpal::I24>($($argument),*),
            SampleFormat::I32 => $function::<i32>($($argument),*),
            SampleFormat::U8 => $function::<u8>($($argument),*),
            SampleFormat::U16 => $function::<u16>($($argument),*),
            SampleFormat::U32 => $function::<u32>($($argument),*),
            SampleFormat::F32 => $function::<f32>($($argument),*),
            SampleFormat::F64 => $function::<f64>($($argument),*),
            _ => Err(cpal::Error::new(ErrorKind::UnsupportedConfig)),
        }
    };
}

fn build_input(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    ring: (Producer<f32>, Downmix),
    heart: &Arc<Heart>,
    wakes: &Wakes,
) -> Result<cpal::Stream, cpal::Error> {
    for_format!(format, build_input_of(device, config, ring, heart, wakes))
}

fn build_input_of<T: SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    (mut ring, mut downmix): (Producer<f32>, Downmix),
    heart: &Arc<Heart>,
    wakes: &Wakes,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let (channels, rate) = (usize::from(config.channels.max(1)), config.sample_rate.max(1));
    let (beating, thread) = (Arc::clone(heart), wakes.data.clone());
    let on_data = move |data: &[T], info: &cpal::InputCallbackInfo| {
        let frames = data.len() / channels;
        let (called, captured) = (info.timestamp().callback, info.timestamp().capture);
        // That of the last sample: the first one was captured longer ago by what lies between them.
        let length = Duration::from_micros(frames as u64 * 1_000_000 / u64::from(rate));
        beating.note_latency(called.duration_since(captured).saturating_sub(length));
        let room = ring.slots().min(frames);
        if let Ok(chunk) = ring.write_chunk_uninit(room) {
            let samples = data.chunks_exact(channels);
            chunk
                .fill_from_iter(samples.map(|frame| downmix.mix(frame.iter().map(|&sample| f32::from_sample(sample)))));
        }
        beating.beat(frames, frames - room);
        thread.unpark();
    };
    device.build_input_stream(config, on_data, on_trouble(heart, wakes), Some(BUILD_WAIT))
}

fn build_output(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    ring: Consumer<f32>,
    heart: &Arc<Heart>,
    wakes: &Wakes,
) -> Result<cpal::Stream, cpal::Error> {
    for_format!(format, build_output_of(device, config, ring, heart, wakes))
}

fn build_output_of<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: Consumer<f32>,
    heart: &Arc<Heart>,
    wakes: &Wakes,
) -> Result<cpal::Stream, cpal::Error> {
    let channels = usize::from(config.channels.max(1));
    let (beating, wakes_in_callback) = (Arc::clone(heart), wakes.clone());
    let on_data = move |data: &mut [T], info: &cpal::OutputCallbackInfo| {
        let frames = data.len() / channels;
        beating.note_latency(info.timestamp().playback.duration_since(info.timestamp().callback));
        let ready = ring.slots().min(frames);
        let (sounding, silent) = data.split_at_mut(ready * channels);
        if let Ok(chunk) = ring.read_chunk(ready) {
            for (frame, sample) in sounding.chunks_exact_mut(channels).zip(chunk) {
                spread(sample, frame);
            }
        }
        silent.fill(T::EQUILIBRIUM);
        if beating.beat(frames, frames - ready) {
            wakes_in_callback.owner.unpark();
        }
        wakes_in_callback.data.unpark();
    };
    device.build_output_stream(config, on_data, on_trouble(heart, wakes), Some(BUILD_WAIT))
}

fn on_trouble(heart: &Arc<Heart>, wakes: &Wakes) -> impl FnMut(cpal::Error) + Send + 'static {
    let (heart, thread) = (Arc::clone(heart), wakes.owner.clone());
    move |error| {
        heart.report(error.kind());
        thread.unpark();
    }
}

/// The same on the left and on the right; nothing on the other channels of a surround system.
fn spread<T: Sample + FromSample<f32>>(sample: f32, frame: &mut [T]) {
    for (channel, out) in frame.iter_mut().enumerate() {
        *out = if channel < 2 { T::from_sample(sample) } else { T::EQUILIBRIUM };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_channel_becomes_left_and_right() {
        let mut mono = [0_i16; 1];
        spread(0.5, &mut mono);
        assert_eq!(mono, [16_384]);
        let mut surround = [1_u8; 6];
        spread(0.0, &mut surround);
        assert_eq!(surround, [128; 6], "silence of unsigned samples is in the middle");
        spread(0.5, &mut surround);
        assert_eq!(surround, [192, 192, 128, 128, 128, 128]);
    }
}
