//! Finds people on this network, and lets them find this person: mDNS-SD (RFC 6762, RFC 6763). The `mdns-sd` crate runs a
//! thread of its own; one tokio task reads what it found and tells the hub.
//!
//! What is announced: a random instance name, a random host name, the port, and a TXT record with the version and the ID.
//! The person's name is not in it: it goes only to apps that proved their key. A record proves nothing: the hub dials, and
//! shows only who answers with the right key.

use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use mdns_sd::{IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::hub::Input;
use crate::identity::PeerId;

const SERVICE: &str = "_visavis._tcp.local.";
const VERSION: &str = "1";
const MAX_ADDRESSES: usize = 8;
/// The system chooses listening ports from here on: a record that names a lower one is none of ours.
const FIRST_PORT: u16 = 1024;
const GOODBYE: Duration = Duration::from_millis(500);
/// Left alone, questions become as rare as one an hour: who comes back after an outage is to be found sooner.
const ASK_AGAIN: Duration = Duration::from_secs(60);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// This person's announcement, taken back when dropped.
pub(super) struct Discovery {
    daemon: ServiceDaemon,
    fullname: String,
    bind: Option<IpAddr>,
    said_goodbye: bool,
}

impl Discovery {
    /// Announces `id` at `port`. `instance` is a random text.
    pub(super) fn start(id: PeerId, instance: &str, port: u16, bind: Option<IpAddr>) -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        if let Some(address) = bind.filter(|address| !address.is_unspecified()) {
            daemon.disable_interface(IfKind::All)?;
            daemon.enable_interface(match address {
                IpAddr::V4(address) if address.is_loopback() => IfKind::LoopbackV4,
                IpAddr::V6(address) if address.is_loopback() => IfKind::LoopbackV6,
                address => IfKind::Addr(address),
            })?;
        }
        let id = id.to_string();
        let properties = [("v", VERSION), ("id", &id)];
        let host = format!("{instance}.local.");
        let mut service = match bind.filter(|address| !address.is_unspecified()) {
            Some(address) => ServiceInfo::new(SERVICE, instance, &host, address, port, &properties[..])?,
            None => ServiceInfo::new(SERVICE, instance, &host, "", port, &properties[..])?.enable_addr_auto(),
        };
        // The names are random: nobody else has them, and asking first would only take time.
        service.set_requires_probe(false);
        let fullname = service.get_fullname().to_owned();
        daemon.register(service)?;
        Ok(Self { daemon, fullname, bind, said_goodbye: false })
    }

    /// A task that tells the hub who comes and goes, until it is aborted.
    pub(super) fn browse(&self, own: PeerId, hub: mpsc::Sender<Input>) -> impl Future<Output = ()> + Send + use<> {
        let (daemon, bind) = (self.daemon.clone(), self.bind);
        async move {
            while !hub.is_closed() {
                match daemon.browse(SERVICE) {
                    // The subscription ends by itself when too much came at once; what is there is told again.
                    Ok(found) => {
                        if timeout(ASK_AGAIN, report(found, own, bind, &hub)).await.is_err() {
                            continue;
                        }
                    }
                    Err(error) => tracing::debug!(%error, "cannot look for people on this network"),
                }
                sleep(AFTER_FAILURE).await;
            }
        }
    }

    /// Takes the announcement back and waits, for at most a second, until the others were told.
    pub(super) async fn say_goodbye(mut self) {
        self.said_goodbye = true;
        if let Ok(done) = self.daemon.unregister(&self.fullname) {
            let _ = timeout(GOODBYE, done.recv_async()).await;
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = timeout(GOODBYE, done.recv_async()).await;
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        if !self.said_goodbye {
            let _ = self.daemon.unregister(&self.fullname);
            let _ = self.daemon.shutdown();
        }
    }
}

async fn report(found: Receiver<ServiceEvent>, own: PeerId, bind: Option<IpAddr>, hub: &mpsc::Sender<Input>) {
    while let Ok(event) = found.recv_async().await {
        let input = match event {
            ServiceEvent::ServiceResolved(service) => announced(&service, own, uses_loopback(bind)),
            ServiceEvent::ServiceRemoved(_, fullname) => Some(Input::Lost { fullname }),
            _ => None,
        };
        if let Some(input) = input
            && hub.send(input).await.is_err()
        {
            return;
        }
    }
}

/// Whether this side keeps to its own computer: it was told to, or there is no network.
fn uses_loopback(bind: Option<IpAddr>) -> bool {
    match bind.filter(|address| !address.is_unspecified()) {
        Some(address) => address.is_loopback(),
        None => if_addrs::get_if_addrs().is_ok_and(|all| {
            all.iter().all(|interface| interface.is_loopback() || interface.is_link_local() && interface.ip().is_ipv6())
        }),
    }
}

/// Somebody on the network must not be able to make this computer dial itself: addresses of this computer's own count only
/// with `loopback`.
fn announced(service: &ResolvedService, own: PeerId, loopback: bool) -> Option<Input> {
    let id: PeerId = service.get_property_val_str("id")?.parse().ok()?;
    let version = service.get_property_val_str("v")?;
    if id == own || version != VERSION || service.port < FIRST_PORT {
        return None;
    }
    let addresses = service.addresses.iter().filter(|address| is_near(address.to_ip_addr(), loopback));
    let mut addresses: Vec<_> = addresses.map(|address| with_port(address, service.port)).collect();
    // IPv4 first: every listener takes it. Sorted, so that the same announcement compares equal.
    addresses.sort_unstable();
    addresses.truncate(MAX_ADDRESSES);
    (!addresses.is_empty()).then(|| Input::Found { fullname: service.fullname.clone(), peer: id, addresses })
}

fn with_port(address: &ScopedIp, port: u16) -> SocketAddr {
    match address {
        ScopedIp::V6(scoped) if scoped.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*scoped.addr(), port, 0, scoped.scope_id().index).into()
        }
        address => SocketAddr::new(address.to_ip_addr(), port),
    }
}

