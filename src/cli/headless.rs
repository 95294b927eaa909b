//! `--headless`: one JSON command a line on standard input, one JSON event a line on standard output.
//!
//! This thread waits for the end: `quit`, the end of input, a reader of the events that has gone, or a signal. Commands
//! are read on a thread of their own, and events are written on another, so that a script that reads slowly never holds
//! up a call.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use serde::Serialize;

use crate::call::CallError;
use crate::controller::{Controller, Event, Handle, Options};
use crate::media::MediaTime;

use super::{command_line::CommandLine, ending, output};

/// Bytes of a command line, at most.
const MAX_LINE: usize = 64 * 1024;

/// Events that may wait for a slow reader; further ones are lost, and the log says so.
const MAX_WAITING_EVENTS: usize = 8192;

/// Statistics among these, at most: they are measured and said again two seconds later anyway, and the rest is always
/// left for what happened.
const MAX_WAITING_STATISTICS: usize = MAX_WAITING_EVENTS / 2;

/// How long the end waits for the last events to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// An event as it is printed: its fields and the time since the start.
#[derive(Serialize)]
struct Line<'a> {
    t_ms: u64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Runs until it is to end.
pub fn run(options: Options) -> anyhow::Result<()> {
    MediaTime::now();
    let (events, waiting) = EventQueue::new();
    let (writing, written) = sync_channel::<()>(1);
    // One end is enough; whoever finds the place taken has nothing to add.
    let (end, ends) = sync_channel(1);
    let dead_reader = end.clone();
    spawn("events", move || {
        if write_events(&waiting, &mut output::unbuffered(&std::io::stdout())).is_err() {
            let _ = dead_reader.try_send(());
        }
        drop(writing);
    })?;
    let sink = events.clone();
    let controller = Controller::start(options, move |event| sink.put(event), |_| {})?;
    let signaled = end.clone();
    let _hangs_up = ending::hang_up_first(controller.handle(), true, move || {
        let _ = signaled.try_send(());
    });
    let unread = end.clone();
    spawn("reader", move || {
        output::wait_until_unread();
        let _ = unread.try_send(());
    })?;
    let (handle, refusals) = (controller.handle().clone(), events.clone());
    spawn("commands", move || {
        read_commands(std::io::stdin().lock(), &handle, &refusals);
        let _ = end.try_send(());
    })?;
    // An error means that all of these threads are gone.
    let _ = ends.recv();
    ending::end_soon(0);
    controller.quit();
    events.close();
    // Whoever does not read must not keep the program from ending.
    if written.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout) {
        tracing::warn!("the last events are lost: standard output is not being read");
    }
    Ok(())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// An event on its way to the thread that writes it; `None` is the end.
type Waiting = Option<(MediaTime, Event)>;

/// The way of the events to the thread that writes them. Nobody waits on it.
#[derive(Clone)]
struct EventQueue {
    events: SyncSender<Waiting>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// The end of that way.
struct WaitingEvents {
    events: Receiver<Waiting>,
    counts: Arc<Counts>,
}

impl EventQueue {
    fn new() -> (Self, WaitingEvents) {
        // One place more, for the end.
        let (events, waiting) = sync_channel(MAX_WAITING_EVENTS + 1);
        let counts = Arc::<Counts>::default();
        (Self { events, counts: Arc::clone(&counts) }, WaitingEvents { events: waiting, counts })
    }

    fn put(&self, event: Event) {
        let Counts { waiting, lost } = &*self.counts;
        let room = match event {
            Event::Stats { .. } | Event::FrameTrace { .. } => MAX_WAITING_STATISTICS,
            _ => MAX_WAITING_EVENTS,
        };
        let is_kept = waiting.load(Ordering::Acquire) < room && {
            waiting.fetch_add(1, Ordering::AcqRel);
            self.events.try_send(Some((MediaTime::now(), event))).is_ok()
        };
        if !is_kept && lost.fetch_add(1, Ordering::AcqRel) == 0 {
            tracing::warn!("events are lost: standard output is not being read");
        }
    }

