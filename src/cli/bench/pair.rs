//! Two headless processes in a call on the loopback interface, as a user's scripts would drive them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::capture::barcode;
use crate::controller::{Command, Event, ReceivedStats, SentStats, VideoChoice};
use crate::device::DeviceChoice;
use crate::identity::PeerId;
use crate::media::{Preset, StreamId};

use super::child::HeadlessChild;
use super::namespaces::Host;
use super::temporary::TemporaryDirectory;

const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Older pictures are misread ones.
const OLDEST_MS: f64 = 2500.0;

/// The camera of both: a film, or a test card of `size` (such as `1280x720`).
pub fn camera(size: &str, fps: u32, clip: Option<&Path>) -> anyhow::Result<String> {
    let Some(clip) = clip else { return Ok(format!("test-card:{size}@{fps}")) };
    anyhow::ensure!(clip.is_file(), "{} is no file; give a film in y4m to --clip.", clip.display());
    Ok(DeviceChoice::File(clip.to_owned()).to_string())
}

/// How a call was made.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When the callee pressed Answer.
    pub answered: Instant,
    /// The same moment on the clock of the traces.
    pub answered_unix_micros: u64,
    /// From there to the later first decoded picture.
    pub setup: Duration,
    /// From there to the callee's first decoded picture.
    pub setup_callee: Duration,
}

/// Pictures at one side's tile.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// From capture to the tile, in ms, of the pictures that could be read.
    pub delays: Vec<f64>,
    /// When each picture came, in microseconds of Unix time.
    pub times: Vec<u64>,
}

/// A caller and a callee, each with a profile that is removed afterwards.
pub struct Pair {
    caller: HeadlessChild,
    callee: HeadlessChild,
    profiles: [TemporaryDirectory; 2],
    /// The other person of the caller, and of the callee, once they call.
    others: Option<[PeerId; 2]>,
}

impl Pair {
    /// Starts this program twice on the loopback interface, with the same camera, a tone, no speaker, and further
    /// `arguments`.
    pub fn start(camera: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let arguments: Vec<&str> = ["--bind", "127.0.0.1"].iter().chain(arguments).copied().collect();
        Self::start_program(&std::env::current_exe()?, None, camera, &arguments)
    }

    /// The same of another `program`, each on its own host where there are `hosts`.
    pub fn start_program(
        program: &Path,
        hosts: Option<&[Host; 2]>,
        camera: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let profiles = [TemporaryDirectory::new("caller")?, TemporaryDirectory::new("callee")?];
        let usual = ["--camera", camera, "--microphone", "tone", "--speaker", "none", "--log", "error"];
        let arguments: Vec<&str> = usual.iter().chain(arguments).copied().collect();
        let start = |side: usize| {
            HeadlessChild::start(program, hosts.map(|hosts| &hosts[side]), profiles[side].path(), &arguments)
        };
        Ok(Self { caller: start(0)?, callee: start(1)?, profiles, others: None })
    }

    /// The numbers of the processes.
    pub fn pids(&self) -> [u32; 2] {
        [self.caller.pid(), self.callee.pid()]
    }

