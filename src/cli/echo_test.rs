//! `visavis echo-test`: a call with Echo without a window, reported in words.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::controller::{Command, Controller, Event, Options, ReceivedStats, SentStats, VideoChoice, echo_id};
use crate::device::DeviceChoice;
use crate::identity::plain_text;
use crate::media::{Preset, StreamId};

use super::ending;
use super::options::CommonOptions;

/// How long each step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// The length at which a message is cut.
const MAX_MESSAGE: usize = 1000;

/// Calls Echo for `seconds` of statistics. Devices that are missing (and cameras that cannot be used) are replaced by
/// the test card, the tone and no speaker, and that is said.
pub fn run(common: &CommonOptions, seconds: u32) -> anyhow::Result<()> {
    let mut options = common.open()?;
    replace_missing_devices(&mut options)?;
    let (events, received) = sync_channel(1024);
    let controller = Controller::start(
        options,
        move |event| {
            if events.try_send(event).is_err() {
                tracing::debug!("an event came after the end");
            }
        },
        |_| {},
    )?;
    let hangs_up = ending::hang_up_first(controller.handle(), false, || {});
    let outcome = EchoTest { events: received }.run(&controller, seconds);
    controller.quit();
    drop(hangs_up);
    outcome
}

fn replace_missing_devices(options: &mut Options) -> anyhow::Result<()> {
    let cameras = crate::capture::list_cameras();
    if options.camera.is_none() && cameras.iter().all(|camera| camera.fault.is_some()) {
        let fault = cameras.iter().find_map(|camera| camera.fault.as_ref());
        say(&fault.map_or_else(|| "No camera was found.".to_owned(), ToString::to_string))?;
        say("The test card stands in for the camera.")?;
        options.camera = Some(DeviceChoice::TestCard { format: None });
    }
    if options.microphone.is_none() && crate::microphone::list_microphones().is_empty() {
        say("No microphone was found: a tone stands in for it.")?;
        options.microphone = Some(DeviceChoice::Tone { hertz: 440 });
    }
    if options.speaker.is_none() && crate::playout::list_speakers().is_empty() {
        say("No speaker was found: sound is received and measured, but not played.")?;
        options.speaker = Some(DeviceChoice::None);
    }
    Ok(())
}

fn say(sentence: &str) -> std::io::Result<()> {
    super::output::line(sentence)
}

struct EchoTest {
    events: Receiver<Event>,
}

impl EchoTest {
    fn run(&self, controller: &Controller, seconds: u32) -> anyhow::Result<()> {
        let handle = controller.handle();
        let video = VideoChoice::On(Preset::HighWide);
        handle.send(Command::Invite { to: echo_id(), user_data: String::new(), audio: true, video })?;
        say("Calling Echo, the test contact inside Visavis: it returns your picture and sound one second later.")?;
        self.wait(STEP_TIMEOUT, "Echo did not answer", |event| {
            matches!(event, Event::ConversationConnected { .. }).then_some(())
        })?;
        say("Connected: Echo answered, over a real encrypted connection inside this computer.")?;
        let (width, height) = self.wait(STEP_TIMEOUT, "no picture came back", |event| match event {
            Event::FirstFrame { stream: StreamId::CAMERA, width, height, .. } => Some((*width, *height)),
            _ => None,
        })?;
        say(&format!("The first picture came back: {width}x{height}."))?;
        let last = self.statistics(Duration::from_secs(seconds.into()))?;
        handle.send(Command::Leave)?;
        self.wait(STEP_TIMEOUT, "the call did not end", |event| {
            matches!(event, Event::ConversationDisconnected { .. }).then_some(())
        })?;
        say("Hung up: camera, microphone and connection are closed.")?;
        anyhow::ensure!(last.frames_decoded > 0, "no picture was decoded");
        say("The test call worked.")?;
        Ok(())
    }

    fn statistics(&self, duration: Duration) -> anyhow::Result<ReceivedStats> {
        let end = Instant::now() + duration;
        let mut last = None;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.events.recv_timeout(left) {
                Ok(Event::Stats { stream: StreamId::CAMERA, sent, received, .. }) => {
                    say(&in_words(&sent, &received))?;
                    last = Some(*received);
                }
                Ok(event) => tell_fault(&event)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("Visavis stopped in the middle of the call."),
            }
        }
        last.context("No statistics came from the call.")
    }

    fn wait<T>(
        &self,
        patience: Duration,
        otherwise: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + patience;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(picked) = pick(&event) {
                        return Ok(picked);
                    }
                    tell_fault(&event)?;
                }
                Err(_) => anyhow::bail!(
                    "The test call failed: {otherwise}. Run `visavis doctor` to see which part is at fault."
                ),
            }
        }
    }
}

fn tell_fault(event: &Event) -> std::io::Result<()> {
    match event {
        Event::DeviceError { message, .. }
        | Event::Error { message, .. }
        // It may hold a device's name, which may hold anything.
        | Event::ParticipantFailed { message, .. } => say(&plain_text(message, MAX_MESSAGE)),
        _ => Ok(()),
    }
}

fn in_words(sent: &SentStats, received: &ReceivedStats) -> String {
    format!(
        "Sending {}x{} at {:.0} frames/s and {:.0} kbit/s; receiving {}x{} at {:.0} frames/s, {} packets lost, {:.1} s frozen, \
         round trip {:.0} ms.",
        sent.width,
        sent.height,
        sent.fps,
        sent.kbps,
        received.width,
        received.height,
        received.fps,
        received.packets_lost,
        received.frozen_ms as f64 / 1000.0,
        received.round_trip_ms,
    )
}
