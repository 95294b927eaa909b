//! One life of the mDNS daemon: started, watched, and ended when it does not work, has died, or has grown too large.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mdns_sd::{DaemonEvent, IfKind, IfPredicate, Metrics, Receiver, ServiceDaemon, ServiceEvent, ServiceInfo};
use socket2::{Domain, Socket, Type};
use tokio::time::{sleep, timeout};

use super::record::{SERVICE, announced, uses_loopback};
use super::report::Told;
use crate::identity::PeerId;
use crate::network::{self, LocalAddress, Standing};
use crate::signaling::lan::input::Input;
use crate::signaling::route::DiscoveryFault;
use crate::signaling::version::Versions;

/// UDP port of multicast DNS (RFC 6762, 3).
const PORT: u16 = 5353;
/// Interfaces on which people are looked for at most. The system lets a socket join twenty groups of IPv4
/// (net.ipv4.igmp_max_memberships), and takes them as they come: containers' bridges must not take the network's place.
const MAX_INTERFACES: usize = 16;
/// Between looks at the daemon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// This computer's addresses are taken to be the same for as long.
const LIST_AGAIN: Duration = Duration::from_millis(250);
/// Between looks at a port that is taken in part.
const PORT_AGAIN: Duration = Duration::from_secs(5);
/// Left alone, questions become as rare as one an hour: who comes back after an outage is to be found sooner.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// The same after the first search in which too many people were announced; twice as long after each further one.
const ASK_AGAIN_CROWDED: Duration = Duration::from_secs(5);
/// An announcement has left by then, if it can leave at all.
const ANNOUNCED_BY: Duration = Duration::from_secs(3);
/// For an answer of the daemon.
const ANSWER: Duration = Duration::from_secs(2);
/// Records of all services of the network that the daemon keeps at most: a thousand devices announce fewer. It has no
/// bound of its own, so it begins anew.
const MAX_RECORDS: i64 = 10_000;
/// Announcements among these with which a question is asked again. The daemon first tells all that it knows, two events
/// each, and gives up, without asking, when that is more than the thousand events that a subscription holds.
const MAX_TOLD_AGAIN: i64 = 400;

/// The announcement, by any daemon.
pub(super) struct Announcement {
    pub(super) id: PeerId,
    pub(super) bind: Option<IpAddr>,
    service: ServiceInfo,
}

/// Why a session ended.
pub(super) enum End {
    /// It has served; another one begins at once.
    Anew,
    /// It does not work; another one is tried after a while.
    Fault,
}

impl Announcement {
    pub(super) fn new(id: PeerId, instance: &str, port: u16, bind: Option<IpAddr>) -> Result<Self, mdns_sd::Error> {
        let text = id.to_string();
        let properties = [("v", Versions::OWN.max.to_string()), ("id", text)];
        let host = format!("{instance}.local.");
        let mut service = match bind.filter(|address| !address.is_unspecified()) {
            Some(address) => ServiceInfo::new(SERVICE, instance, &host, address, port, &properties[..])?,
            None => ServiceInfo::new(SERVICE, instance, &host, "", port, &properties[..])?.enable_addr_auto(),
        };
        // The names are random: nobody else has them, and asking first would only take time.
        service.set_requires_probe(false);
        Ok(Self { id, bind, service })
    }

    pub(super) fn fullname(&self) -> &str {
        self.service.get_fullname()
    }
}

/// Announces and looks for people until something is wrong. The daemon is in `current` meanwhile.
pub(super) async fn run(
    announcement: &Announcement,
    current: &Mutex<Option<ServiceDaemon>>,
    told: &mut Told,
) -> Result<End, mdns_sd::Error> {
    let port_fault = ports_fault(announcement.bind);
    let daemon = ServiceDaemon::new()?;
    *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon.clone());
    let bound = announcement.bind.is_some_and(|address| !address.is_unspecified());
    let began = Instant::now();
    let mut watch =
        Watch { began, announced: false, interface_came: false, port_fault, port_checked: began, announcements: 0 };
    let monitor = daemon.monitor()?;
    choose_interfaces(&daemon, announcement.bind)?;
    daemon.register(announcement.service.clone())?;
    let mut own = OwnAddresses { listed: Instant::now(), own: network::local_addresses() };
    // Beside the events: a subscription that is not read for a moment during a flood is lost.
    let mut looked = pin!(look_after(Duration::ZERO, &daemon));
    loop {
        let found = daemon.browse(SERVICE)?;
        let asked = Instant::now();
        while asked.elapsed() < ask_again(watch.announcements, told.crowded) {
            tokio::select! {
                event = found.recv_async() => match event {
                    Ok(event) => report(event, announcement, own.fresh(), told).await,
                    // The subscription ends by itself when too much came at once; what is there is told again.
                    Err(_) => break,
                },
                Ok(event) = monitor.recv_async() => watch.note(&event, bound),
                health = &mut looked => {
                    looked.set(look_after(LOOK_EVERY, &daemon));
                    match watch.judge(health, announcement.bind, Instant::now()) {
                        None if watch.announced => told.silent = false,
                        None => {}
                        Some(Verdict::Anew) => return Ok(End::Anew),
                        // The daemon announces nothing on an interface that comes up later, when it was told which.
                        Some(Verdict::Silent) if !std::mem::replace(&mut told.silent, true) => return Ok(End::Anew),
                        Some(Verdict::Silent | Verdict::Dead) => {
                            told.tell(Some(DiscoveryFault::NoMulticast)).await;
                            return Ok(End::Fault);
                        }
                    }
                    if watch.announced || !told.silent {
                        told.tell(watch.port_fault).await;
                    }
                }
            }
        }
        if watch.announcements > MAX_TOLD_AGAIN {
            tracing::debug!("too many people are announced on this network: the search begins anew");
            told.crowded = told.crowded.saturating_add(1);
            return Ok(End::Anew);
        }
        told.crowded = 0;
    }
}

