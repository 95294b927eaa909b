//! Search for sound devices by the names that a person reads: through PulseAudio or PipeWire where one runs, otherwise
//! through the system's own interface (ALSA, Core Audio, WASAPI).
//!
//! Each search runs on a short-lived thread of its own and is waited for at most 1 s, because a sound server that hangs
//! never answers. This module owns the one connection to the sound server, which all searches and streams share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{ErrorKind, HostId};

use super::direction::Direction;
use super::watch::WATCH;
use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceReason};
use crate::media::MediaTime;

/// A device that can be opened.
pub(crate) struct Found {
    pub(crate) device: cpal::Device,
    /// The name that a person reads.
    pub(crate) name: String,
    /// The system's identifier: equal for the same device as long as it stays plugged in.
    id: String,
    host: HostId,
}

impl Found {
    /// Its name at the sound server, where it belongs to one.
    pub(crate) fn server_id(&self) -> Option<&str> {
        is_sound_server(self.host).then_some(self.id.as_str())
    }
}

/// State of an open device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// It is there, and it is still the one that was chosen.
    Same,
    /// It is not there any more.
    Gone,
    /// The system's default is another one now.
    Replaced,
}

/// The connection is kept, because a closed one costs the PulseAudio client a thread that never ends.
static HOST: Mutex<Option<Arc<cpal::Host>>> = Mutex::new(None);

fn host() -> Arc<cpal::Host> {
    let mut host = HOST.lock().unwrap_or_else(PoisonError::into_inner);
    // Without a sound server the system's own interface serves, until a sound server is there (again).
    if host.as_ref().is_some_and(|host| !is_sound_server(host.id())) && sound_server_may_run() {
        *host = None;
    }
    Arc::clone(host.get_or_insert_with(|| Arc::new(cpal::default_host())))
}

/// Makes the next search connect to the sound server again.
fn forget_host() {
    *HOST.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Longest time of a search; an idle sound server answers within a few ms.
const SEARCH_WAIT: Duration = Duration::from_secs(1);

/// Searches that may hang at the same time; further ones find nothing until the sound server answers again.
const MAX_SEARCHES: usize = 4;

/// The result of `search`, or `None` when it takes too long.
fn bounded<R: Send + 'static>(search: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    begin(search)?.recv_timeout(SEARCH_WAIT).ok()
}

/// Starts `search` on a thread of its own; the caller's thread is unparked when the result is there.
fn begin<R: Send + 'static>(search: impl FnOnce() -> R + Send + 'static) -> Option<Receiver<R>> {
    static SEARCHES: AtomicUsize = AtomicUsize::new(0);
    if SEARCHES.fetch_add(1, Ordering::AcqRel) >= MAX_SEARCHES {
        SEARCHES.fetch_sub(1, Ordering::AcqRel);
        return None;
    }
    let (sender, found) = sync_channel(1);
    let asking = thread::current();
    let searching = thread::Builder::new().name("sound-search".to_owned()).spawn(move || {
        let result = search();
        SEARCHES.fetch_sub(1, Ordering::AcqRel);
        let _ = sender.send(result);
        asking.unpark();
    });
    if searching.is_err() {
        SEARCHES.fetch_sub(1, Ordering::AcqRel);
        return None;
    }
    Some(found)
}

/// Names of the microphones that can be chosen. May take up to 1 s; call it outside the window's thread.
pub fn list_microphones() -> Vec<String> {
    list(Direction::Input)
}

/// Names of the speakers that can be chosen. May take up to 1 s; call it outside the window's thread.
pub fn list_speakers() -> Vec<String> {
    list(Direction::Output)
}

fn list(direction: Direction) -> Vec<String> {
    let found = bounded(move || devices(direction)).unwrap_or_default();
    let mut names: Vec<String> = found.into_iter().map(|found| found.name).collect();
    names.sort();
    names
}

/// The device that `choice` means now; `None` when it is not there. A named device is never replaced by another one.
pub(crate) fn find(choice: &DeviceChoice, direction: Direction) -> Option<Found> {
    let choice = choice.clone();
    bounded(move || search(&choice, direction)).flatten()
}

