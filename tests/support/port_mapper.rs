//! A program that maps ports on a router in software, as homes' routers have it: `miniupnpd` with nftables, by PCP (RFC
//! 6887) and NAT-PMP (RFC 6886).

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::internet::Router;
use super::poll;
use super::process::SOON;

/// Outer address that it tells: it takes the router's own, which is one of documentation (RFC 5737), for none.
pub const TOLD_ADDRESS: &str = "11.22.33.44";

const TABLE: &str = "table inet mapper {
    chain forward { type filter hook forward priority -5; jump forwarded; };
    chain prerouting { type nat hook prerouting priority dstnat; jump mapped; };
    chain postrouting { type nat hook postrouting priority srcnat; jump masked; };
    chain forwarded { }; chain mapped { }; chain masked { }; }";

/// The running program. It is killed when dropped.
pub struct PortMapper {
    child: Child,
    _folder: TempDir,
}

impl PortMapper {
    /// Starts it on a router whose network is `10.0.NUMBER.0/24`; `None`, with the reason printed, where this machine
    /// lacks it.
    pub fn start_on(router: &Router, number: u8) -> Option<Self> {
        if !Path::new("/usr/sbin/miniupnpd").exists() {
            super::skip("a router that maps ports needs the program `miniupnpd` (miniupnpd-nftables)");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "ext_ifname=wan\nlistening_ip=lan\next_ip={TOLD_ADDRESS}\nhttp_port=0\nenable_natpmp=yes\nenable_upnp=no\n\
             secure_mode=yes\nmin_lifetime=120\nmax_lifetime=86400\nuuid=00000000-0000-0000-0000-000000000001\n\
             upnp_table_name=mapper\nupnp_nat_table_name=mapper\nupnp_forward_chain=forwarded\nupnp_nat_chain=mapped\n\
             upnp_nat_postrouting_chain=masked\nallow 1-65535 10.0.{number}.0/24 1-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
        );
        let path = folder.path().join("config");
        std::fs::write(&path, config).expect("a file");
        assert!(router.load(TABLE).is_some(), "nft takes the mapper's table");
        let child = Command::new("ip")
            .args(["netns", "exec", router.space.namespace(), "/usr/sbin/miniupnpd", "-d", "-f"])
            .arg(&path)
            .arg("-P")
            .arg(folder.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("miniupnpd starts");
        let mapper = Self { child, _folder: folder };
        let listens = || {
            let sockets = router.space.command("cat").arg("/proc/net/udp").output().ok()?;
            // Port 5351.
            String::from_utf8_lossy(&sockets.stdout).contains(":14E7 ").then_some(())
        };
        poll(SOON, listens).expect("the mapper is ready");
        Some(mapper)
    }

    /// The ports that it passes on now, as nftables has them.
    pub fn mapped(router: &Router) -> Vec<String> {
        let listed = router.space.command("nft").args(["list", "chain", "inet", "mapper", "mapped"]).output();
        let listed = String::from_utf8(listed.expect("nft").stdout).expect("text");
        let targets = listed.lines().filter_map(|line| line.split("dnat ip to ").nth(1));
        let mut targets: Vec<_> = targets.map(|target| target.trim().to_owned()).collect();
        targets.sort();
        targets
    }
}

impl Drop for PortMapper {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}