/// How long after a question the next one is asked, when so many `announcements` are kept, and `crowded` searches
/// before this one kept too many. The announcements that a flood left are forgotten soon; in a network of so many
/// people the search seldom begins anew.
fn ask_again(announcements: i64, crowded: u32) -> Duration {
    if announcements > MAX_TOLD_AGAIN {
        ASK_AGAIN_CROWDED.saturating_mul(1 << crowded.min(10)).min(ASK_AGAIN)
    } else {
        ASK_AGAIN
    }
}

/// This computer's addresses, listed anew from time to time: anybody can announce any number of people.
struct OwnAddresses {
    listed: Instant,
    own: Vec<LocalAddress>,
}

impl OwnAddresses {
    fn fresh(&mut self) -> &[LocalAddress] {
        if self.listed.elapsed() >= LIST_AGAIN {
            *self = Self { listed: Instant::now(), own: network::local_addresses() };
        }
        &self.own
    }
}

async fn report(event: ServiceEvent, announcement: &Announcement, own: &[LocalAddress], told: &Told) {
    let input = match event {
        ServiceEvent::ServiceResolved(service) => {
            let (id, port) = (announcement.id, announcement.service.get_port());
            announced(&service, id, port, uses_loopback(announcement.bind, own), own)
        }
        ServiceEvent::ServiceRemoved(_, fullname) => Some(Input::Lost { fullname }),
        _ => None,
    };
    if let Some(input) = input {
        // The route's task is gone only when everything is being closed.
        let _ = told.lan.send(input).await;
    }
}

/// Has the daemon use the interface that was asked for, or those that lead to people.
fn choose_interfaces(daemon: &ServiceDaemon, bind: Option<IpAddr>) -> Result<(), mdns_sd::Error> {
    daemon.disable_interface(IfKind::All)?;
    daemon.enable_interface(match bind.filter(|address| !address.is_unspecified()) {
        Some(IpAddr::V4(address)) if address.is_loopback() => IfKind::LoopbackV4,
        Some(IpAddr::V6(address)) if address.is_loopback() => IfKind::LoopbackV6,
        Some(address) => IfKind::Addr(address),
        None => {
            // Asked for each address of each look at the interfaces: one ranking serves them all.
            let own = Mutex::new(OwnAddresses { listed: Instant::now(), own: network::local_addresses() });
            IfKind::Predicate(IfPredicate::new(move |interface| {
                let chosen = interfaces(own.lock().unwrap_or_else(PoisonError::into_inner).fresh());
                interface.is_loopback() || interface.index.is_some_and(|index| chosen.contains(&index))
            }))
        }
    })
}

/// Indexes of the interfaces on which people are looked for, of the ranked addresses `own`.
fn interfaces(own: &[LocalAddress]) -> HashSet<u32> {
    let mut chosen = HashSet::new();
    for address in own.iter().filter(|own| leads_to_people(own)) {
        if chosen.len() < MAX_INTERFACES {
            chosen.insert(address.interface);
        }
    }
    chosen
}

/// Fault that keeps the port of multicast DNS from being used, for the kinds of address that this computer has.
pub(super) fn ports_fault(bind: Option<IpAddr>) -> Option<DiscoveryFault> {
    let families = families(bind, &network::local_addresses());
    fault_of(&families.map(|needed| needed.map(is_taken)))
}

