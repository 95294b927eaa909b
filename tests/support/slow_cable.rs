//! Cable with a delay between two computers in software: a TAP interface at each end, and threads in between that hand
//! each Ethernet frame on when its time has come. Everything is delayed, TCP's handshakes too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Frames on their way at most; further ones are lost.
const ON_THE_WAY: usize = 8192;
/// Bytes of a frame at most.
const MAX_FRAME: usize = 2048;

/// The delay each way of the cables of routers, in milliseconds: `VISAVIS_NAT_CABLE`.
pub fn delay() -> Duration {
    let ms = std::env::var("VISAVIS_NAT_CABLE").ok().map_or(0.0, |ms| ms.parse().expect("milliseconds"));
    Duration::from_secs_f64(ms / 1000.0)
}

/// Lays a cable between two namespaces, each with the name of its interface. It lasts until one of them is gone.
pub fn lay(ends: [(&str, &str); 2], delay: Duration) -> io::Result<()> {
    let [near, far] = ends.map(|(space, interface)| open(space, interface));
    let (near, far) = (near?, far?);
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let (frames, due) = sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
        thread::spawn(move || read(from, &frames, delay));
        thread::spawn(move || {
            let mut to = to;
            for (time, frame) in due {
                thread::sleep(time.saturating_duration_since(Instant::now()));
                // The interface may be down.
                let _lost = to.write(&frame);
            }
        });
    }
    Ok(())
}

fn read(mut from: File, frames: &SyncSender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut frame = [0; MAX_FRAME];
    loop {
        match from.read(&mut frame) {
            Ok(length) => drop(frames.try_send((Instant::now() + delay, frame[..length].to_vec()))),
            Err(error) if error.raw_os_error() == Some(libc::EIO) => thread::sleep(Duration::from_millis(1)),
            // Its namespace is gone.
            Err(_) => return,
        }
    }
}

/// Makes a TAP interface in a namespace.
fn open(space: &str, interface: &str) -> io::Result<File> {
    let namespace = File::open(format!("/var/run/netns/{space}"))?;
    let entered = || {
        // SAFETY: the descriptor is that of a network namespace, and lives through the call.
        if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let tun = File::options().read(true).write(true).open("/dev/net/tun")?;
        // SAFETY: all zeros are a valid value of it.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, byte) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *to = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the descriptor is open, and the request is the one that TUNSETIFF takes.
        if unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &request) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(tun)
    };
    thread::scope(|scope| scope.spawn(entered).join()).expect("a thread in a namespace")
}
