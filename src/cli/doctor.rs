//! `visavis doctor`: does each part that a call needs work? One line each; exit status 0 only when a call can be made.

use std::io::Write;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::call::DeviceKind;
use crate::controller::{Command, Controller, Event, VideoChoice, echo_id};
use crate::media::Preset;

use super::CommonOptions;

/// How long devices may take to open, and how long Echo may take to return a picture.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens each device once, calls Echo once, and says what it found.
pub fn run(common: &CommonOptions) -> anyhow::Result<()> {
    let options = common.open()?;
    line(true, "profile", &options.profile.dir().display().to_string())?;
    let (events, received) = sync_channel(1024);
    let sink = move |event| {
        if events.try_send(event).is_err() {
            tracing::debug!("an event came after the end");
        }
    };
    let controller = Controller::start(options, sink, |_| {})?;
    let checkup = Checkup { events: received };
    let works = checkup.identity()? & checkup.devices(&controller)? & checkup.echo(&controller)?;
    controller.quit();
    anyhow::ensure!(works, "Not everything works; the lines above say what to do.");
    Ok(())
}

fn line(works: bool, part: &str, finding: &str) -> std::io::Result<()> {
    let mark = if works { "ok     " } else { "problem" };
    writeln!(std::io::stdout().lock(), "{mark}  {part:<11} {finding}")
}

struct Checkup {
    events: Receiver<Event>,
}

impl Checkup {
    fn identity(&self) -> anyhow::Result<bool> {
        let ready = self.wait(|event| match event {
            Event::Ready { id, .. } => Some(id.short()),
            _ => None,
        });
        line(ready.is_some(), "identity", &ready.clone().unwrap_or_else(|| "did not start".to_owned()))?;
        Ok(ready.is_some())
    }

    /// A missing device is no problem of the program: a call can be made without it. It is said all the same.
    fn devices(&self, controller: &Controller) -> anyhow::Result<bool> {
        let video = VideoChoice::On(Preset::HighWide);
        controller.handle().send(Command::CreateStream { audio: true, video, max_fps: None, max_kbps: None })?;
        let mut faults = Vec::new();
        let stream = self.wait(|event| match event {
            Event::DeviceError { device, message, .. } => {
                faults.push((*device, message.clone()));
                None
            }
            Event::LocalStream { camera, microphone, width, height, .. } => {
                Some((camera.clone(), microphone.clone(), (*width, *height)))
            }
            _ => None,
        });
        let (camera, microphone, (width, height)) = stream.unwrap_or_default();
        let fault = |kind| faults.iter().find(|(device, _)| *device == kind).map(|(_, message)| message.clone());
        let silent = || "gave no answer in time.".to_owned();
        let shown = if camera.is_empty() {
            fault(DeviceKind::Camera).unwrap_or_else(silent)
        } else {
            format!("{camera}, {width}x{height}")
        };
        line(!camera.is_empty(), "camera", &shown)?;
        let heard = if microphone.is_empty() {
            fault(DeviceKind::Microphone).unwrap_or_else(silent)
        } else {
            microphone.clone()
        };
        line(!microphone.is_empty(), "microphone", &heard)?;
        let speakers = crate::playout::list_speakers();
        let speaker = speakers.first().map_or("none was found; plug one in to hear the others.", String::as_str);
        line(!speakers.is_empty(), "speaker", speaker)?;
        Ok(!camera.is_empty() && !microphone.is_empty())
    }

    fn echo(&self, controller: &Controller) -> anyhow::Result<bool> {
        let started = Instant::now();
        let video = VideoChoice::On(Preset::HighWide);
        controller.handle().send(Command::Invite { to: echo_id(), user_data: String::new(), audio: true, video })?;
        let connected =
            self.wait(|event| matches!(event, Event::ConversationConnected { .. }).then(|| started.elapsed()));
        let finding = match connected {
            Some(after) => format!("Echo answered, connected after {} ms", after.as_millis()),
            None => "Echo could not be reached: a firewall may block this computer's own network.".to_owned(),
        };
        line(connected.is_some(), "connection", &finding)?;
        controller.handle().send(Command::Leave)?;
        Ok(connected.is_some())
    }

    fn wait<T>(&self, mut pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            let event = self.events.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            if let Some(picked) = pick(&event) {
                return Some(picked);
            }
        }
    }
}