/// IPv4 and IPv6: an address of the kind to listen on, where people can be found by it.
fn families(bind: Option<IpAddr>, own: &[LocalAddress]) -> [Option<IpAddr>; 2] {
    let has = |v4: bool| match bind.filter(|address| !address.is_unspecified()) {
        Some(address) => address.is_ipv4() == v4,
        None if uses_loopback(None, own) => v4,
        None => own.iter().any(|own| leads_to_people(own) && own.ip.is_ipv4() == v4),
    };
    [has(true).then_some(Ipv4Addr::UNSPECIFIED.into()), has(false).then_some(Ipv6Addr::UNSPECIFIED.into())]
}

/// Whether people can be looked for by an address: multicast DNS leaves tunnels and unplugged interfaces alone.
fn leads_to_people(own: &LocalAddress) -> bool {
    !own.ip.is_loopback() && !own.point_to_point && own.standing != Standing::Down
}

/// Whether each kind of address that is needed is taken; `None`: it is not needed.
fn fault_of(taken: &[Option<bool>; 2]) -> Option<DiscoveryFault> {
    let needed: Vec<bool> = taken.iter().copied().flatten().collect();
    match (needed.contains(&true), needed.contains(&false)) {
        (false, _) => None,
        (true, false) => Some(DiscoveryFault::PortTaken),
        (true, true) => Some(DiscoveryFault::PortTakenInPart),
    }
}

