//! The Internet in software: namespaces with routers between them (nftables), and a server that everybody knows by
//! name.
//!
//! ```text
//! server ----.                         .-- router (NAT) -- computer
//!             >-- bridge `net` of the <--- carrier (NAT) -- router (NAT) -- computer
//! router ----'    namespace `inet`
//! ```
//!
//! Each network is a bridge with the address `.1` on it, and whatever is plugged in has its default route there. IPv6
//! is routed to the networks of routers; IPv4 of private networks is not, as outside. Names of NATs are those of RFC
//! 4787.

use std::cell::Cell;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::network::Computer;
use super::slow_cable;

/// Name of the server, which the hosts file of each computer knows.
pub const SERVER_NAME: &str = "calls.example";
/// The server's TCP port.
pub const SERVER_PORT: u16 = 443;
pub const SERVER_V4: &str = "203.0.113.2";
const SERVER_V6: &str = "2001:db8::2";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Rules of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// The same, and it takes back packets of its own network for its outer address.
    Hairpin,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping while ports do not collide, address- and port-dependent filtering.
    Home,
    /// As [`Home`](Self::Home), and lets in what a program on it passes on (see `port_mapper`).
    MapsPorts,
    /// A random port for each destination.
    Symmetric,
    /// As [`Home`](Self::Home), but UDP does not pass.
    NoUdp,
    /// As [`Home`](Self::Home), but nothing passes but TCP to port 443.
    Port443,
}

const CLOSED: &str = "table ip filter {
    chain inp { type filter hook input priority 0; iifname wan ct state new drop; };
    chain fw { type filter hook forward priority 0; iifname wan ct state new drop; }; }";
const CLOSED_BUT_FOR_MAPPED: &str = "table ip filter {
    chain inp { type filter hook input priority 0; iifname wan ct state new drop; };
    chain fw { type filter hook forward priority 0; iifname wan ct state new ct status & dnat != dnat drop; }; }";
const OPEN: &str =
    "table ip filter { chain inp { type filter hook input priority 0; iifname wan ct state new drop; }; }";
const MAP: &str =
    "map m { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65536; };";
const NOTED: &str = "meta l4proto udp update @m { udp sport : ip saddr . udp sport }";
const FIREWALL_V6: &str =
    "table ip6 filter { chain fw { type filter hook forward priority 0; iifname wan ct state new drop; }; }";

impl Nat {
    /// Its rules for nftables, at this outer address.
    fn rules(self, wan: &str) -> String {
        let masquerade = |how: &str| {
            format!(
                "table ip nat {{ chain post {{ type nat hook postrouting priority srcnat; oifname wan {how}; }}; }}\n"
            )
        };
        let passes = |what: &str| {
            format!(
                "table ip filter {{ chain fw {{ type filter hook forward priority 0; policy drop;
                     meta l4proto udp drop; ct state established,related accept; iifname lan {what} accept; }}; }}"
            )
        };
        let ipv4 = match self {
            Self::Home => masquerade("masquerade") + CLOSED,
            Self::MapsPorts => masquerade("masquerade") + CLOSED_BUT_FOR_MAPPED,
            Self::Symmetric => masquerade("masquerade fully-random") + CLOSED,
            Self::NoUdp => masquerade("masquerade") + &passes("meta l4proto tcp"),
            Self::Port443 => masquerade("masquerade") + &passes("tcp dport 443"),
            Self::FullCone => format!(
                "table ip nat {{ {MAP}
                 chain pre {{ type nat hook prerouting priority dstnat;
                     iifname wan meta l4proto udp dnat ip to udp dport map @m; }};
                 chain post {{ type nat hook postrouting priority srcnat;
                     oifname wan {NOTED}; oifname wan masquerade; }}; }}
                 {OPEN}"
            ),
            Self::Hairpin => format!(
                "table ip nat {{ {MAP}
                 chain pre {{ type nat hook prerouting priority dstnat;
                     iifname wan meta l4proto udp dnat ip to udp dport map @m;
                     iifname lan ip daddr {wan} meta l4proto udp dnat ip to udp dport map @m; }};
                 chain post {{ type nat hook postrouting priority srcnat;
                     iifname lan {NOTED}; oifname lan ct status dnat snat ip to {wan};
                     oifname wan masquerade; }}; }}
                 {OPEN}"
            ),
            Self::AddressRestricted => format!(
                "table ip nat {{ {MAP}
                 set seen {{ type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65536; }};
                 chain pre {{ type nat hook prerouting priority dstnat;
                     iifname wan ip saddr . udp dport @seen dnat ip to udp dport map @m; }};
                 chain post {{ type nat hook postrouting priority srcnat;
                     oifname wan {NOTED};
                     oifname wan meta l4proto udp update @seen {{ ip daddr . udp sport }};
                     oifname wan masquerade; }}; }}
                 {OPEN}"
            ),
        };
        format!("{ipv4}\n{FIREWALL_V6}")
    }
}

/// Address families of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    V4,
    V6,
    Both,
}