    /// No event follows.
    fn close(&self) {
        // A full queue is not being read: its end is not waited for either.
        let _ = self.events.try_send(None);
    }
}

/// Writes events as they come, until there are no more; the error is that nobody reads them. Lines that a full disk
/// refuses are lost.
fn write_events(waiting: &WaitingEvents, output: &mut impl Write) -> Result<(), output::OutputError> {
    let (mut t_ms, mut cut) = (0, false);
    for (at, event) in waiting.events.iter().map_while(std::convert::identity) {
        waiting.counts.waiting.fetch_sub(1, Ordering::AcqRel);
        // Two threads stamp events before they queue them, so one can come a moment late.
        t_ms = at.as_millis().max(t_ms);
        // The part of a line that was written before must not become a part of this one.
        let mut line = if cut { vec![b'\n'] } else { Vec::new() };
        if let Err(error) = serde_json::to_writer(&mut line, &Line { t_ms, event: &event }) {
            tracing::warn!("an event cannot be written as JSON: {error}");
            continue;
        }
        line.push(b'\n');
        match output::write_whole(output, &line) {
            Ok(()) => {
                cut = false;
                let lost = waiting.counts.lost.swap(0, Ordering::AcqRel);
                if lost > 0 {
                    tracing::warn!("{lost} events were lost: standard output was not being read");
                }
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(output::OutputError::ReaderGone),
            Err(error) => {
                if !std::mem::replace(&mut cut, true) {
                    tracing::warn!("events are lost: {error}");
                }
            }
        }
    }
    Ok(())
}

fn read_commands(input: impl Read, controller: &Handle, events: &EventQueue) {
    let mut input = BufReader::new(Patient(input));
    let mut line = Vec::new();
    loop {
        match read_line(&mut input, &mut line) {
            Ok(LineRead::End) => return,
            Err(error) => {
                tracing::info!("standard input: {error}");
                return;
            }
            Ok(LineRead::TooLong) => refuse(events, "The line is longer than 64 KiB; send a shorter one.", ""),
            Ok(LineRead::Whole) => match CommandLine::read(&line) {
                CommandLine::Empty => {}
                CommandLine::Quit => return,
                CommandLine::Command(command) => {
                    if controller.send(command).is_err() {
                        return;
                    }
                }
                CommandLine::Refused { message, command } => refuse(events, &message, &command),
            },
        }
    }
}

/// An input that waits for more also where the parent process has made the stream non-blocking.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(output::AGAIN),
                read => return read,
            }
        }
    }
}

enum LineRead {
    Whole,
    TooLong,
    End,
}

/// Reads one line into `line`, at most `MAX_LINE` bytes of it; the rest of a longer one is skipped.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<LineRead> {
    line.clear();
    let read = input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(LineRead::End);
    }
    if line.last() == Some(&b'\n') || line.len() <= MAX_LINE {
        return Ok(LineRead::Whole);
    }
    skip_line(input)?;
    Ok(LineRead::TooLong)
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        match buffer.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                input.consume(end + 1);
                return Ok(());
            }
            None => {
                let length = buffer.len();
                input.consume(length);
            }
        }
    }
}

