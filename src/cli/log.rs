//! The log and the messages of panics: lines on standard error, written at best effort by a thread of their own. A
//! caller never waits and never fails; a standard error that is full, closed or read by nobody costs its lines and
//! nothing else.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Lines that may wait for a slow reader; further ones are lost, which a later line tells.
const MAX_WAITING: usize = 1024;

/// How long an end waits for the last lines to be written.
pub(super) const LAST_LINES: Duration = Duration::from_secs(1);

/// Libraries that warn about ordinary events, and name addresses: below `debug` only their errors are shown, and none
/// of webrtc's, which name addresses too; its failures come as events; rustls_platform_verifier's
/// name certificates, and are told by the server's status. zbus warns where a desktop has no AT-SPI. async_nats tells
/// its errors each second; the server tells them once.
const CHATTY: &str = "rtc=error,rtc_ice=error,rtc_dtls=error,rtc_sctp=error,rtc_srtp=error,rtc_mdns=error,webrtc=off,\
                      mdns_sd=error,winit=error,rustls_platform_verifier=off,\
                      egui_system_font_provider=error,zbus=error,async_nats=off";

/// A level's name, or a filter as `tracing` writes them (`target=level`, joined by commas).
pub(super) fn parse_level(text: &str) -> anyhow::Result<String> {
    let is_level = ["off", "error", "warn", "info", "debug", "trace"].contains(&text);
    let is_filter = text.contains('=') && tracing_subscriber::EnvFilter::try_new(text).is_ok();
    anyhow::ensure!(is_level || is_filter, "use error, warn, info, debug or trace");
    Ok(text.to_owned())
}

/// Sends the log, and the messages of panics, to standard error. `level` is a level's name or a filter as `tracing`
/// writes them.
pub fn start_log(level: &str) -> anyhow::Result<()> {
    let filter = match level {
        "off" | "error" | "warn" | "info" => format!("{level},{CHATTY}"),
        // async_nats names passwords below info.
        "debug" | "trace" => format!("{level},async_nats=info"),
        _ => level.to_owned(),
    };
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|_| anyhow::anyhow!("{level:?} is no log level; use error, warn, info, debug or trace."))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| LogWriter)
        // It would tell a failed write to standard error, and panic when that fails, too.
        .log_internal_errors(false)
        .with_ansi(false)
        .init();
    std::panic::set_hook(Box::new(tell_panic));
    Ok(())
}

fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    tell(&format!("thread {:?} {panic}", thread.name().unwrap_or_default()));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        tell(&trace.to_string());
    }
    flush(LAST_LINES);
}

/// Writes a sentence for a person to standard error, behind the log's lines.
pub(super) fn tell(sentence: &str) {
    lines().put(format!("{}\n", sentence.trim_end()).into_bytes());
}

/// Waits until everything is written, for `patience` at most.
pub(super) fn flush(patience: Duration) {
    let (written, done) = sync_channel(1);
    if lines().items.try_send(Item::Flush(written)).is_ok() {
        // An error means that nobody reads, or that the thread is gone: both lose the lines.
        let _ = done.recv_timeout(patience);
    }
}

enum Item {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The way of the lines to the thread that writes them.
struct Lines {
    items: SyncSender<Item>,
    lost: &'static AtomicU64,
}

impl Lines {
    fn put(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_)) = self.items.try_send(Item::Line(line)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    static LOST: AtomicU64 = AtomicU64::new(0);
    LINES.get_or_init(|| {
        let (items, waiting) = sync_channel(MAX_WAITING);
        // Without a thread the receiver is dropped, and every line with it.
        let _ = std::thread::Builder::new().name("log".into()).spawn(move || {
            write_lines(&waiting, &LOST, &mut super::output::unbuffered(&io::stderr()));
        });
        Lines { items, lost: &LOST }
    })
}

/// Writes lines as they come; a line that cannot be written is dropped.
fn write_lines(waiting: &Receiver<Item>, lost: &AtomicU64, output: &mut impl Write) {
    for item in waiting {
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = super::output::write_whole(output, format!("{lost} lines of the log are lost here\n").as_bytes());
        }
        match item {
            Item::Line(line) => {
                let _ = super::output::write_whole(output, &line);
            }
            Item::Flush(written) => {
                let _ = written.try_send(());
            }
        }
    }
}

/// Where `tracing` writes one event after another.
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        lines().put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails as a full disk does, every second time.
    #[derive(Default)]
    struct Failing {
        turn: u32,
        written: Vec<u8>,
    }

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn % 2 == 1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_costs_itself_alone() {
        let (items, waiting) = sync_channel(8);
        let (flushed, done) = sync_channel(1);
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            items.send(Item::Line(line.into())).unwrap();
        }
        items.send(Item::Flush(flushed)).unwrap();
        drop(items);
        let mut output = Failing::default();
        write_lines(&waiting, &AtomicU64::new(0), &mut output);
        assert_eq!(output.written, b"two\nfour\n");
        assert_eq!(done.try_recv(), Ok(()), "the end does not wait for what is lost");
    }

    #[test]
    fn lines_that_nobody_reads_are_counted_and_nobody_waits() {
        let (items, waiting) = sync_channel(2);
        let lost: &'static AtomicU64 = Box::leak(Box::default());
        let lines = Lines { items, lost };
        for number in 0..5 {
            lines.put(format!("{number}\n").into_bytes());
        }
        drop(lines);
        let mut output = Vec::new();
        write_lines(&waiting, lost, &mut output);
        assert_eq!(String::from_utf8(output).unwrap(), "3 lines of the log are lost here\n0\n1\n");
    }
}