/// A network: a bridge in a namespace, which is also the router of whatever is plugged in.
struct Network {
    space: String,
    bridge: &'static str,
    /// The first three bytes of its IPv4 addresses.
    v4: Option<String>,
    /// The first half of its IPv6 addresses.
    v6: Option<String>,
    plugged: Cell<u8>,
}

/// Addresses of something that is plugged in.
struct Plugged {
    v4: Option<String>,
    v6: Option<String>,
}

impl Network {
    fn create(space: &str, bridge: &'static str, v4: Option<String>, v6: Option<String>) -> Option<Self> {
        within(space, &format!("link add {bridge} type bridge"))?;
        // Bridged packets are no business of the router's rules.
        let _absent_without_the_module = set(space, "net/bridge/bridge-nf-call-iptables", 0);
        add_addresses(
            space,
            bridge,
            v4.as_ref().map(|it| format!("{it}.1")),
            v6.as_ref().map(|it| format!("{it}::1")),
        )?;
        within(space, &format!("link set {bridge} up"))?;
        Some(Self { space: space.to_owned(), bridge, v4, v6, plugged: Cell::new(1) })
    }

    /// Plugs a namespace in: `interface` there, with the next address and the default route.
    fn plug(&self, space: &str, interface: &str) -> Option<Plugged> {
        self.plug_by(space, interface, Duration::ZERO)
    }

    /// The same by a cable with this delay each way.
    fn plug_by(&self, space: &str, interface: &str, delay: Duration) -> Option<Plugged> {
        let number = self.plugged.get() + 1;
        self.plugged.set(number);
        if delay.is_zero() {
            within(&self.space, &format!("link add p{number} type veth peer name {interface} netns {space}"))?;
        } else {
            slow_cable::lay([(&self.space, &format!("p{number}")), (space, interface)], delay).ok()?;
        }
        within(&self.space, &format!("link set p{number} master {} up", self.bridge))?;
        let v4 = self.v4.as_ref().map(|it| format!("{it}.{number}"));
        let v6 = self.v6.as_ref().map(|it| format!("{it}::{number}"));
        add_addresses(space, interface, v4.clone(), v6.clone())?;
        within(space, &format!("link set {interface} up"))?;
        if let Some(v4) = &self.v4 {
            within(space, &format!("route add default via {v4}.1"))?;
        }
        if let Some(v6) = &self.v6 {
            within(space, &format!("-6 route add default via {v6}::1"))?;
        }
        Some(Plugged { v4, v6 })
    }
}

fn add_addresses(space: &str, interface: &str, v4: Option<String>, v6: Option<String>) -> Option<()> {
    if let Some(v4) = v4 {
        within(space, &format!("addr add {v4}/24 dev {interface}"))?;
    }
    if let Some(v6) = v6 {
        within(space, &format!("addr add {v6}/64 dev {interface} nodad"))?;
    }
    Some(())
}

/// A router, and the network behind it.
pub struct Router {
    /// The router itself.
    pub space: Computer,
    network: Network,
    nat: Nat,
}

impl Router {
    /// A computer in its network.
    pub fn computer(&self) -> Option<Computer> {
        let space = create()?;
        let name = space.namespace().to_owned();
        let plugged = self.network.plug(&name, "eth0")?;
        set_hosts(&name, &[(SERVER_V4, SERVER_NAME), (SERVER_V6, SERVER_NAME)])?;
        Some(space.at(&plugged.v4.or(plugged.v6)?))
    }

    /// A router in its network, with a network of this number behind.
    pub fn router(&self, nat: Nat, number: u8) -> Option<Self> {
        Self::create(&self.network, nat, Families::V4, format!("10.0.{number}"), None)
    }

    /// Takes its outer address away and gives it another one, as providers do each night: every mapping is gone.
    pub fn renumber(&mut self, address: &str) {
        let space = self.space.namespace();
        let changes = [
            format!("addr del {}/24 dev wan", self.space.address),
            format!("addr add {address}/24 dev wan"),
            // It went with the address.
            "route add default via 203.0.113.1".to_owned(),
        ];
        assert!(changes.iter().all(|change| within(space, change).is_some()), "{changes:?}");
        address.clone_into(&mut self.space.address);
        self.change_rules(self.nat);
    }

    /// Works by other rules from now on, which hold for what runs already, too.
    pub fn change_rules(&mut self, nat: Nat) {
        self.nat = nat;
        let (space, rules) = (self.space.namespace(), nat.rules(&self.space.address));
        assert!(load(space, &format!("flush ruleset\n{rules}")).is_some(), "nft takes the rules of {nat:?}");
    }

    /// Adds rules of nftables; `None`, with the reason printed, where they are not taken.
    pub fn load(&self, rules: &str) -> Option<()> {
        load(self.space.namespace(), rules)
    }

    /// Its address on the Internet.
    pub fn address(&self) -> &str {
        &self.space.address
    }

