//! Servers over which people elsewhere are reached: those of the settings, and the status of each.

use crate::identity::{MAX_SERVERS, ServerLink};
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

/// Adds a server to those of the settings: the link that it is kept by, or `None` where there are as many as can be.
/// Two links to one server become one, the one with the key's hash: a key is never given up for a name.
pub(super) fn keep_server(servers: &mut Vec<ServerLink>, link: ServerLink) -> Option<ServerLink> {
    if let Some(own) = servers.iter_mut().find(|own| own.leads_where(&link)) {
        if link.key_hash().is_some() {
            *own = link;
        }
        return Some(own.clone());
    }
    if servers.len() >= MAX_SERVERS {
        return None;
    }
    servers.push(link.clone());
    Some(link)
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
    fn a_hash_takes_the_place_of_a_name_and_a_name_never_that_of_a_hash() {
        let (pinned, name) = (ServerLink::new("a", 443, b"key").unwrap(), ServerLink::by_name("a", 443).unwrap());
        let other_key = ServerLink::new("a", 443, b"other").unwrap();
        let mut servers = Vec::new();
        for (link, kept, list) in [
            (&name, &name, vec![name.clone()]),
            (&pinned, &pinned, vec![pinned.clone()]),
            (&name, &pinned, vec![pinned.clone()]),
            (&other_key, &other_key, vec![pinned.clone(), other_key.clone()]),
        ] {
            assert_eq!((keep_server(&mut servers, link.clone()).as_ref(), &servers), (Some(kept), &list));
        }
        for port in 1..=6 {
            assert!(keep_server(&mut servers, ServerLink::by_name("b", port).unwrap()).is_some());
        }
        assert_eq!(keep_server(&mut servers, ServerLink::by_name("b", 7).unwrap()), None);
        assert_eq!(servers.len(), MAX_SERVERS);
    }

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
