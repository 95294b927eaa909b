//! `visavis doctor`: a check of each part that a call needs. One line each; exit status 0 only when no line says
//! "problem": "limited" says that calls work, some of them less well. A device that is set to `none` is no problem.

mod servers;

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::controller::{Command, Controller, Event, VideoChoice, echo_id};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind};
use crate::identity::plain_text;
use crate::media::Preset;
use crate::network::{self, ProxyRules, Standing};
use crate::store::Settings;

use self::servers::{Finding, Mark};
use super::ending;
use super::options::CommonOptions;

/// How long devices may take to open, and how long Echo may take to return a picture.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(10);
const OFFLINE: &str = "there is no network; only people on this computer can be found";
/// How long a microphone is listened to: silence is told after four seconds.
const LISTENING: Duration = Duration::from_secs(5);
/// The length at which a finding is cut.
const MAX_FINDING: usize = 1000;
const SILENT: &str = "gave no answer in time.";

/// Opens each device once, calls Echo once, and reports the results.
pub fn run(common: &CommonOptions) -> anyhow::Result<()> {
    let options = common.open()?;
    let bind = options.bind;
    let (folder, shared) = (options.profile.dir().display().to_string(), options.profile.others_can_write());
    let (events, received) = sync_channel(1024);
    let sink = move |event| {
        if events.try_send(event).is_err() {
            tracing::debug!("an event came after the end");
        }
    };
    let controller = Controller::start(options, sink, |_| {})?;
    let _hangs_up = ending::hang_up_first(controller.handle(), false, || {});
    let checkup = Checkup { events: received, late: RefCell::default() };
    let works = profile(&controller, &folder, shared)?
        & checkup.identity()?
        & checkup.people()?
        & servers(&controller, bind)?
        & checkup.capture(&controller)?
        & speaker(&controller)?
        & checkup.echo(&controller)?
        & checkup.late()?;
    controller.quit();
    anyhow::ensure!(ending::interrupted().is_none(), "The check was interrupted.");
    anyhow::ensure!(works, "Not everything works; the lines above say what to do.");
    Ok(())
}

/// Prints a result; gives `works` back.
fn line(works: bool, part: &str, finding: &str) -> std::io::Result<bool> {
    marked(if works { Mark::Works } else { Mark::Problem }, part, finding)?;
    Ok(works)
}

fn marked(mark: Mark, part: &str, finding: &str) -> std::io::Result<()> {
    let mark = match mark {
        Mark::Works => "ok     ",
        Mark::Limited => "limited",
        Mark::Problem => "problem",
    };
    // Anything that an interrupted check has not found is no problem.
    if ending::interrupted().is_none() {
        // A finding may hold a device's name, which may hold anything.
        super::output::line_if_read(&format!("{mark}  {part:<11} {}", plain_text(finding, MAX_FINDING)))?;
    }
    Ok(())
}