/// A record can name any address in the world: only such are dialed as can be on this network.
fn is_near(address: IpAddr, loopback: bool) -> bool {
    match address.to_canonical() {
        address if address.is_loopback() => loopback,
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || shares_network(v4.into(), 24),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unique_local() || shares_network(v6.into(), 64),
    }
}

/// Whether this computer would reach an address from one that has the same first `bits`. Sends nothing.
fn shares_network(address: IpAddr, bits: u32) -> bool {
    if address.is_multicast() || address.is_unspecified() {
        return false;
    }
    let any: SocketAddr = match address {
        IpAddr::V4(_) => ([0; 4], 0).into(),
        IpAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let local = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((address, FIRST_PORT))?;
        socket.local_addr()
    });
    match (address, local.map(|local| local.ip())) {
        (IpAddr::V4(far), Ok(IpAddr::V4(near))) => (far.to_bits() ^ near.to_bits()) >> (32 - bits) == 0,
        (IpAddr::V6(far), Ok(IpAddr::V6(near))) => (far.to_bits() ^ near.to_bits()) >> (128 - bits) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, version: &str, address: &str, port: u16) -> ResolvedService {
        ServiceInfo::new(SERVICE, "abc", "abc.local.", address, port, &[("v", version), ("id", id)][..])
            .unwrap()
            .as_resolved_service()
    }

    #[test]
    fn only_records_of_this_app_and_this_network_count() {
        let (own, other) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        let by = |loopback, id: &str, version, address, port| {
            announced(&record(id, version, address, port), own, loopback).is_some()
        };
        let accepted = |id: &str, version, address, port| by(false, id, version, address, port);
        let id = other.to_string();
        assert!(accepted(&id, "1", "192.168.1.7", 40_000));
        assert!(by(true, &id, "1", "127.0.0.1", 40_000));
        for own_computer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert!(!accepted(&id, "1", own_computer, 40_000), "{own_computer}");
        }
        assert!(!accepted(&own.to_string(), "1", "192.168.1.7", 40_000));
        assert!(!accepted(&id, "2", "192.168.1.7", 40_000));
        assert!(!accepted(&id, "1", "192.168.1.7", 80));
        assert!(!accepted(&id, "1", "224.0.0.1", 40_000));
        assert!(!accepted(&id, "1", "0.0.0.0", 40_000));
        assert!(!accepted("nobody", "1", "192.168.1.7", 40_000));
        assert!(!accepted(&id.replace(&other.short(), "aaaaaaaa"), "1", "192.168.1.7", 40_000));
    }
}