fn search(choice: &DeviceChoice, direction: Direction) -> Option<Found> {
    match choice {
        DeviceChoice::SystemDefault => default_device(direction),
        DeviceChoice::Named(name) => devices(direction).into_iter().find(|found| found.name == *name),
        DeviceChoice::None | DeviceChoice::TestCard { .. } | DeviceChoice::Tone { .. } | DeviceChoice::File(_) => None,
    }
}

/// Compares an open device with what its choice means now, twice a second, and never waits for the answer: the thread
/// that looks carries the sound.
///
/// Only needed with a sound server: it moves a stream whose device goes away, and leaves one where it is when the
/// default changes, both without a word. The other systems say so through the stream.
pub(crate) struct Watcher {
    choice: DeviceChoice,
    direction: Direction,
    /// The open device; `None` where there is nothing to compare.
    open: Option<String>,
    next: Option<MediaTime>,
    answer: Option<Receiver<Option<String>>>,
}

impl Watcher {
    pub(crate) fn new(choice: &DeviceChoice, direction: Direction, open: &Found) -> Self {
        let open = is_sound_server(open.host).then(|| open.id.clone());
        Self { choice: choice.clone(), direction, open, next: None, answer: None }
    }

    /// State at `now`. The calling thread is unparked when there is more to know.
    pub(crate) fn look(&mut self, now: MediaTime) -> Watched {
        let Some(open) = &self.open else { return Watched::Same };
        match self.answer.as_ref().map(Receiver::try_recv) {
            // A server that does not answer gives no sound either: the stall is what is reported.
            Some(Err(TryRecvError::Empty)) => return Watched::Same,
            Some(Err(TryRecvError::Disconnected)) | None => {}
            Some(Ok(None)) => return Watched::Gone,
            Some(Ok(Some(now))) if now != *open => return Watched::Replaced,
            Some(Ok(Some(_))) => {}
        }
        self.answer = None;
        if now >= *self.next.get_or_insert(now + WATCH) {
            self.next = Some(now + WATCH);
            let (choice, direction) = (self.choice.clone(), self.direction);
            self.answer = begin(move || search(&choice, direction).map(|found| found.id));
        }
        Watched::Same
    }
}

fn default_device(direction: Direction) -> Option<Found> {
    let host = host();
    let device = match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    };
    let found = device.and_then(|device| described(device, host.id())).filter(|found| is_real(host.id(), &found.id));
    let doubts = &DOUBTS[match direction {
        Direction::Input => 0,
        Direction::Output => 1,
    }];
    if found.is_some() {
        doubts.end();
    } else if !devices(direction).is_empty() && is_sound_server(host.id()) && doubts.note() {
        forget_host();
    }
    found
}

/// For microphones and for speakers.
static DOUBTS: [Doubts; 2] = [Doubts::new(), Doubts::new()];

/// Times in a row that a sound server named no default that is a device, although there are devices. This may be so;
/// but a connection to PipeWire that is made while devices come and go can miss for ever that the default has changed
/// (seen with 0.3.65), and only a new one knows better.
#[derive(Debug)]
struct Doubts(AtomicUsize);

