//! An open camera: the thread that watches its capture thread, reports faults, and tries again.
//!
//! ```text
//! Camera::open -> "camera watch" thread: starts an attempt, judges it, waits a second after a fault, starts the next
//!                     `-> "camera" thread (one an attempt): opens the device, converts, fills the slots
//! ```
//!
//! A driver may block for ever, so the capture thread is never waited for without a limit. One that blocks is
//! interrupted (see `interrupt`) until it has closed its device. One that stays blocked all the same, inside its
//! driver, is given up: it is kept aside, delivers nothing any more, and until it ends no camera device is opened, so
//! that there is never more than one such thread for each camera that was open at that moment (commonly one in all).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::device::{Consent, DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason, FaultLog};
use crate::media::{MediaTime, VideoFormat};

use super::interrupt::interrupt;
use super::outputs::Outputs;
use super::rate::FpsMeter;
use super::session::{AttemptReport, End, Opened, Session, Sink};
use super::source;
use super::stop::Stop;

const CAMERA: DeviceKind = DeviceKind::Camera;
/// How long a camera may take to open and give its first picture; slow ones take 3 s.
const FIRST_PICTURE: Duration = Duration::from_secs(5);
/// A camera that gives no picture for so long has stalled.
const STALL: Duration = Duration::from_secs(2);
/// Between two attempts.
const RETRY: Duration = Duration::from_secs(1);
/// How long a capture thread may take to close its device before it is given up.
const RELEASE: Duration = Duration::from_millis(1800);
/// How long it is left to end by itself, and then between two interruptions.
const NUDGE: Duration = Duration::from_millis(60);
/// How long closing a camera may take in all.
const CLOSE: Duration = Duration::from_millis(2500);

/// Something that a person should know about the camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraEvent {
    /// The first picture was delivered; also after each reopening.
    Opened {
        /// The system's name for the camera, or the text that chooses a stand-in (`test-card`, `file:...`).
        name: String,
        /// Width of the delivered pictures, in pixels.
        width: u32,
        /// Height of the delivered pictures, in pixels.
        height: u32,
        /// Width, height and frames a second that the camera itself runs in (`None` for a test card of any size).
        device_mode: Option<(u32, u32, u32)>,
    },
    /// It does not work, or no longer, for this reason. Reported once; attempts go on about once a second.
    Fault(DeviceError),
    /// It works again (after the `Opened` that belongs to it).
    Recovered {
        /// As in `Opened`.
        name: String,
    },
}

/// A camera that is open, or being tried. Dropping it stops the capture and waits until the device is released, at
/// most 2.5 s; no picture is delivered afterwards.
#[derive(Debug)]
pub struct Camera {
    stop: Arc<Stop>,
    sink: Arc<Sink>,
    watcher: Option<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    thread: JoinHandle<()>,
    /// Disconnected when the thread ends.
    ended: Receiver<()>,
}

impl Camera {
    /// Opens `choice` in the background and returns at once. From then on each picture, of exactly the size of `format`
    /// and at most `max_fps` a second, goes to `outputs`.
    ///
    /// `events` is called on a thread of the camera's and must not block: closing waits for it. After a fault the slots
    /// keep the last picture. `DeviceChoice::None` opens nothing and reports nothing.
    pub fn open(
        _consent: &Consent,
        choice: &DeviceChoice,
        format: VideoFormat,
        outputs: Outputs,
        events: impl Fn(CameraEvent) + Send + Sync + 'static,
    ) -> Self {
        // Room for both reports of an attempt, of one that was given up, and for `Close`.
        let (reports, inbox) = sync_channel(8);
        let meter = Mutex::new(FpsMeter::default());
        let sink = Arc::new(Sink { choice: choice.clone(), format, outputs, meter, reports });
        let stop = Arc::new(Stop::default());
        let mut camera = Self { stop: Arc::clone(&stop), sink: Arc::clone(&sink), watcher: None };
        if *choice == DeviceChoice::None {
            return camera;
        }
        let events = Arc::new(events);
        let (ends, ended) = sync_channel::<()>(1);
        let mut watch =
            Watch { sink, stop, inbox, faults: FaultLog::default(), events: Arc::clone(&events), attempts: 0 };
        let spawned = std::thread::Builder::new().name("camera watch".to_owned()).spawn(move || {
            let _ends = ends;
            watch.run();
        });
        match spawned {
            Ok(thread) => camera.watcher = Some(Watcher { thread, ended }),
            Err(error) => events(CameraEvent::Fault(failed(error.to_string()))),
        }
        camera
    }

    /// Pictures a second that were delivered, over the last 2 seconds.
    pub fn measured_fps(&self) -> f32 {
        self.sink.meter.lock().unwrap_or_else(PoisonError::into_inner).fps(MediaTime::now())
    }

    /// Closes the camera, as dropping it does.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let Some(Watcher { thread, ended }) = self.watcher.take() else { return };
        self.stop.set();
        let _ = self.sink.reports.try_send((0, AttemptReport::Close));
        match ended.recv_timeout(CLOSE) {
            Err(RecvTimeoutError::Timeout) => tracing::warn!("the camera could not be closed in time"),
            _ => drop(thread.join()),
        }
    }
}

