//! This computer's interfaces as the system lists them, with their kinds.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::address::{LocalAddress, Standing, source_for};

/// Addresses kept for documentation (RFC 5737, RFC 3849): datagrams to them take the default route.
const ELSEWHERE: [&str; 2] = ["198.51.100.1:9", "[2001:db8::1]:9"];

/// Names of interfaces that join containers and virtual machines of this computer to each other.
const VIRTUAL_NAMES: &[&str] = &[
    "docker",
    "br-",
    "veth",
    "virbr",
    "vnet",
    "lxc",
    "lxd",
    "incus",
    "cni",
    "podman",
    "cali",
    "flannel",
    "cilium",
    "kube",
    "vmnet",
    "vboxnet",
    "bridge1",
    "vEthernet",
    "VirtualBox",
    "VMware",
    "awdl",
    "llw",
];

/// Every address of every interface, in the system's order.
pub(super) fn list() -> Vec<LocalAddress> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::debug!(%error, "this computer's addresses cannot be listed");
        Vec::new()
    });
    let default = ELSEWHERE.iter().filter_map(|to| source_for(to.parse::<SocketAddr>().ok()?)).collect::<Vec<_>>();
    let standings = standings(&interfaces, &default, Kinds::read().of());
    let address = |interface: if_addrs::Interface| {
        let prefix = match &interface.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        };
        let standing = standings.get(interface.name.as_str()).copied().unwrap_or(Standing::Other);
        let (index, point_to_point) = (interface.index.unwrap_or(0), interface.is_p2p());
        LocalAddress { ip: interface.ip(), prefix, interface: index, standing, point_to_point }
    };
    interfaces.iter().cloned().map(address).collect()
}

/// The standing of each interface by its name; `default` are the addresses from which this computer sends to elsewhere.
fn standings<'a>(
    interfaces: &'a [if_addrs::Interface],
    default: &[IpAddr],
    kind_of: impl Fn(&str) -> Standing,
) -> HashMap<&'a str, Standing> {
    let mut standings = HashMap::new();
    for interface in interfaces {
        let known = standings
            .entry(interface.name.as_str())
            .or_insert_with(|| if interface.is_oper_up() { kind_of(&interface.name) } else { Standing::Down });
        if default.contains(&interface.ip()) {
            *known = Standing::DefaultRoute;
        }
    }
    standings
}

/// Kinds of the interfaces that are up, apart from routes.
struct Kinds {
    #[cfg(target_os = "linux")]
    kernel: linux::Classes,
}

impl Kinds {
    fn read() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            kernel: linux::Classes::read(std::path::Path::new("/sys/class/net")),
        }
    }

    fn of(&self) -> impl Fn(&str) -> Standing {
        |name| {
            if VIRTUAL_NAMES.iter().any(|prefix| name.starts_with(prefix)) {
                return Standing::Virtual;
            }
            #[cfg(target_os = "linux")]
            {
                self.kernel.kind_of(name)
            }
            #[cfg(not(target_os = "linux"))]
            {
                Standing::Other
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::super::address::Standing;

    /// The kernel's folder of interfaces.
    pub(super) struct Classes {
        folder: PathBuf,
        /// The index of each interface, and of the one that it is linked to.
        links: HashMap<String, (u32, u32)>,
    }

    impl Classes {
        pub(super) fn read(folder: &Path) -> Self {
            let links = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
                let number = |what| fs::read_to_string(entry.path().join(what)).ok()?.trim().parse().ok();
                Some((entry.file_name().into_string().ok()?, (number("ifindex")?, number("iflink")?)))
            });
            Self { folder: folder.to_owned(), links: links.collect() }
        }

        pub(super) fn kind_of(&self, name: &str) -> Standing {
            if self.is_hardware(name) || self.lower(name).iter().any(|name| self.is_hardware(name)) {
                Standing::Physical
            } else if self.folder.join(name).join("bridge").is_dir() || self.is_local_pair(name) {
                Standing::Virtual
            } else {
                Standing::Other
            }
        }

        fn is_hardware(&self, name: &str) -> bool {
            self.folder.join(name).join("device").exists()
        }

        /// Those that it stands on: a bridge's ports, a VLAN's or a bond's cards.
        fn lower(&self, name: &str) -> Vec<String> {
            let names = fs::read_dir(self.folder.join(name)).into_iter().flatten().flatten();
            names.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("lower_").map(str::to_owned)).collect()
        }

        /// Whether it is a virtual cable with both of its ends on this computer.
        fn is_local_pair(&self, name: &str) -> bool {
            let Some((own, other)) = self.links.get(name) else { return false };
            own != other && self.links.values().any(|link| link == &(*other, *own))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, ip: [u8; 4], up: bool) -> if_addrs::Interface {
        let addr =
            if_addrs::Ifv4Addr { ip: ip.into(), netmask: [255, 255, 255, 0].into(), prefixlen: 24, broadcast: None };
        let oper_status = if up { if_addrs::IfOperStatus::Up } else { if_addrs::IfOperStatus::Unknown };
        if_addrs::Interface {
            name: name.to_owned(),
            addr: if_addrs::IfAddr::V4(addr),
            index: Some(1),
            oper_status,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        }
    }

    #[test]
    fn the_default_route_counts_more_than_what_an_interface_is() {
        let all = [
            interface("eth0", [192, 0, 2, 7], true),
            interface("br0", [198, 51, 100, 7], true),
            interface("br0", [198, 51, 100, 8], true),
            interface("eth1", [203, 0, 113, 7], false),
        ];
        let kind = |name: &str| if name == "eth0" { Standing::Physical } else { Standing::Virtual };
        let standings = standings(&all, &[[198, 51, 100, 8].into()], kind);
        assert_eq!(standings["eth0"], Standing::Physical);
        assert_eq!(standings["br0"], Standing::DefaultRoute);
        assert_eq!(standings["eth1"], Standing::Down);
    }

    #[test]
    fn bridges_of_containers_are_known_by_their_names() {
        for name in ["docker0", "br-0123456789ab", "veth12ab", "virbr0", "lxcbr0", "cni0", "podman1", "vmnet8"] {
            assert_eq!(Kinds::read().of()(name), Standing::Virtual, "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells_hardware_bridges_and_cables_that_lead_nowhere() {
        use std::fs;
        let classes = tempfile::tempdir().unwrap();
        let make = |name: &str, index: u32, link: u32, inside: &[&str]| {
            let folder = classes.path().join(name);
            inside.iter().for_each(|inside| fs::create_dir_all(folder.join(inside)).unwrap());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("ifindex"), format!("{index}\n")).unwrap();
            fs::write(folder.join("iflink"), format!("{link}\n")).unwrap();
        };
        make("wlp3s0", 2, 2, &["device"]);
        make("home", 3, 3, &["bridge", "lower_wlp3s0"]);
        make("eth.5", 4, 2, &["lower_wlp3s0"]);
        make("one", 5, 5, &["bridge", "lower_d0"]);
        make("d0", 6, 7, &[]);
        make("e0", 7, 6, &[]);
        make("uplink", 8, 9, &[]);
        make("tun0", 10, 10, &[]);
        let classes = linux::Classes::read(classes.path());
        for (name, standing) in [
            ("wlp3s0", Standing::Physical),
            ("home", Standing::Physical),
            ("eth.5", Standing::Physical),
            ("one", Standing::Virtual),
            ("d0", Standing::Virtual),
            ("e0", Standing::Virtual),
            ("uplink", Standing::Other),
            ("tun0", Standing::Other),
        ] {
            assert_eq!(classes.kind_of(name), standing, "{name}");
        }
    }
}