/// Prints the findings about the servers of this profile, and the ways of media to them.
fn servers(controller: &Controller, bind: Option<IpAddr>) -> anyhow::Result<bool> {
    let servers = settings(controller).servers;
    if servers.is_empty() {
        return Ok(line(true, "servers", "none; people on other networks are not reached")?);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let findings = runtime.block_on(servers::examine(&servers, bind, ProxyRules::from_environment()));
    let mut works = true;
    for Finding { mark, part, words } in &findings {
        marked(*mark, part, words)?;
        works &= *mark != Mark::Problem;
    }
    Ok(works)
}

fn none_as_asked(part: &str) -> std::io::Result<bool> {
    line(true, part, "none, as asked")
}

fn settings(controller: &Controller) -> Settings {
    controller.handle().snapshot().map(|snapshot| snapshot.settings.clone()).unwrap_or_default()
}

fn speaker(controller: &Controller) -> std::io::Result<bool> {
    let plugged_in = crate::playout::list_speakers();
    match settings(controller).speaker {
        DeviceChoice::None => none_as_asked("speaker"),
        ref choice @ DeviceChoice::File(ref path) => match crate::playout::check_recording(path) {
            Ok(()) => line(true, "speaker", &choice.to_string()),
            Err(reason) => {
                let error = DeviceFault::Failed(reason).of(DeviceKind::Speaker);
                line(false, "speaker", &error.sentence(choice))
            }
        },
        DeviceChoice::Tone { .. } | DeviceChoice::TestCard { .. } => {
            line(false, "speaker", "A tone or a test card is no speaker. Choose another one in Settings.")
        }
        DeviceChoice::Named(name) if !plugged_in.contains(&name) => {
            line(false, "speaker", &format!("{name} was not found; plug it in, or choose another one."))
        }
        DeviceChoice::Named(name) => line(true, "speaker", &name),
        DeviceChoice::SystemDefault => {
            let first = plugged_in.first().map_or("none was found; plug one in to hear the others.", String::as_str);
            line(!plugged_in.is_empty(), "speaker", first)
        }
    }
}

/// Whether changes are kept, and by this person alone.
fn profile(controller: &Controller, folder: &str, shared: bool) -> std::io::Result<bool> {
    let finding = match controller.unsaved() {
        Some(reason) => reason.to_owned(),
        None if shared => {
            format!("others can write to {folder} and act in your name; make it yours alone (chmod 700).")
        }
        None => return line(true, "profile", folder),
    };
    line(false, "profile", &finding)
}

struct Checkup {
    events: Receiver<Event>,
    /// Faults of no command that came while something else was waited for.
    late: RefCell<Vec<String>>,
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

    /// The first event after `ready` is an error if people cannot be found, and a contact otherwise.
    fn people(&self) -> anyhow::Result<bool> {
        let fault = self.wait(|event| match event {
            Event::Error { message, command, .. } if command.is_empty() => Some(Some(message.clone())),
            Event::Contact { .. } => Some(None),
            _ => None,
        });
        let works = fault == Some(None);
        let finding = fault.unwrap_or_else(|| Some(SILENT.to_owned()));
        let own = network::local_addresses();
        let offline = own.iter().all(|own| own.ip.is_loopback() || own.standing == Standing::Down);
        let searched = if offline { OFFLINE } else { "this network is being searched" };
        self.late.borrow_mut().clear();
        line(works, "people", &finding.unwrap_or_else(|| searched.to_owned()))?;
        Ok(works)
    }

    /// A search that began and does not work shows seconds later.
    fn late(&self) -> anyhow::Result<bool> {
        let late = std::mem::take(&mut *self.late.borrow_mut());
        for fault in &late {
            line(false, "people", fault)?;
        }
        Ok(late.is_empty())
    }

    fn capture(&self, controller: &Controller) -> anyhow::Result<bool> {
        let video = VideoChoice::On(Preset::HighWide);
        controller.handle().send(Command::CreateStream { audio: true, video, max_fps: None, max_kbps: None })?;
        let mut faults = Vec::new();
        let stream = self.wait(|event| match event {
            Event::DeviceError { device, message, .. } => {
                faults.push((*device, message.clone()));
                None
            }
            Event::LocalStream { camera, microphone, width, height, .. } => {
                let camera = (!camera.is_empty()).then(|| format!("{camera}, {width}x{height}"));
                Some((camera, Some(microphone.clone()).filter(|name| !name.is_empty())))
            }
            _ => None,
        });
        let (camera, microphone) = stream.unwrap_or_default();
        let settings = settings(controller);
        let listens = matches!(settings.microphone, DeviceChoice::SystemDefault | DeviceChoice::Named(_));
        let silent = listens && microphone.is_some() && self.microphone_is_silent();
        let mut works = true;
        for (part, kind, choice, found) in [
            ("camera", DeviceKind::Camera, settings.camera, camera),
            ("microphone", DeviceKind::Microphone, settings.microphone, microphone),
        ] {
            let fault = faults.iter().find(|(device, _)| *device == kind).map(|(_, message)| message.as_str());
            works &= match (choice, &found) {
                (DeviceChoice::None, _) => none_as_asked(part)?,
                (_, Some(name)) if kind == DeviceKind::Microphone && silent => line(
                    false,
                    part,
                    &format!("{name} gives only silence; check its mute switch and the system's sound settings."),
                )?,
                (_, Some(name)) => line(true, part, name)?,
                (_, None) => line(false, part, fault.unwrap_or(SILENT))?,
            };
        }
        Ok(works)
    }

    /// Whether the microphone, which has just been opened, gives nothing but zeros.
    fn microphone_is_silent(&self) -> bool {
        self.wait_for(LISTENING, |event| matches!(event, Event::MicrophoneSilent { on: true, .. }).then_some(()))
            .is_some()
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

    fn wait<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.wait_for(DEVICE_TIMEOUT, pick)
    }

    fn wait_for<T>(&self, patience: Duration, mut pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        let end = Instant::now() + patience;
        loop {
            let event = self.events.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            if let Event::Error { message, command, .. } = &event
                && command.is_empty()
            {
                self.late.borrow_mut().push(message.clone());
            }
            if let Some(picked) = pick(&event) {
                return Some(picked);
            }
        }
    }
}
