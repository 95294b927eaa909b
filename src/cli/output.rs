//! Standard output of the subcommands and of `--headless`: whole lines, and the handling of lines that nobody reads.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// Between tries where the system does not wait by itself.
pub(super) const AGAIN: Duration = Duration::from_millis(5);

/// Standard output cannot be written to.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// Its reader has gone and needs nothing more, so this is no fault.
    #[error("nobody reads what is printed any more")]
    ReaderGone,
    /// A full disk, for example.
    #[error("What is printed cannot be written: {0}. Make room, or send it elsewhere.")]
    Failed(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Failed(error),
        }
    }
}

/// Standard output, whose failures are [`OutputError`]s inside of the system's.
pub(super) fn stdout() -> Stdout {
    Stdout(unbuffered(&io::stdout()))
}

/// See [`stdout`].
pub(super) struct Stdout(Unbuffered);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let failed = |error: io::Error| io::Error::new(error.kind(), OutputError::from(error));
        write_whole(&mut self.0, bytes).map(|()| bytes.len()).map_err(failed)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints one line.
pub(super) fn line(text: &str) -> io::Result<()> {
    stdout().write_all(format!("{text}\n").as_bytes())
}

/// As `line`, where the work goes on although nobody reads the results.
pub(super) fn line_if_read(text: &str) -> io::Result<()> {
    match line(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// True of an error that tells that the reader of standard output has gone.
pub(super) fn is_unread(error: &anyhow::Error) -> bool {
    let inside =
        |error: &io::Error| error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<OutputError>);
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe && inside(error))
}

/// `stream` without the buffer and the lock that this process has for it.
#[cfg(unix)]
pub(super) fn unbuffered(stream: &impl std::os::fd::AsFd) -> Unbuffered {
    Unbuffered(stream.as_fd().try_clone_to_owned().ok().map(File::from))
}

/// `stream` without the buffer and the lock that this process has for it.
#[cfg(windows)]
pub(super) fn unbuffered(stream: &impl std::os::windows::io::AsHandle) -> Unbuffered {
    Unbuffered(stream.as_handle().try_clone_to_owned().ok().map(File::from))
}

/// A standard stream; into nowhere when the system has no descriptor left for it.
pub(super) struct Unbuffered(Option<File>);

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes all of `bytes`, waiting for a slow reader also where the parent process has made the stream non-blocking.
pub(super) fn write_whole(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(AGAIN),
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

/// Returns once nobody can read standard output any more; for as long as somebody can, or where the system does not
/// tell, it does not return.
#[cfg(unix)]
pub(super) fn wait_until_unread() {
    use std::os::fd::AsRawFd;
    let mut watched = libc::pollfd { fd: io::stdout().as_raw_fd(), events: 0, revents: 0 };
    loop {
        // SAFETY: `watched` is one valid `pollfd`, and lives across the call.
        let told = unsafe { libc::poll(&raw mut watched, 1, -1) };
        if told > 0 && watched.revents & (libc::POLLERR | libc::POLLHUP) != 0 {
            return;
        }
        if told > 0 || io::Error::last_os_error().kind() != ErrorKind::Interrupted {
            // No stream that can be watched: a failed write will tell.
            loop {
                std::thread::park();
            }
        }
    }
}

/// Returns once nobody can read standard output any more; a failed write tells that here.
#[cfg(not(unix))]
pub(super) fn wait_until_unread() {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time, and nothing every second time.
    #[derive(Default)]
    struct Slow {
        turn: u32,
        taken: Vec<u8>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.turn += 1;
            match self.turn % 3 {
                0 => Err(ErrorKind::WouldBlock.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                _ => {
                    let taken = bytes.len().min(3);
                    self.taken.extend_from_slice(&bytes[..taken]);
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_takes_little_at_a_time_gets_all() {
        let mut slow = Slow::default();
        write_whole(&mut slow, b"a line of text\n").unwrap();
        assert_eq!(slow.taken, b"a line of text\n");
    }

    #[test]
    fn a_reader_of_standard_output_that_has_gone_is_told_from_any_other() {
        let printed = |kind: ErrorKind| {
            let error = io::Error::from(kind);
            anyhow::Error::from(io::Error::new(kind, OutputError::from(error)))
        };
        assert!(is_unread(&printed(ErrorKind::BrokenPipe)));
        assert!(!is_unread(&printed(ErrorKind::StorageFull)));
        assert!(!is_unread(&io::Error::from(ErrorKind::BrokenPipe).into()), "of another pipe");
        let full = printed(ErrorKind::StorageFull).to_string();
        assert!(full.starts_with("What is printed cannot be written: "), "{full}");
    }
}
