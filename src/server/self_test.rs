//! Test of a server's own ports, as far as it can be done from inside: whether they answer on this computer. Firewalls,
//! of this computer and of others, pass packets of the computer itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connectivity::UdpProbe;

/// For an answer of this computer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ports that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) tcp: bool,
    /// `None` without a relay.
    pub(super) udp: Option<bool>,
}

/// Asks the ports of a server that listens on this address.
pub(super) async fn ask(listen: SocketAddr, relay_port: Option<u16>) -> Answers {
    let host = match listen.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let tcp = timeout(PATIENCE, TcpStream::connect((host, listen.port())));
    let udp = async {
        let port = relay_port?;
        let asked =
            timeout(PATIENCE, async { UdpProbe::open(host.is_ipv4(), None).await?.mapped((host, port).into()).await });
        Some(asked.await.is_ok_and(|answer| answer.is_ok()))
    };
    let (tcp, udp) = tokio::join!(tcp, udp);
    Answers { tcp: tcp.is_ok_and(|connected| connected.is_ok()), udp }
}