    /// Lets no UDP pass to an address of the Internet or from it any more, or lets it pass again.
    pub fn block(&self, address: &str, on: bool) {
        let chain = format!(
            "chain fw {{ type filter hook forward priority -10;
                 ip saddr {address} meta l4proto udp drop; ip daddr {address} meta l4proto udp drop; }}"
        );
        let rules = if on { format!("table ip blocked {{ {chain}; }}") } else { "delete table ip blocked".to_owned() };
        assert!(load(self.space.namespace(), &rules).is_some(), "nft takes {rules}");
    }

    fn create(outside: &Network, nat: Nat, families: Families, v4: String, v6: Option<String>) -> Option<Self> {
        let space = create()?;
        let name = space.namespace().to_owned();
        let Plugged { v4: wan, v6: wan_v6 } = outside.plug_by(&name, "wan", slow_cable::delay())?;
        if let (Some(prefix), Some(wan)) = (&v6, wan_v6) {
            within(&outside.space, &format!("-6 route add {prefix}::/64 via {wan}"))?;
        }
        for forwarding in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            set(&name, forwarding, 1)?;
        }
        let v4 = (families != Families::V6).then_some(v4);
        let v6 = v6.filter(|_| families != Families::V4);
        let network = Network::create(&name, "lan", v4, v6)?;
        let space = space.at(&wan?);
        load(&name, &nat.rules(&space.address))?;
        Some(Self { space, network, nat })
    }
}

/// The whole, and the computer of its server. Namespaces end with what they were made for.
pub struct Internet {
    /// Where the server runs.
    pub server: Computer,
    network: Network,
    _space: Computer,
}

impl Internet {
    /// `None`, with the reason printed, where the system does not allow it.
    pub fn build() -> Option<Self> {
        // SAFETY: `geteuid` has no preconditions and cannot fail.
        let internet = if unsafe { libc::geteuid() } == 0 { Self::try_build() } else { None };
        if internet.is_none() {
            super::skip("routers in software need root, and the programs `ip` and `nft`");
        }
        internet
    }

    fn try_build() -> Option<Self> {
        let space = create()?;
        let name = space.namespace().to_owned();
        set(&name, "net/ipv6/conf/all/forwarding", 1)?;
        let network = Network::create(&name, "net", Some("203.0.113".to_owned()), Some("2001:db8".to_owned()))?;
        let server = create()?;
        let plugged = network.plug(server.namespace(), "eth0")?;
        assert_eq!(plugged.v4.as_deref(), Some(SERVER_V4));
        assert_eq!(plugged.v6.as_deref(), Some(SERVER_V6));
        Some(Self { server: server.at(SERVER_V4), network, _space: space })
    }

    /// A router on the Internet, with a network of this number behind: `10.0.NUMBER.0/24` and `2001:db8:NUMBER::/64`.
    pub fn router(&self, nat: Nat, families: Families, number: u8) -> Option<Router> {
        Router::create(&self.network, nat, families, format!("10.0.{number}"), Some(format!("2001:db8:{number}")))
    }

    /// Another computer on the Internet, without a name.
    pub fn computer(&self) -> Option<Computer> {
        let space = create()?;
        let plugged = self.network.plug(space.namespace(), "eth0")?;
        Some(space.at(&plugged.v4?))
    }

    /// The router of a provider that has one address for many homes.
    pub fn carrier(&self, nat: Nat) -> Option<Router> {
        Router::create(&self.network, nat, Families::V4, "100.64.0".to_owned(), None)
    }
}

/// Gives a computer a hosts file with these addresses and names.
pub fn set_hosts(space: &str, hosts: &[(&str, &str)]) -> Option<()> {
    let folder = format!("/etc/netns/{space}");
    std::fs::create_dir_all(&folder).ok()?;
    let lines = [("127.0.0.1", "localhost"), ("::1", "localhost")].iter().chain(hosts);
    let text: String = lines.map(|(address, name)| format!("{address} {name}\n")).collect();
    std::fs::write(format!("{folder}/hosts"), text).ok()
}

fn create() -> Option<Computer> {
    let name = format!("visavis-{}-i{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let space = Computer::create(name, "")?;
    // Nobody has its addresses, and it would wait a second or two to be sure (RFC 4862, 5.4).
    set(space.namespace(), "net/ipv6/conf/default/accept_dad", 0)?;
    set(space.namespace(), "net/ipv6/conf/all/accept_dad", 0)?;
    Some(space)
}

fn within(space: &str, words: &str) -> Option<()> {
    run(&["ip", "-n", space].into_iter().chain(words.split(' ')).collect::<Vec<_>>(), "")
}

fn set(space: &str, path: &str, value: u8) -> Option<()> {
    run(&["ip", "netns", "exec", space, "sh", "-c", &format!("echo {value} > /proc/sys/{path}")], "")
}

fn load(space: &str, rules: &str) -> Option<()> {
    run(&["ip", "netns", "exec", space, "nft", "-f", "-"], rules)
}

fn run(words: &[&str], input: &str) -> Option<()> {
    let (program, arguments) = words.split_first()?;
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    // The program may have ended without reading it.
    let _ended = child.stdin.take()?.write_all(input.as_bytes());
    let output = child.wait_with_output().ok()?;
    if !output.status.success() {
        eprintln!("{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success().then_some(())
}
