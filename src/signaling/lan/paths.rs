//! By which paths people are reached, or were last: media takes the same ones. Shared by the route's task, which notes
//! them, and by the makers of media connections.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::identity::PeerId;
use crate::network::Path;

/// People remembered at most: more than are connected at once.
const MAX_PATHS: usize = 320;

#[derive(Debug, Default)]
pub(super) struct Paths(Mutex<VecDeque<(PeerId, Path)>>);

impl Paths {
    /// A connection to `peer` is up. Where there is no more room, the person who is not `connected` and was so longest
    /// ago is forgotten.
    pub(super) fn note(&self, peer: PeerId, path: Path, connected: impl Fn(&PeerId) -> bool) {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paths.retain(|(known, _)| *known != peer);
        if paths.len() >= MAX_PATHS {
            let gone = paths.iter().position(|(known, _)| !connected(known));
            paths.remove(gone.unwrap_or(0));
        }
        paths.push_back((peer, path));
    }

    /// The path of the latest connection to `peer`.
    pub(super) fn to(&self, peer: &PeerId) -> Option<Path> {
        let paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paths.iter().find(|(known, _)| known == peer).map(|(_, path)| *path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_path_counts_and_few_are_remembered() {
        let paths = Paths::default();
        let path = |port: u16| Path::new(([192, 0, 2, 1], port).into(), ([192, 0, 2, 2], port).into());
        let peer = |number: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            PeerId::from_bytes(bytes)
        };
        let nobody = |_: &PeerId| false;
        paths.note(peer(1), path(1), nobody);
        paths.note(peer(1), path(2), nobody);
        assert_eq!((paths.to(&peer(1)), paths.to(&peer(2))), (Some(path(2)), None));
        (2..2000).for_each(|number| paths.note(peer(number), path(number), nobody));
        assert_eq!((paths.to(&peer(1)), paths.to(&peer(1999))), (None, Some(path(1999))));
        assert_eq!(paths.0.lock().unwrap().len(), MAX_PATHS);
        let connected = |id: &PeerId| *id == peer(2000);
        (2000..4000).for_each(|number| paths.note(peer(number), path(number), connected));
        assert_eq!(paths.to(&peer(2000)), Some(path(2000)), "others push out nobody who is connected");
        assert_eq!(paths.0.lock().unwrap().len(), MAX_PATHS);
        (4000..5000).for_each(|number| paths.note(peer(number), path(number), |_| true));
        assert_eq!(paths.0.lock().unwrap().len(), MAX_PATHS);
    }
}
