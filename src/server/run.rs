//! A running server: sockets, tasks, the first screen, and a graceful end.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

use super::certificate::{Keeper, Standing, Wanted};
use super::certificate_words::Subject;
use super::exchange::Exchange;
use super::key::{KeyError, ServerKey};
use super::listener::{BOUNDS, Shared, listen};
use super::nodes::{Bus, BusError, BusNode, BusOptions, NodeId, Outbox};
use super::options::{Action, Arguments, KeyAction, PublicAddress};
use super::port_mapping::{Answered, Mappings, Port};
use super::relay;
use super::screen::{self, Facts};
use super::self_test;
use super::tls::{self, Certificates, TlsError};
use crate::identity::ServerLink;
use crate::network::{self, Gateway};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Files and sockets beside the connections.
const OTHER_FILES: u64 = 200;
/// Between two lines of figures.
const STATS: Duration = Duration::from_secs(10);
/// For the last words of an ending server to its apps.
const FAREWELL: Duration = Duration::from_millis(500);
/// Bytes of the key's hash that name the server in the subjects of its nodes.
const SERVER_TOKEN: usize = 8;

/// Why a server does not start: one plain sentence each.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port needs rights that this user has not.
    #[error("TCP port {0} needs rights that you do not have. Start the server as root, or with --listen [::]:8443.")]
    Forbidden(u16),
    /// The port is taken.
    #[error("TCP port {0} is taken by another program. Stop it, or choose another port with --listen.")]
    Taken(u16),
    /// The address cannot be used.
    #[error("{0} cannot be listened on: {1}. Choose another address with --listen.")]
    Listen(SocketAddr, io::Error),
    /// The relay's port cannot be used.
    #[error(
        "UDP port {0} cannot be used for the relay: {1}. Choose another with --relay-port, or start with --no-relay."
    )]
    Relay(u16, io::Error),
    /// The other nodes cannot be reached.
    #[error(transparent)]
    Nodes(#[from] BusError),
    /// No address for the link.
    #[error("This computer has no network address. Connect it, or start the server with --public NAME-OR-ADDRESS.")]
    NoAddress,
    /// The system refuses something.
    #[error("The server could not be started: {0}.")]
    System(#[from] io::Error),
}

/// A running server. Everything ends when it is dropped.
struct Server {
    facts: Facts,
    key: Arc<ServerKey>,
    certificates: Arc<Certificates>,
    exchange: Arc<Exchange>,
    listener: JoinHandle<()>,
    /// The way to the server's other nodes, where it has some.
    _bus: Option<Bus>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Server {
    /// Starts a server with the key in the folder `data`, on a tokio runtime.
    ///
    /// With `relay_port` it relays media of its apps at this UDP port, and over TLS.
    async fn start(arguments: &Arguments, relay_port: Option<u16>) -> Result<Self, ServerError> {
        let (listen_on, public) = (arguments.listen, arguments.public_address());
        let public = public.as_ref();
        let key = Arc::new(ServerKey::load_or_create(&arguments.data)?);
        let wanted = BOUNDS.open as u64 + OTHER_FILES;
        let open_files = network::raise_open_files(wanted);
        if open_files < BOUNDS.open as u64 {
            tracing::warn!("this system lets the server hold {open_files} files and connections open (ulimit -n)");
        }
        let listener = bind(listen_on)?;
        let address = listener.local_addr()?;
        let link = link(&key, address, public)?;
        let (is_public, is_node) = (public.is_some(), !arguments.nats.is_empty());
        let facts = Facts { link, listen: address, relay_port, is_public, is_node };
        let (exchange, bus) = join_nodes(arguments, &key).await?;
        let start_relay = |port| {
            relay::start(listen_on.ip(), port, key.relay_secret()).map_err(|error| ServerError::Relay(port, error))
        };
        let (turn, offer) = relay_port.map(start_relay).transpose()?.unzip();
        let offer = offer.unwrap_or_else(|| Arc::new(|| None));
        let certificates = Arc::new(Certificates::of(&key)?);
        let acceptor = tls::acceptor(Arc::clone(&certificates))?;
        let shared = Shared { acceptor, exchange: Arc::clone(&exchange), turn, offer };
        let listener = tokio::spawn(listen(listener, shared));
        Ok(Self { facts, key, certificates, exchange, listener, _bus: bus })
    }

    /// Keeps a certificate of a domain in place, with its files in the folder `data`, until the result is dropped.
    fn keep_certificate(&self, wanted: Wanted, data: &Path) -> Keeper {
        Keeper::start(wanted, data, Arc::clone(&self.key), Arc::clone(&self.certificates))
    }

    /// Ends in good order: apps are told, and come back to another server or later.
    async fn end(self) {
        self.exchange.end();
        sleep(FAREWELL).await;
    }
}

/// Carries out a command line; a server runs until `ends` is done.
pub async fn run(arguments: Arguments, ends: impl Future<Output = ()>) -> Result<(), ServerError> {
    match &arguments.action {
        None => {}
        Some(Action::Link) => {
            let key = ServerKey::load_or_create(&arguments.data)?;
            return Ok(say(&link(&key, arguments.listen, arguments.public_address().as_ref())?.to_string())?);
        }
        Some(Action::Key { action: KeyAction::Export { file } }) => {
            return Ok(ServerKey::load_or_create(&arguments.data)?.export(file)?);
        }
    }
    let relay_port = (!arguments.no_relay).then_some(arguments.relay_port);
    let public = arguments.public_address();
    let server = Server::start(&arguments, relay_port).await?;
    let facts = &server.facts;
    if arguments.json {
        say(&screen::ready_line(facts))?;
    }
    let gateway = if arguments.no_port_mapping { None } else { gateway_of(facts) };
    // Its result is for the words alone.
    let test = async { if arguments.json { None } else { Some(self_test::ask(facts.listen, facts.relay_port).await) } };
    let (answers, mut mapped) = tokio::join!(test, map_ports(gateway, facts));
    if let Some(answers) = answers {
        say(&screen::words(facts, answers, mapped.as_ref().map_or(&[], |mapped| &mapped.outcomes)))?;
    }
    // The authority comes by the ports that the router passes on by now.
    let keeper = arguments.wanted_certificate().map(|wanted| {
        let port = public.as_ref().and_then(PublicAddress::port).unwrap_or(facts.listen.port());
        let subject = Subject { domain: wanted.domain.clone(), port, directory: wanted.directory.clone() };
        (server.keep_certificate(wanted, &arguments.data), subject)
    });
    let ends = async {
        tokio::select! {
            () = ends => {}
            () = tell_stats(&server.exchange), if arguments.json => {}
            () = tell_certificate(keeper, arguments.json) => {}
        }
    };
    match &mut mapped {
        Some(mapped) => mapped.mappings.keep_until(ends).await,
        None => ends.await,
    }
    let give_back = async {
        if let Some(mapped) = mapped {
            mapped.mappings.end().await;
        }
    };
    tokio::join!(server.end(), give_back);
    Ok(())
}

/// The exchange of this node, and the way to the others where the server has some.
async fn join_nodes(arguments: &Arguments, key: &ServerKey) -> Result<(Arc<Exchange>, Option<Bus>), ServerError> {
    if arguments.nats.is_empty() {
        return Ok((Arc::default(), None));
    }
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = NodeId::new(now.as_millis().try_into().unwrap_or_default(), random);
    let hash = Sha256::digest(key.public_key());
    let server = HEXLOWER.encode(hash.get(..SERVER_TOKEN).unwrap_or_default());
    let node = BusNode { id, server, key: key.nodes_secret() };
    let (urls, credentials) = (arguments.nats.clone(), arguments.nats_credentials.clone());
    let options = BusOptions { urls, credentials, ca: arguments.nats_ca.clone() };
    let outbox = Arc::<Outbox>::default();
    let exchange = Arc::new(Exchange::of_node(id, Arc::clone(&outbox)));
    let bus = Bus::start(&options, node, Arc::clone(&exchange), outbox).await?;
    Ok((exchange, Some(bus)))
}

/// The router to ask for ports: that of the default route, where this computer is behind a NAT as far as its address
/// tells, and listens beyond itself.
fn gateway_of(facts: &Facts) -> Option<Gateway> {
    let gateway = Gateway::of_default_route()?;
    let is_listened_on = match facts.listen.ip() {
        ip if ip.is_unspecified() => true,
        ip => ip == IpAddr::V4(gateway.own),
    };
    // Shared addresses (RFC 6598) are those of providers' NATs.
    let is_shared = gateway.own.octets()[0] == 100 && gateway.own.octets()[1] & 0xc0 == 64;
    (is_listened_on && (gateway.own.is_private() || is_shared)).then_some(gateway)
}

async fn map_ports(gateway: Option<Gateway>, facts: &Facts) -> Option<Answered> {
    let ports: Vec<_> =
        [Some(Port::Tcp(facts.listen.port())), facts.relay_port.map(Port::Udp)].into_iter().flatten().collect();
    Some(Mappings::ask(gateway?, &ports).await)
}

/// Prints figures until nobody reads them, and then no more.
async fn tell_stats(exchange: &Exchange) {
    let mut turns = interval(STATS);
    turns.tick().await;
    loop {
        turns.tick().await;
        if let Err(error) = say(&screen::stats_line(&exchange.figures())) {
            tracing::info!(%error, "figures are not printed any more");
            return std::future::pending().await;
        }
    }
}

/// Tells each change of the certificate, until nobody reads it.
async fn tell_certificate(keeper: Option<(Keeper, Subject)>, json: bool) {
    let Some((mut keeper, subject)) = keeper else { return std::future::pending().await };
    let mut is_read = true;
    loop {
        let standing = keeper.next().await;
        if json && matches!(standing, Standing::Asked) {
            continue;
        }
        let told = if json { subject.line(&standing) } else { subject.words(&standing) };
        if is_read && let Err(error) = say(&told) {
            tracing::info!(%error, "news of the certificate are not printed any more");
            // The certificate is kept all the same.
            is_read = false;
        }
    }
}

/// Opens the listener; a wildcard IPv6 address takes IPv4, too.
fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    let open = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            socket.set_only_v6(false)?;
        }
        // A server that was just ended comes back at once.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    let opened = match open(address) {
        // A computer without IPv6.
        Err(error)
            if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
                && !matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::AddrInUse) =>
        {
            open((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        opened => opened,
    };
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => ServerError::Forbidden(address.port()),
        io::ErrorKind::AddrInUse => ServerError::Taken(address.port()),
        _ => ServerError::Listen(address, error),
    })
}

/// The link: by the public address, else by the one that is listened on, else by this computer's most used one.
fn link(key: &ServerKey, listen: SocketAddr, public: Option<&PublicAddress>) -> Result<ServerLink, ServerError> {
    let public_key = key.public_key();
    if let Some(public) = public {
        return public.link(listen.port(), &public_key).map_err(|_| ServerError::NoAddress);
    }
    let own = || network::local_addresses().into_iter().map(|own| own.ip).find(|ip| !network::is_scoped(*ip));
    let host = Some(listen.ip()).filter(|ip| !ip.is_unspecified()).or_else(own).ok_or(ServerError::NoAddress)?;
    ServerLink::new(&host.to_string(), listen.port(), &public_key).map_err(|_| ServerError::NoAddress)
}

fn say(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{}", text.trim_end())?;
    output.flush()
}
