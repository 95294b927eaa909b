//! Relays of the servers that this side is connected to, and the server by which each person is reached. Shared by the
//! route's task, which notes them, and by the makers of media connections.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::input::Access;
use crate::identity::PeerId;

/// People remembered at most.
const MAX_PEOPLE: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Relays(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    servers: HashMap<u64, Access>,
    ways: VecDeque<(PeerId, u64)>,
}

impl Relays {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server's relay may be used, or no more.
    pub(super) fn set(&self, server: u64, access: Option<Access>) {
        let mut state = self.lock();
        match access {
            Some(access) => drop(state.servers.insert(server, access)),
            None => drop(state.servers.remove(&server)),
        }
    }

    /// Somebody is reached over this server now.
    pub(super) fn note_way(&self, peer: PeerId, server: u64) {
        let mut state = self.lock();
        state.ways.retain(|(known, _)| *known != peer);
        if state.ways.len() >= MAX_PEOPLE {
            state.ways.pop_front();
        }
        state.ways.push_back((peer, server));
    }

    /// The relay of the server over which somebody is, or was last, reached: both ends are known there.
    pub(super) fn to(&self, peer: &PeerId) -> Option<Access> {
        let server = self.server_of(peer)?;
        self.lock().servers.get(&server).cloned()
    }

    /// The server over which somebody is, or was last, reached. It stays known when they go.
    pub(super) fn server_of(&self, peer: &PeerId) -> Option<u64> {
        self.lock().ways.iter().find(|(known, _)| known == peer).map(|(_, server)| *server)
    }
}