impl Doubts {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// It was so once more; true when a new connection is to be made: after the first, the second, the fourth, the
    /// eighth time and so on, because each costs a thread.
    fn note(&self) -> bool {
        (self.0.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two()
    }

    fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

fn devices(direction: Direction) -> Vec<Found> {
    let host = host();
    let Ok(all) = host.devices() else {
        forget_host();
        return Vec::new();
    };
    let mut found: Vec<Found> = all
        .filter(|device| points(device, direction))
        .filter_map(|device| described(device, host.id()))
        .filter(|found| is_real(host.id(), &found.id) && is_choosable(host.id(), &found.id))
        .collect();
    found.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    number_equal_names(&mut found);
    found
}

fn points(device: &cpal::Device, direction: Direction) -> bool {
    device.description().is_ok_and(|description| match direction {
        Direction::Input => description.supports_input(),
        Direction::Output => description.supports_output(),
    })
}

fn described(device: cpal::Device, host: HostId) -> Option<Found> {
    let name = device.description().ok()?.name().lines().next().unwrap_or_default().trim().to_owned();
    let id = device.id().ok()?.id().to_owned();
    Some(Found { device, name, id, host })
}

/// False for the devices that a sound server offers without hardware: the monitor of a speaker is no microphone (the
/// far side would hear itself), and the dummy output is no speaker.
fn is_real(host: HostId, id: &str) -> bool {
    !is_sound_server(host) || !(id.ends_with(".monitor") || id == "auto_null")
}

/// Keeps one of ALSA's many aliases for each card: with conversions, and named instead of numbered.
#[cfg(target_os = "linux")]
fn is_choosable(host: HostId, id: &str) -> bool {
    host != HostId::Alsa
        || id.strip_prefix("plughw:CARD=").is_some_and(|card| !card.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(not(target_os = "linux"))]
fn is_choosable(_host: HostId, _id: &str) -> bool {
    true
}

#[cfg(target_os = "linux")]
fn is_sound_server(host: HostId) -> bool {
    host == HostId::PulseAudio
}

#[cfg(not(target_os = "linux"))]
fn is_sound_server(_host: HostId) -> bool {
    false
}

fn sound_server_may_run() -> bool {
    cpal::available_hosts().into_iter().any(is_sound_server)
}

/// Two headsets of one model become "Headset" and "Headset (2)", in the order of their identifiers.
fn number_equal_names(sorted: &mut [Found]) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for found in sorted {
        let count = seen.entry(found.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            found.name = format!("{} ({count})", found.name);
        }
    }
}

/// Sentence about a device that exists and cannot be opened.
pub(crate) fn open_error(error: &cpal::Error, direction: Direction) -> DeviceError {
    let device = direction.kind();
    match error.kind() {
        ErrorKind::DeviceBusy => DeviceFault::Busy.of(device),
        ErrorKind::PermissionDenied => DeviceFault::Forbidden.of(device),
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceFault::Missing.of(device),
        _ if says_absent(error) => DeviceFault::Missing.of(device),
        _ => DeviceFault::Failed(DeviceReason::System(error.to_string())).of(device),
    }
}

/// ALSA's default device always exists, and leads to a sound server or a card that may not: ENOENT, ENXIO, ENODEV,
/// ECONNREFUSED, EHOSTDOWN, which come as text only.
fn says_absent(error: &cpal::Error) -> bool {
    let text = error.to_string();
    cfg!(target_os = "linux") && ["(2)", "(6)", "(19)", "(111)", "(112)"].into_iter().any(|code| text.contains(code))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hardware_is_not_offered() {
        assert!(!is_real(HostId::PulseAudio, "alsa_output.usb.monitor"), "a speaker's monitor is no microphone");
        assert!(!is_real(HostId::PulseAudio, "auto_null"));
        assert!(is_real(HostId::PulseAudio, "alsa_input.usb-headset"));
        let offered =
            ["default", "plughw:CARD=Headset,DEV=0", "plughw:CARD=0,DEV=0", "null", "dmix:CARD=Headset,DEV=0"]
                .map(|id| is_choosable(HostId::Alsa, id));
        assert_eq!(offered, [false, true, false, false, false]);
    }

    #[test]
    fn a_default_that_stays_no_device_is_doubted_less_and_less() {
        let doubts = Doubts::new();
        let doubted: Vec<usize> = (1..=3600).filter(|_| doubts.note()).collect();
        assert_eq!(doubted[..4], [1, 2, 4, 8]);
        assert_eq!(doubted.len(), 12, "an hour of searches");
        doubts.end();
        assert!(doubts.note());
    }

    #[test]
    fn a_default_that_leads_nowhere_is_a_missing_device() {
        let error = |text: &'static str| cpal::Error::with_message(ErrorKind::BackendError, text);
        let device = Direction::Output.kind();
        let down = error("ALSA function 'snd_pcm_open' failed with error 'Host is down (112)'");
        assert_eq!(open_error(&down, Direction::Output), DeviceFault::Missing.of(device));
        let other = error("ALSA function 'snd_pcm_open' failed with error 'Input/output error (5)'");
        assert!(matches!(open_error(&other, Direction::Output), DeviceError { fault: DeviceFault::Failed(_), .. }));
    }
}
