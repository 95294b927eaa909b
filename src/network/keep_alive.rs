//! TCP keep-alive (RFC 9293, 3.8.4): the system asks for a sign of life on a silent connection, and wakes no program.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Silence before the first probe. Routers that forget silent connections wait for minutes (RFC 5382, 5).
const SILENCE: Duration = Duration::from_secs(15);
/// Between probes.
const AGAIN: Duration = Duration::from_secs(3);
/// Probes without an answer, where the system lets them be counted.
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
const PROBES: u32 = 3;

/// Has the system end a TCP connection whose far computer has been gone for 24 s.
pub fn keep_alive<'s>(socket: impl Into<SockRef<'s>>) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(SILENCE).with_interval(AGAIN);
    #[cfg(any(target_os = "linux", target_os = "macos", windows))]
    let probes = probes.with_retries(PROBES);
    socket.into().set_tcp_keepalive(&probes)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_that_is_silent_for_24_s_ends() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        keep_alive(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            let (time, interval) = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
            assert_eq!(time + interval * socket.tcp_keepalive_retries().unwrap(), Duration::from_secs(24));
        }
    }
}