/// Whether a program that does not share the port holds it: the daemon opens it in the same way, and does not say.
fn is_taken(any: IpAddr) -> bool {
    let domain = if any.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let opened = Socket::new(domain, Type::DGRAM, None).and_then(|socket| {
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        let _ = socket.set_reuse_port(true);
        socket.bind(&SocketAddr::new(any, PORT).into())
    });
    // Another error than this is the system's word on the kind of address, not on the port.
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// Metrics of the daemon after a while; `None` when it gives none: its thread has ended, or hangs.
async fn look_after(pause: Duration, daemon: &ServiceDaemon) -> Option<Metrics> {
    sleep(pause).await;
    let metrics: Receiver<Metrics> = daemon.get_metrics().ok()?;
    timeout(ANSWER, metrics.recv_async()).await.ok()?.ok()
}

/// State of a session.
struct Watch {
    began: Instant,
    /// An announcement has left.
    announced: bool,
    /// An interface is used on which none may have left.
    interface_came: bool,
    port_fault: Option<DiscoveryFault>,
    port_checked: Instant,
    /// Announcements that the daemon keeps, at the last look.
    announcements: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It has served.
    Anew,
    /// Nothing was announced that should have been.
    Silent,
    /// The daemon says nothing.
    Dead,
}

impl Watch {
    /// Takes the daemon's events; `bound` to one address, it announces nothing on interfaces that come later.
    fn note(&mut self, event: &DaemonEvent, bound: bool) {
        match event {
            DaemonEvent::Announce(..) => self.announced = true,
            DaemonEvent::IpAdd(_) if bound => self.interface_came = true,
            DaemonEvent::IpAdd(_) => self.announced = true,
            _ => {}
        }
    }

    /// Whether the session has to end.
    fn judge(&mut self, health: Option<Metrics>, bind: Option<IpAddr>, now: Instant) -> Option<Verdict> {
        let Some(metrics) = health else { return Some(Verdict::Dead) };
        self.announcements = metrics.get("cached-ptr").copied().unwrap_or_default();
        if records(&metrics) > MAX_RECORDS {
            tracing::debug!("too many records are announced on this network: the search begins anew");
            return Some(Verdict::Anew);
        }
        if self.port_fault.is_some() && now.saturating_duration_since(self.port_checked) >= PORT_AGAIN {
            self.port_checked = now;
            if ports_fault(bind) != self.port_fault {
                return Some(Verdict::Anew);
            }
        }
        let passed = now.saturating_duration_since(self.began);
        let overdue = passed >= ANNOUNCED_BY || self.interface_came && passed >= LOOK_EVERY;
        if self.announced || !overdue {
            return None;
        }
        let own = network::local_addresses();
        let could_have = families(bind, &own).iter().any(Option::is_some) && !uses_loopback(bind, &own);
        could_have.then_some(Verdict::Silent)
    }
}

/// Records that the daemon keeps.
fn records(metrics: &Metrics) -> i64 {
    metrics.iter().filter(|(name, _)| name.starts_with("cached-")).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ranked;

    fn local(ip: &str, interface: u32, standing: Standing) -> LocalAddress {
        LocalAddress { ip: ip.parse().unwrap(), prefix: 24, interface, standing, point_to_point: false }
    }

    #[test]
    fn people_are_looked_for_where_the_network_is_however_many_bridges_there_are() {
        for count in [8, 12, 30, 100] {
            let mut all: Vec<_> =
                (0..count).map(|n| local(&format!("10.{n}.0.1"), 10 + n, Standing::Virtual)).collect();
            all.push(local("192.168.1.7", 500, Standing::DefaultRoute));
            all.push(local("fe80::7", 501, Standing::Physical));
            let chosen = interfaces(&ranked(all));
            assert!(chosen.contains(&500) && chosen.contains(&501) && chosen.len() <= MAX_INTERFACES, "{count}");
        }
    }

    #[test]
    fn a_port_that_is_taken_for_all_or_for_some_is_told_apart() {
        for (v4, v6, fault) in [
            (Some(false), Some(false), None),
            (Some(false), None, None),
            (None, None, None),
            (Some(true), Some(true), Some(DiscoveryFault::PortTaken)),
            (Some(true), None, Some(DiscoveryFault::PortTaken)),
            (None, Some(true), Some(DiscoveryFault::PortTaken)),
            (Some(true), Some(false), Some(DiscoveryFault::PortTakenInPart)),
            (Some(false), Some(true), Some(DiscoveryFault::PortTakenInPart)),
        ] {
            assert_eq!(fault_of(&[v4, v6]), fault, "{v4:?} {v6:?}");
        }
    }

    #[test]
    fn only_kinds_of_address_that_people_have_are_needed() {
        let v4 = local("192.168.1.7", 2, Standing::Physical);
        let v6 = local("fe80::7", 2, Standing::Physical);
        let tunnel = LocalAddress { point_to_point: true, ..local("10.8.0.2", 3, Standing::Other) };
        let needed = |bind: Option<&str>, own: &[LocalAddress]| {
            families(bind.map(|bind| bind.parse().unwrap()), own).map(|any| any.is_some())
        };
        assert_eq!(needed(Some("192.168.1.7"), &[v4.clone(), v6.clone()]), [true, false]);
        assert_eq!(needed(Some("fe80::7"), &[v4.clone(), v6.clone()]), [false, true]);
        assert_eq!(needed(None, &[v4.clone(), v6.clone()]), [true, true]);
        assert_eq!(needed(None, &[v6, tunnel]), [false, true]);
        let loose = LocalAddress { standing: Standing::Down, ..v4 };
        assert_eq!(needed(None, &[loose]), [true, false], "people of this computer alone, by its loopback address");
    }

    #[test]
    fn a_search_that_keeps_too_many_begins_anew_soon_and_seldom_where_they_stay() {
        let seconds = |announcements, crowded| ask_again(announcements, crowded).as_secs();
        assert_eq!([0, 1, 50].map(|crowded| seconds(MAX_TOLD_AGAIN, crowded)), [60; 3]);
        let crowded = [0, 1, 2, 3, 4, 1000].map(|crowded| seconds(MAX_TOLD_AGAIN + 1, crowded));
        assert_eq!(crowded, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_daemon_that_is_dead_silent_or_too_large_is_replaced() {
        let began = Instant::now();
        let watch = || Watch {
            began,
            announced: true,
            interface_came: false,
            port_fault: None,
            port_checked: began,
            announcements: 0,
        };
        let of = |records: i64| Some(Metrics::from([("cached-addr".into(), records), ("browse".into(), 99_999)]));
        assert_eq!(watch().judge(of(9_000), None, began), None);
        assert_eq!(watch().judge(of(10_001), None, began), Some(Verdict::Anew));
        let mut crowded = watch();
        assert_eq!(crowded.judge(Some(Metrics::from([("cached-ptr".into(), 401)])), None, began), None);
        assert_eq!(crowded.announcements, 401);
        assert_eq!(watch().judge(None, None, began), Some(Verdict::Dead));
        let mut silent = Watch { announced: false, ..watch() };
        let bind = Some(IpAddr::from([192, 0, 2, 7]));
        assert_eq!(silent.judge(of(0), bind, began + Duration::from_secs(2)), None);
        assert_eq!(silent.judge(of(0), bind, began + Duration::from_secs(4)), Some(Verdict::Silent));
        let mut came_later = Watch { announced: false, ..watch() };
        came_later.note(&DaemonEvent::IpAdd([192, 0, 2, 7].into()), true);
        assert_eq!(came_later.judge(of(0), bind, began + Duration::from_secs(1)), Some(Verdict::Silent));
        came_later.note(&DaemonEvent::Announce(String::new(), String::new()), true);
        assert_eq!(came_later.judge(of(0), bind, began + Duration::from_secs(9)), None);
        let loopback = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_eq!(silent.judge(of(0), loopback, began + Duration::from_secs(9)), None);
    }
}
