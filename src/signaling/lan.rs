//! The route over this network: accepts connections from people and dials theirs. One listener task; each connection runs
//! on a task of its own that the listener (or, for dials, the hub) owns and takes down with itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{StatusCode, header};

use super::connection::{ConnectionError, HANDSHAKE, carry, caught};
use super::dial_budget::DialBudget;
use super::flood::{AddressLimits, Permit};
use super::handshake::{Met, Socket, limits, meet_as_dialer, meet_as_listener};
use super::hub::Input;
use super::local::Local;
use super::metered::Metered;
use crate::identity::PeerId;
use crate::network;

const PATH: &str = "/visavis/2";
/// The same for everybody: the request names nobody and no address.
const REQUEST: &str = "ws://visavis.local/visavis/2";
const CONNECT: Duration = Duration::from_secs(1);
/// Between attempts at one person's addresses.
const STAGGER: Duration = Duration::from_millis(200);
/// For the proofs on one connection, while other addresses wait.
const MEET: Duration = Duration::from_millis(1500);
/// For a dial in all: at addresses that never answer it would keep others waiting.
const DIAL: Duration = Duration::from_secs(3);
/// Addresses of one person that a dial tries.
const MAX_TRIED: usize = 8;
/// Pause when the system has no more sockets to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(250);

/// Opens the listening socket on a port of the system's choosing: on one address, or on all.
pub(super) fn bind(address: Option<IpAddr>) -> std::io::Result<std::net::TcpListener> {
    let listener = match address {
        Some(address) => std::net::TcpListener::bind(with_scope(address))?,
        // On Unix such a socket takes IPv4 too; elsewhere it may not, so IPv4 is what everybody surely has.
        None if cfg!(unix) => std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
            .or_else(|_| std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)))?,
        None => std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// With the scope of the interface that has it, where it needs one.
fn with_scope(address: IpAddr) -> SocketAddr {
    let own = network::local_addresses();
    own.iter().find(|own| own.ip == address).map_or_else(|| SocketAddr::new(address, 0), |own| own.with_port(0))
}

/// Serves whoever connects, within the limits, until it is aborted.
pub(super) async fn listen(listener: TcpListener, local: Arc<Local>, hub: mpsc::Sender<Input>) {
    let limits = AddressLimits::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    if let Some(permit) = limits.admit(from.ip(), Instant::now()) {
                        connections.spawn(serve(stream, local.clone(), hub.clone(), permit));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    sleep(OUT_OF_SOCKETS).await;
                }
            },
            Some(ended) = connections.join_next() => note_panic(ended),
        }
    }
}

/// Says in the log that a connection's task panicked. Anything it held is given back where it panics (see `caught`).
pub(super) fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a signaling task panicked");
    }
}

async fn serve(stream: TcpStream, local: Arc<Local>, hub: mpsc::Sender<Input>, mut permit: Permit) {
    let met = async {
        stream.set_nodelay(true)?;
        let stream = Metered::new(stream);
        let mut socket = tokio_tungstenite::accept_hdr_async_with_config(stream, check_request, Some(limits())).await?;
        let met = meet_as_listener(&mut socket, &local).await?;
        Ok::<_, ConnectionError>((socket, met))
    };
    let met = caught(timeout(HANDSHAKE, met)).await.unwrap_or(Ok(Err(ConnectionError::Panicked)));
    match met.unwrap_or(Err(ConnectionError::Timeout)) {
        Ok((socket, met)) => {
            permit.proven();
            carry(socket, met, local, hub).await;
        }
        Err(reason) => tracing::debug!(%reason, "a connection was refused"),
    }
}

/// Browsers name the page that asks: a web page must not reach this app through its visitor.
#[expect(clippy::result_large_err, reason = "the WebSocket library's signature")]
fn check_request(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == PATH && !request.headers().contains_key(header::ORIGIN) {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = StatusCode::NOT_FOUND;
    Err(refusal)
}

/// Addresses to dial a person at.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) peer: PeerId,
    pub(super) addresses: Vec<SocketAddr>,
    /// Budget that must grant each attempt but the first; `None` where they have proved to be.
    pub(super) budget: Option<Arc<DialBudget>>,
}

/// Connects to a person at the first address that leads to them, and carries what there is until the connection ends. An
/// address that does not answer holds the next one up for a moment only (RFC 8305, 5).
pub(super) async fn dial(dial: Dial, local: Arc<Local>, hub: mpsc::Sender<Input>) {
    let Dial { peer, addresses, budget } = dial;
    let attempt = |(place, address): (u32, SocketAddr)| {
        let budget = budget.as_deref().filter(|_| place > 0);
        async move {
            sleep(STAGGER * place).await;
            if budget.is_some_and(|budget| !budget.take(address.ip(), Instant::now())) {
                return Err(ConnectionError::Flood);
            }
            Ok(timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| ConnectionError::Timeout)??)
        }
    };
    let first_to_answer = async {
        let mut attempts: FuturesUnordered<_> = (0..).zip(addresses.into_iter().take(MAX_TRIED)).map(attempt).collect();
        while let Some(connected) = attempts.next().await {
            let met = match connected {
                Ok(stream) => timeout(MEET, meet(stream, peer, &local)).await.unwrap_or(Err(ConnectionError::Timeout)),
                Err(reason) => Err(reason),
            };
            match met {
                Ok(met) => return Some(met),
                Err(reason) => tracing::debug!(%reason, "a dial failed"),
            }
        }
        None
    };
    carry_or_fail(timeout(DIAL, first_to_answer), peer, local.clone(), hub).await;
}

/// Carries what the dial of a person leads to; a dial that comes to nothing, or panics, is reported as failed.
async fn carry_or_fail(
    dialed: impl Future<Output = Result<Option<(Socket, Met)>, Elapsed>>,
    peer: PeerId,
    local: Arc<Local>,
    hub: mpsc::Sender<Input>,
) {
    if let Some(Ok(Some((socket, met)))) = caught(dialed).await {
        return carry(socket, met, local, hub).await;
    }
    // The hub is gone only when everything is being closed.
    let _ = hub.send(Input::DialFailed { peer }).await;
}

async fn meet(stream: TcpStream, peer: PeerId, local: &Local) -> Result<(Socket, Met), ConnectionError> {
    stream.set_nodelay(true)?;
    let stream = Metered::new(stream);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(REQUEST, stream, Some(limits())).await?;
    let met = meet_as_dialer(&mut socket, local, peer).await?;
    Ok((socket, met))
}
