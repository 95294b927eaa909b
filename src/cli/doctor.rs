//! `visavis doctor`: a check of each part that a call needs. One line each; exit status 0 only when no line says
//! "problem". A device that is set to `none` is no problem.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::controller::{Command, Controller, Event, ServerState, VideoChoice, echo_id};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind};
use crate::identity::{ServerLink, plain_text};
use crate::media::Preset;
use crate::network::{self, Standing};
use crate::store::Settings;

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
        & checkup.servers(&controller)?
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
    let mark = if works { "ok     " } else { "problem" };
    // Anything that an interrupted check has not found is no problem.
    if ending::interrupted().is_none() {
        // A finding may hold a device's name, which may hold anything.
        super::output::line_if_read(&format!("{mark}  {part:<11} {}", plain_text(finding, MAX_FINDING)))?;
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

/// Finding about a server.
#[derive(Debug, PartialEq)]
struct ServerFinding {
    link: ServerLink,
    works: bool,
    words: String,
}

impl ServerFinding {
    /// The finding that an event gives about one of these servers; `None` while it is still being reached.
    fn of(event: &Event, asked: &[ServerLink]) -> Option<Self> {
        let Event::Server { link, state, detail, round_trip_ms, clock_offset_ms } = event else { return None };
        if !asked.contains(link) || *state == ServerState::Connecting {
            return None;
        }
        let address = link.address();
        let words = if *state == ServerState::Online {
            let round_trip_ms = round_trip_ms.unwrap_or_default();
            let ahead_s = clock_offset_ms.unwrap_or_default() as f64 / 1000.0;
            let clock = match detail.as_str() {
                "" => format!("clocks agree to {:.1} s", ahead_s.abs()),
                detail => format!("its clock is {ahead_s:.0} s ahead of this computer's. {detail}"),
            };
            format!("{address} is reached over TCP in {round_trip_ms} ms, {clock}")
        } else {
            format!("{address}: {detail}")
        };
        Some(Self { link: link.clone(), works: *state == ServerState::Online, words })
    }
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

    /// Whether each server of this profile lets this side in, how far it is, and whether its clock agrees.
    fn servers(&self, controller: &Controller) -> anyhow::Result<bool> {
        let mut left = settings(controller).servers;
        if left.is_empty() {
            line(true, "servers", "none; people on other networks are not reached")?;
        }
        controller.handle().send(Command::Servers)?;
        let mut works = true;
        while !left.is_empty() {
            let Some(status) = self.wait(|event| ServerFinding::of(event, &left)) else { break };
            left.retain(|link| *link != status.link);
            works &= line(status.works, "server", &status.words)?;
        }
        for link in &left {
            works &= line(false, "server", &format!("{}: {SILENT}", link.address()))?;
        }
        Ok(works)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_finding_once_it_was_reached_or_was_not() {
        let link = |host: &str| ServerLink::new(host, 443, b"key").unwrap();
        let event = |state, detail: &str, offset_ms| Event::Server {
            link: link("a.example"),
            state,
            detail: detail.to_owned(),
            round_trip_ms: (state == ServerState::Online).then_some(23),
            clock_offset_ms: (state == ServerState::Online).then_some(offset_ms),
        };
        let finding = |event: &Event| ServerFinding::of(event, &[link("a.example")]);
        assert_eq!(finding(&event(ServerState::Connecting, "", 0)), None);
        assert_eq!(ServerFinding::of(&event(ServerState::Online, "", 0), &[link("b.example")]), None);
        let online = finding(&event(ServerState::Online, "", -400)).unwrap();
        assert_eq!(online.words, "a.example:443 is reached over TCP in 23 ms, clocks agree to 0.4 s");
        let differ = finding(&event(ServerState::Online, "Check the clock.", -90_400)).unwrap();
        assert!(
            differ.works && differ.words.ends_with("its clock is -90 s ahead of this computer's. Check the clock.")
        );
        for state in [ServerState::Offline, ServerState::Refused] {
            let absent = finding(&event(state, "It does not answer.", 0)).unwrap();
            assert_eq!((absent.works, absent.words.as_str()), (false, "a.example:443: It does not answer."));
        }
    }
}