fn refuse(events: &EventQueue, message: &str, command: &str) {
    let error = CallError::BadArgument(message.to_owned());
    events.put(Event::Error { code: error.code(), message: error.to_string(), command: command.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_over_long_line_is_skipped_whole() {
        let mut text = vec![b'x'; MAX_LINE * 3];
        text.extend_from_slice(b"\nnext\nlast");
        let mut input = BufReader::new(&text[..]);
        let mut line = Vec::new();
        assert!(matches!(read_line(&mut input, &mut line), Ok(LineRead::TooLong)));
        assert!(matches!(read_line(&mut input, &mut line), Ok(LineRead::Whole)));
        assert_eq!(line, b"next\n");
        assert!(matches!(read_line(&mut input, &mut line), Ok(LineRead::Whole)));
        assert_eq!(line, b"last");
        assert!(matches!(read_line(&mut input, &mut line), Ok(LineRead::End)));
    }

    /// Gives a byte at a time, after each of which there is nothing yet.
    struct Hesitant<'a>(&'a [u8], bool);

    impl Read for Hesitant<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(ErrorKind::WouldBlock.into()) } else { self.0.by_ref().take(1).read(buffer) }
        }
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_whole() {
        let mut input = BufReader::new(Patient(Hesitant(b"one\ntwo\n", false)));
        let mut line = Vec::new();
        for whole in [&b"one\n"[..], b"two\n"] {
            assert!(matches!(read_line(&mut input, &mut line), Ok(LineRead::Whole)));
            assert_eq!(line, whole);
        }
    }

    /// Refuses one line in the middle of it, as a disk does that is full for a moment.
    #[derive(Default)]
    struct FullOnce {
        written: Vec<u8>,
        full: Option<ErrorKind>,
    }

    impl Write for FullOnce {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            match self.full {
                Some(kind) if self.written.len() >= 5 => {
                    self.full = None;
                    Err(kind.into())
                }
                Some(_) => self.written.write(&bytes[..5]),
                None => self.written.write(bytes),
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn write_two_events(output: &mut FullOnce) -> Result<(), output::OutputError> {
        let (events, waiting) = EventQueue::new();
        events.put(Event::LocalStreamEnded {});
        events.put(Event::SpeakingMuted {});
        events.close();
        write_events(&waiting, output)
    }

    #[test]
    fn an_event_that_a_full_disk_refuses_spoils_no_other() {
        let mut output = FullOnce { full: Some(ErrorKind::StorageFull), ..FullOnce::default() };
        write_two_events(&mut output).unwrap();
        let text = String::from_utf8(output.written).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(lines[1]).unwrap()["event"], "speaking_muted");
    }

    #[test]
    fn a_reader_that_has_gone_ends_it() {
        let mut output = FullOnce { full: Some(ErrorKind::BrokenPipe), ..FullOnce::default() };
        assert!(matches!(write_two_events(&mut output), Err(output::OutputError::ReaderGone)));
    }

    #[test]
    fn statistics_that_nobody_reads_leave_room_for_what_happens() {
        let (events, waiting) = EventQueue::new();
        for _ in 0..MAX_WAITING_EVENTS {
            events.put(Event::FrameTrace { shown: Vec::new(), times: Vec::new() });
        }
        events.put(Event::LocalStreamEnded {});
        events.close();
        let kept: Vec<Event> =
            waiting.events.iter().map_while(std::convert::identity).map(|(_, event)| event).collect();
        assert_eq!(kept.len(), MAX_WAITING_STATISTICS + 1);
        assert_eq!(kept.last(), Some(&Event::LocalStreamEnded {}));
    }

    #[test]
    fn the_printed_times_never_go_back() {
        let (events, waiting) = EventQueue::new();
        for ms in [3, 5, 4, 6] {
            events.counts.waiting.fetch_add(1, Ordering::AcqRel);
            events.events.send(Some((MediaTime::from_millis(ms), Event::LocalStreamEnded {}))).unwrap();
        }
        events.close();
        let mut output = Vec::new();
        write_events(&waiting, &mut output).unwrap();
        let times: Vec<u64> = output
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok()?["t_ms"].as_u64())
            .collect();
        assert_eq!(times, [3, 5, 5, 6]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let mut text = vec![b'x'; MAX_LINE - 1];
        text.push(b'\n');
        let mut line = Vec::new();
        assert!(matches!(read_line(&mut BufReader::new(&text[..]), &mut line), Ok(LineRead::Whole)));
        assert_eq!(line.len(), MAX_LINE);
    }
}
