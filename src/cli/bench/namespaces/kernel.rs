//! Network namespaces and TAP interfaces as Linux makes them; other systems have none.

#[cfg(target_os = "linux")]
pub use linux::{enter_namespace, leave_namespace, open_tap};
#[cfg(not(target_os = "linux"))]
pub use others::{enter_namespace, leave_namespace, open_tap};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    /// Puts this thread into a new network namespace, and opens that.
    ///
    /// # Errors
    ///
    /// When this process may not make one: `EPERM` without `CAP_SYS_ADMIN`.
    pub fn leave_namespace() -> io::Result<File> {
        // SAFETY: unshare has no preconditions; the new namespace is this thread's alone.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        File::open("/proc/thread-self/ns/net")
    }

    /// Puts this thread into a network namespace.
    pub fn enter_namespace(namespace: &File) -> io::Result<()> {
        // SAFETY: the descriptor is open while it is borrowed.
        check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
    }

    /// Makes the TAP interface `name` in the namespace of this thread. Its frames, in both directions, are those of the
    /// file, whose reads do not wait. It goes when the file is closed.
    pub fn open_tap(name: &str) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        // SAFETY: a request of zeros is a valid one.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the request is an `ifreq`, as TUNSETIFF takes it, and lives until the call returns.
        check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
        Ok(file)
    }

    fn check(result: libc::c_int) -> io::Result<()> {
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(not(target_os = "linux"))]
mod others {
    use std::fs::File;
    use std::io;

    /// Always fails.
    pub fn leave_namespace() -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Always fails.
    pub fn enter_namespace(_: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Always fails.
    pub fn open_tap(_: &str) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
