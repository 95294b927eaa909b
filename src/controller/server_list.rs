//! Servers over which people elsewhere are reached: those of the settings, and the status of each.

use crate::identity::ServerLink;
use crate::signaling::{ServerState, ServerStatus};

use super::Event;

/// Statuses of the servers, in the order of the settings.
#[derive(Debug, Default)]
pub(super) struct ServerList {
    statuses: Vec<ServerStatus>,
}

impl ServerList {
    /// Takes over the servers of the settings; one that is new is being reached.
    pub(super) fn follow(&mut self, servers: &[ServerLink]) {
        let known = std::mem::take(&mut self.statuses);
        let status = |link: &ServerLink| {
            let known = known.iter().find(|status| status.link == *link).cloned();
            known.unwrap_or_else(|| ServerStatus::new(link, ServerState::Connecting, None))
        };
        self.statuses = servers.iter().map(status).collect();
    }

    /// Notes a status; its event, unless the server was taken out meanwhile.
    pub(super) fn note(&mut self, status: ServerStatus) -> Option<Event> {
        let known = self.statuses.iter_mut().find(|known| known.link == status.link)?;
        *known = status;
        Some(event(known))
    }

    /// The event of one server.
    pub(super) fn event(&self, link: &ServerLink) -> Option<Event> {
        self.statuses.iter().find(|status| status.link == *link).map(event)
    }

    /// An event for each server.
    pub(super) fn events(&self) -> Vec<Event> {
        self.statuses.iter().map(event).collect()
    }

    /// The statuses, as the window shows them.
    pub(super) fn statuses(&self) -> Vec<ServerStatus> {
        self.statuses.clone()
    }
}

fn event(status: &ServerStatus) -> Event {
    Event::Server {
        link: status.link.clone(),
        state: status.state,
        detail: status.detail.map(|detail| detail.to_string()).unwrap_or_default(),
        round_trip_ms: status.round_trip_ms,
        clock_offset_ms: status.clock_offset_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_follow_the_settings_and_late_ones_of_others_are_none() {
        let link = |host: &str| ServerLink::new(host, 443, b"key").unwrap();
        let mut list = ServerList::default();
        list.follow(&[link("a"), link("b")]);
        let online =
            ServerStatus { state: ServerState::Online, ..ServerStatus::new(&link("b"), ServerState::Online, None) };
        assert!(list.note(online).is_some());
        list.follow(&[link("b"), link("c")]);
        let states: Vec<_> = list.statuses().iter().map(|status| status.state).collect();
        assert_eq!(states, [ServerState::Online, ServerState::Connecting]);
        assert!(list.note(ServerStatus::new(&link("a"), ServerState::Offline, None)).is_none());
        assert!(list.event(&link("a")).is_none() && list.event(&link("c")).is_some());
    }
}