    /// Makes the call, up to the first decoded picture of both sides.
    pub fn call(&mut self, preset: Preset, fps: u32) -> anyhow::Result<Call> {
        let Self { caller, callee, .. } = self;
        let ready = |event| if let Event::Ready { id, .. } = event { Some(id) } else { None };
        let (_, caller_id) = caller.wait("ready", STEP_TIMEOUT, ready)?;
        let (_, callee_id) = callee.wait("ready", STEP_TIMEOUT, ready)?;
        caller.wait("the callee's presence", STEP_TIMEOUT, |event| {
            matches!(event, Event::Contact { id, online: true, .. } if id == callee_id).then_some(())
        })?;
        let stream =
            Command::CreateStream { audio: true, video: VideoChoice::On(preset), max_fps: Some(fps), max_kbps: None };
        for side in [&mut *caller, &mut *callee] {
            side.send(&stream)?;
            side.wait("local_stream", STEP_TIMEOUT, |event| matches!(event, Event::LocalStream { .. }).then_some(()))?;
        }
        let video = VideoChoice::On(preset);
        caller.send(&Command::Invite { to: callee_id, user_data: String::new(), audio: true, video })?;
        let (_, invite) = callee.wait("the invite", STEP_TIMEOUT, |event| match event {
            Event::Invite { invite, from, .. } if from == caller_id => Some(invite),
            _ => None,
        })?;
        let (answered, answered_unix_micros) = (Instant::now(), barcode::unix_micros());
        callee.send(&Command::Accept { invite, audio: true, video })?;
        let first_frame = |event| matches!(event, Event::FirstFrame { stream: StreamId::CAMERA, .. }).then_some(());
        let (at_callee, ()) = callee.wait("the callee's first picture", STEP_TIMEOUT, first_frame)?;
        let (at_caller, ()) = caller.wait("the caller's first picture", STEP_TIMEOUT, first_frame)?;
        self.others = Some([callee_id, caller_id]);
        let (setup, setup_callee) = (at_callee.max(at_caller) - answered, at_callee - answered);
        Ok(Call { answered, answered_unix_micros, setup, setup_callee })
    }

    /// Both sides trace the pictures at their tiles from now on.
    pub fn start_trace(&mut self) -> anyhow::Result<()> {
        self.trace(true)
    }

    /// The notes: the caller's, the callee's.
    pub fn stop_trace(&mut self) -> anyhow::Result<[Trace; 2]> {
        self.trace(false)?;
        Ok([self.caller.trace()?, self.callee.trace()?])
    }

    /// Both sides save the pictures of their tiles; `number` names the files.
    pub fn save_pictures(&mut self, number: usize) -> anyhow::Result<[PathBuf; 2]> {
        let [callee, caller] = self.others.ok_or_else(|| anyhow::anyhow!("There is no call yet."))?;
        let stream = StreamId::CAMERA;
        let files = self.profiles.each_ref().map(|folder| folder.path().join(format!("{number}.y4m")));
        self.caller.send(&Command::SavePicture { participant: callee, stream, path: files[0].clone() })?;
        self.callee.send(&Command::SavePicture { participant: caller, stream, path: files[1].clone() })?;
        Ok(files)
    }

    fn trace(&mut self, on: bool) -> anyhow::Result<()> {
        self.caller.send(&Command::TraceFrames { on })?;
        self.callee.send(&Command::TraceFrames { on })
    }

    /// The events of both sides that have come so far, the caller's first.
    pub fn drain(&self) -> impl Iterator<Item = Event> + '_ {
        self.drain_sides().into_iter().flatten().map(|(_, event)| event)
    }

    /// The events that have come so far, and when: the caller's, the callee's.
    pub fn drain_sides(&self) -> [Vec<(Instant, Event)>; 2] {
        [self.caller.drain().collect(), self.callee.drain().collect()]
    }
}

impl HeadlessChild {
    fn trace(&self) -> anyhow::Result<Trace> {
        let (_, trace) = self.wait("the trace", STEP_TIMEOUT, |event| match event {
            Event::FrameTrace { shown, times } => Some(Ok(Trace { delays: delays(&shown).collect(), times })),
            Event::ConversationDisconnected { .. } => Some(Err(anyhow::anyhow!("The call ended by itself."))),
            _ => None,
        })?;
        trace
    }
}

/// The statistics of the cameras' pictures in an event, if it has some.
pub fn stats_of(event: &Event) -> Option<(&SentStats, &ReceivedStats)> {
    match event {
        Event::Stats { stream: StreamId::CAMERA, sent, received, .. } => Some((sent, received)),
        _ => None,
    }
}

/// The delays in ms; those that can only be a misread picture are left out.
fn delays(shown: &[(u16, u64)]) -> impl Iterator<Item = f64> + '_ {
    shown.iter().map(|(_, micros)| *micros as f64 / 1000.0).filter(|&ms| ms < OLDEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_in_milliseconds_and_misread_ones_are_left_out() {
        let shown = [(1, 10_000), (2, 12_000), (3, 6_500_000), (4, 1_500)];
        assert_eq!(delays(&shown).collect::<Vec<_>>(), [10.0, 12.0, 1.5]);
    }
}
