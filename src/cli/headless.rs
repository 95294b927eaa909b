//! `--headless`: one JSON command a line on standard input, one JSON event a line on standard output.
//!
//! Three threads: this one reads commands, the controller's makes events, and a writer prints them, so that a script
//! that reads slowly never holds up a call.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use serde::Serialize;

use crate::call::CallError;
use crate::controller::{Command, Controller, Event, Options};
use crate::media::MediaTime;

/// Bytes of a command line, at most.
const MAX_LINE: usize = 64 * 1024;

/// Events that may wait for a slow reader; further ones are lost, and the log says so.
const MAX_WAITING_EVENTS: usize = 8192;

/// How long the end waits for the last events to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// An event as it is printed: its fields and the time since the start.
#[derive(Serialize)]
struct Line<'a> {
    t_ms: u64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Runs until `quit` or the end of input.
pub fn run(options: Options) -> anyhow::Result<()> {
    MediaTime::now();
    let (events, waiting) = sync_channel(MAX_WAITING_EVENTS);
    let (writing, written) = sync_channel::<()>(1);
    std::thread::Builder::new().name("events".into()).spawn(move || {
        write_events(&waiting, &mut std::io::stdout().lock());
        drop(writing);
    })?;
    let sink = event_sink(events.clone());
    let controller = Controller::start(options, sink, |_| {})?;
    read_commands(std::io::stdin().lock(), &controller, &events);
    controller.quit();
    drop(events);
    // Whoever does not read must not keep the program from ending.
    if written.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout) {
        tracing::warn!("the last events are lost: standard output is not being read");
    }
    Ok(())
}

fn event_sink(events: SyncSender<(MediaTime, Event)>) -> impl Fn(Event) + Send + 'static {
    move |event| {
        if events.try_send((MediaTime::now(), event)).is_err() {
            tracing::warn!("an event was lost: standard output is not being read");
        }
    }
}

fn write_events(waiting: &Receiver<(MediaTime, Event)>, output: &mut impl Write) {
    let mut t_ms = 0;
    for (at, event) in waiting {
        // Two threads stamp events before they queue them, so one can come a moment late.
        t_ms = at.as_millis().max(t_ms);
        let line = Line { t_ms, event: &event };
        let written = serde_json::to_writer(&mut *output, &line)
            .map_err(std::io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
            .and_then(|()| output.flush());
        if written.is_err() {
            return;
        }
    }
}

fn read_commands(input: impl Read, controller: &Controller, events: &SyncSender<(MediaTime, Event)>) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        match read_line(&mut input, &mut line) {
            Ok(LineRead::End) | Err(_) => return,
            Ok(LineRead::TooLong) => refuse(events, "The line is longer than 64 KiB; send a shorter one.", ""),
            Ok(LineRead::Whole) => {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                match serde_json::from_slice::<Command>(&line) {
                    Ok(Command::Quit) => return,
                    Ok(command) => {
                        if controller.handle().send(command).is_err() {
                            return;
                        }
                    }
                    Err(error) => refuse(events, &format!("This is not a command: {error}."), &command_name(&line)),
                }
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

/// The `command` field of a line that is no command, if it has one.
fn command_name(line: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(line)
        .ok()
        .and_then(|value| value.get("command")?.as_str().map(|name| name.chars().take(64).collect()))
        .unwrap_or_default()
}

fn refuse(events: &SyncSender<(MediaTime, Event)>, message: &str, command: &str) {
    let error = CallError::BadArgument(message.to_owned());
    let event = Event::Error { code: error.code(), message: error.to_string(), command: command.to_owned() };
    if events.try_send((MediaTime::now(), event)).is_err() {
        tracing::warn!("an event was lost: standard output is not being read");
    }
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

    #[test]
    fn the_printed_times_never_go_back() {
        let (events, waiting) = sync_channel(4);
        for ms in [3, 5, 4, 6] {
            events.send((MediaTime::from_millis(ms), Event::LocalStreamEnded {})).unwrap();
        }
        drop(events);
        let mut output = Vec::new();
        write_events(&waiting, &mut output);
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
