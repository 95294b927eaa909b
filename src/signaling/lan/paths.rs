//! Paths by which people are reached, or were last: media takes the same ones. Shared by the route's task, which notes
//! them, by the hub, which tells at which device somebody has spoken, and by the makers of media connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::identity::PeerId;
use crate::network::Path;

/// Paths remembered at most: more than are connected at once.
const MAX_PATHS: usize = 320;

#[derive(Debug)]
struct Known {
    peer: PeerId,
    /// The run of their app that the path leads to.
    run: Arc<str>,
    path: Path,
    /// Whether they spoke at this run last.
    spoke: bool,
}

/// Paths by person and run; the latest is last.
#[derive(Debug, Default)]
pub(super) struct Paths(Mutex<VecDeque<Known>>);

impl Paths {
    /// A connection to a run of somebody's app is up. Their other runs stay where they are `connected`. Where there is
    /// no more room, the run that is not and was so longest ago is forgotten.
    pub(super) fn note(&self, peer: PeerId, run: &Arc<str>, path: Path, connected: impl Fn(&PeerId, &str) -> bool) {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spoke = paths.iter().any(|known| known.spoke && known.peer == peer && known.run == *run);
        paths.retain(|known| known.peer != peer || known.run != *run && connected(&peer, &known.run));
        if paths.len() >= MAX_PATHS {
            let gone = paths.iter().position(|known| !connected(&known.peer, &known.run));
            paths.remove(gone.unwrap_or(0));
        }
        paths.push_back(Known { peer, run: Arc::clone(run), path, spoke });
    }

    /// Somebody has spoken at this run of their app.
    pub(super) fn spoke(&self, peer: &PeerId, run: &str) {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.iter().any(|known| known.peer == *peer && *known.run == *run) {
            let all = paths.iter_mut().filter(|known| known.peer == *peer);
            all.for_each(|known| known.spoke = *known.run == *run);
        }
    }

    /// The path to the run at which `peer` spoke last, or else of the latest connection.
    pub(super) fn to(&self, peer: &PeerId) -> Option<Path> {
        let paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = || paths.iter().rev().filter(|known| known.peer == *peer);
        of_peer().find(|known| known.spoke).or_else(|| of_peer().next()).map(|known| known.path)
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
        let run = Arc::from("run");
        let nobody = |_: &PeerId, _: &str| false;
        paths.note(peer(1), &run, path(1), nobody);
        paths.note(peer(1), &run, path(2), nobody);
        assert_eq!((paths.to(&peer(1)), paths.to(&peer(2))), (Some(path(2)), None));
        (2..2000).for_each(|number| paths.note(peer(number), &run, path(number), nobody));
        assert_eq!((paths.to(&peer(1)), paths.to(&peer(1999))), (None, Some(path(1999))));
        assert_eq!(paths.0.lock().unwrap().len(), MAX_PATHS);
        let connected = |id: &PeerId, _: &str| *id == peer(2000);
        (2000..4000).for_each(|number| paths.note(peer(number), &run, path(number), connected));
        assert_eq!(paths.to(&peer(2000)), Some(path(2000)), "others push out nobody who is connected");
        assert_eq!(paths.0.lock().unwrap().len(), MAX_PATHS);
        (4000..5000).for_each(|number| paths.note(peer(number), &run, path(number), |_, _| true));
        assert_eq!(paths.0.lock().unwrap().len(), MAX_PATHS);
    }

    #[test]
    fn media_takes_the_path_to_the_device_that_a_person_spoke_at() {
        let (paths, peer) = (Paths::default(), PeerId::from_bytes([1; 32]));
        let path = |port: u16| Path::new(([192, 0, 2, 1], port).into(), ([192, 0, 2, 2], port).into());
        let [desk, lap, den] = ["desk", "lap", "den"].map(Arc::from);
        let all = |_: &PeerId, _: &str| true;
        paths.note(peer, &desk, path(1), all);
        paths.note(peer, &lap, path(2), all);
        assert_eq!(paths.to(&peer), Some(path(2)), "the latest");
        paths.spoke(&peer, "desk");
        paths.spoke(&peer, "elsewhere");
        assert_eq!(paths.to(&peer), Some(path(1)));
        paths.note(peer, &lap, path(3), all);
        assert_eq!(paths.to(&peer), Some(path(1)), "another device that comes back is not where they spoke");
        paths.note(peer, &desk, path(4), all);
        assert_eq!(paths.to(&peer), Some(path(4)));
        paths.spoke(&peer, "lap");
        assert_eq!(paths.to(&peer), Some(path(3)));
        paths.note(peer, &den, path(5), |_, run| run == "den");
        assert_eq!(paths.to(&peer), Some(path(5)), "the others are gone");
    }
}
