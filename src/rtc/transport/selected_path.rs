//! Selected path: the pair of addresses between which RTP and RTCP travel. Another pair is another network path, of
//! which nothing is known (RFC 9000, 9.4).
//!
//! The engine emits no event for a pair that the ICE agent selects without a restart, but the pair shows in the socket.
//! Called on the tokio task of one peer connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use super::dtls_record::is_media;
use crate::rtc::path::PathState;

/// Watches the departures of one peer connection, whichever of its sockets they take.
#[derive(Debug)]
pub(in crate::rtc) struct SelectedPath {
    path: Arc<PathState>,
    /// The latest pair, and how often packets had taken another path then.
    latest: Mutex<Option<(SocketAddr, SocketAddr, u32)>>,
}

impl SelectedPath {
    /// Watches for `path`, which is reset when the pair changes.
    pub(in crate::rtc) fn new(path: Arc<PathState>) -> Self {
        Self { path, latest: Mutex::default() }
    }

    /// A datagram leaves from a local address to a remote one, or to a relay, without whose wrapping it is given.
    pub(super) fn note(&self, datagram: &[u8], from: SocketAddr, to: SocketAddr) {
        if !is_media(datagram) {
            return;
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.path.changes();
        // After a restart the path has been reset already.
        if latest.is_some_and(|(own, far, before)| (own, far) != (from, to) && before == changes) {
            self.path.changed();
        }
        *latest = Some((from, to, self.path.changes()));
    }

    /// An ICE restart gives the pair up.
    pub(in crate::rtc) fn forget(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// This side's address of the pair; `None` before any media.
    pub(in crate::rtc) fn local(&self) -> Option<IpAddr> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).map(|(own, ..)| own.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_pair_resets_the_path_once_and_what_is_no_media_never() {
        let path = Arc::new(PathState::default());
        let selected = SelectedPath::new(Arc::clone(&path));
        let address = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let (rtp, stun, dtls) = ([0x80; 20], [0; 20], [22; 20]);
        assert_eq!(selected.local(), None);
        selected.note(&rtp, address(1), address(2));
        assert_eq!(selected.local(), Some(address(1).ip()));
        for other in [&stun, &dtls] {
            selected.note(other, address(1), address(3));
        }
        selected.note(&[], address(1), address(3));
        assert_eq!(path.changes(), 0, "the first pair, and checks of another one");
        for (from, to, changes) in [(1, 3, 1), (1, 3, 1), (4, 3, 2), (1, 2, 3)] {
            selected.note(&rtp, address(from), address(to));
            assert_eq!(path.changes(), changes, "{from} to {to}");
        }
        path.changed();
        selected.note(&rtp, address(5), address(6));
        assert_eq!(path.changes(), 4, "a restart has reset it");
        selected.forget();
        assert_eq!(selected.local(), None);
        selected.note(&rtp, address(7), address(8));
        assert_eq!(path.changes(), 4, "the first pair after a restart");
    }
}
