//! Which ports of this computer apps like this one listen on. An announcement that names one of this computer's own
//! addresses proves nothing, and other services trust their own computer: only such ports are dialed there.
//!
//! On Linux each app holds an abstract Unix socket that bears its port's number: it belongs to the same network
//! namespace as the port, and is gone with the process. Elsewhere it holds a lock on a file of that name.

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    pub(super) type Held = UnixDatagram;

    fn name(port: u16) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(format!("visavis/port/{port}"))
    }

    pub(super) fn hold(port: u16) -> io::Result<Held> {
        UnixDatagram::bind_addr(&name(port)?)
    }

    pub(super) fn is_held(port: u16) -> io::Result<bool> {
        let asking = UnixDatagram::unbound()?;
        match asking.connect_addr(&name(port)?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::{File, TryLockError};
    use std::io;
    use std::path::PathBuf;

    pub(super) type Held = File;

    fn path(port: u16) -> PathBuf {
        std::env::temp_dir().join("visavis-ports").join(port.to_string())
    }

    pub(super) fn hold(port: u16) -> io::Result<Held> {
        let path = path(port);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    }

    pub(super) fn is_held(port: u16) -> io::Result<bool> {
        let path = path(port);
        if !path.is_file() {
            return Ok(false);
        }
        // Shared: others may ask at the same time.
        match File::open(path)?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// This app's listening port, known to the others of this computer while it is held.
#[derive(Debug)]
pub(super) struct LocalPort {
    /// `None` where the system refused: then those others do not find this app by this computer's own addresses.
    _held: Option<system::Held>,
}

impl LocalPort {
    /// Makes `port` known.
    pub(super) fn hold(port: u16) -> Self {
        let held = system::hold(port);
        if let Err(error) = &held {
            tracing::debug!(%error, "the listening port is not known to this computer's other apps");
        }
        Self { _held: held.ok() }
    }
}

/// Whether an app like this one listens on `port` of this computer.
pub(super) fn is_held(port: u16) -> bool {
    system::is_held(port).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_known_while_it_is_held_and_others_are_not() {
        // Below the numbers that the system gives to listeners; the names are the whole computer's, other tests' too.
        let held = 1024 + (std::process::id() % 15_000) as u16 * 2;
        let free = held + 1;
        let port = LocalPort::hold(held);
        assert!(is_held(held) && !is_held(free));
        drop(port);
        assert!(!is_held(held));
    }
}