/// The watching thread's state.
struct Watch<E> {
    sink: Arc<Sink>,
    stop: Arc<Stop>,
    inbox: Receiver<(u64, AttemptReport)>,
    faults: FaultLog,
    events: Arc<E>,
    attempts: u64,
}

impl<E: Fn(CameraEvent)> Watch<E> {
    fn run(&mut self) {
        while !self.stop.is_set() {
            let fault = match self.start() {
                Ok(attempt) => self.watch(attempt),
                Err(fault) => Some(fault),
            };
            if let Some(fault) = fault {
                self.report_fault(fault);
            }
            if self.stop.wait_until(MediaTime::now() + RETRY) {
                return;
            }
        }
    }

    fn start(&mut self) -> Result<Attempt, DeviceError> {
        let is_device = matches!(self.sink.choice, DeviceChoice::SystemDefault | DeviceChoice::Named(_));
        if is_device && a_thread_is_stuck() {
            return Err(DeviceFault::Stalled.of(CAMERA));
        }
        self.attempts += 1;
        let session = Arc::new(Session {
            number: self.attempts,
            stop: Stop::default(),
            last_picture: AtomicU64::new(0),
            sink: Arc::clone(&self.sink),
        });
        let thread = std::thread::Builder::new()
            .name("camera".to_owned())
            .spawn({
                let session = Arc::clone(&session);
                move || {
                    let end = catch_unwind(AssertUnwindSafe(|| source::run(&session)))
                        .unwrap_or_else(|_| End::Fault(failed("the capture thread panicked".to_owned())));
                    session.report(AttemptReport::Ended(end));
                }
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Attempt { session: StopOnDrop(session), thread })
    }

    /// Follows an attempt to its end and returns the fault that ended it, if one did that is not reported yet.
    fn watch(&mut self, attempt: Attempt) -> Option<DeviceError> {
        let mut deadline = MediaTime::now() + FIRST_PICTURE;
        loop {
            match self.next_report(&attempt, deadline) {
                Some(AttemptReport::Opened(opened)) => self.report_opened(opened),
                Some(AttemptReport::Ended(end)) => {
                    attempt.join();
                    return match end {
                        End::Fault(fault) => Some(fault),
                        End::Stopped => None,
                    };
                }
                Some(AttemptReport::Close) => {}
                None => {
                    let last = MediaTime::from_micros(attempt.session.0.last_picture.load(Ordering::Acquire));
                    if last != MediaTime::default() && last + STALL > MediaTime::now() {
                        deadline = last + STALL;
                        continue;
                    }
                    self.report_fault(DeviceFault::Stalled.of(CAMERA));
                    self.release(attempt);
                    return None;
                }
            }
            if self.stop.is_set() {
                self.release(attempt);
                return None;
            }
        }
    }

    /// The attempt's next report; `None` once `deadline` has passed.
    fn next_report(&self, attempt: &Attempt, deadline: MediaTime) -> Option<AttemptReport> {
        loop {
            match self.inbox.recv_timeout(deadline.since(MediaTime::now())) {
                Ok((_, AttemptReport::Close)) => return Some(AttemptReport::Close),
                Ok((number, report)) if number == attempt.session.0.number => return Some(report),
                // From an attempt that was given up.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Ends an attempt, interrupting its wait; gives it up when it does not end.
    fn release(&self, attempt: Attempt) {
        attempt.session.0.stop.set();
        let give_up = MediaTime::now() + RELEASE;
        while MediaTime::now() < give_up {
            if let Some(AttemptReport::Ended(_)) = self.next_report(&attempt, MediaTime::now() + NUDGE) {
                attempt.join();
                return;
            }
            interrupt(&attempt.thread);
        }
        tracing::warn!("the camera's driver does not let go; its thread is given up");
        stuck_threads().push(attempt.thread);
    }

    fn report_opened(&mut self, opened: Opened) {
        let Opened { name, device_mode } = opened;
        let (width, height) = (self.sink.format.width & !1, self.sink.format.height & !1);
        (self.events)(CameraEvent::Opened { name: name.clone(), width, height, device_mode });
        if self.faults.recover() {
            (self.events)(CameraEvent::Recovered { name });
        }
    }

    fn report_fault(&mut self, fault: DeviceError) {
        if self.faults.fail(&fault.fault) {
            tracing::info!(?fault, "the camera does not work");
            (self.events)(CameraEvent::Fault(fault));
        }
    }
}

/// A running attempt.
struct Attempt {
    session: StopOnDrop,
    thread: JoinHandle<()>,
}

/// Nothing captures that nobody watches: however the watching thread ends, the attempt is told to stop.
struct StopOnDrop(Arc<Session>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.set();
    }
}

impl Attempt {
    /// Waits for a thread that has said its last word.
    fn join(self) {
        drop(self.thread.join());
    }
}

/// Capture threads that did not come back from their driver.
static STUCK: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

fn stuck_threads() -> std::sync::MutexGuard<'static, Vec<JoinHandle<()>>> {
    STUCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn a_thread_is_stuck() -> bool {
    let mut stuck = stuck_threads();
    stuck.retain(|thread| !thread.is_finished());
    !stuck.is_empty()
}

fn failed(text: String) -> DeviceError {
    DeviceFault::Failed(DeviceReason::System(text)).of(CAMERA)
}
