//! Listener: accepts connections from people on this network. One task; each connection runs on a task of its own that
//! the listener owns and takes down with itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{StatusCode, header};

use super::connection::{ConnectionError, HANDSHAKE, carry, caught};
use super::input::Context;
use super::metered::Metered;
use super::proof::{limits, prove_as_responder};
use crate::network::{self, ConnectionBounds, ConnectionLimits, Permit};

/// The same in every version: hellos tell the versions.
const PATH: &str = "/visavis";
const BOUNDS: ConnectionBounds = ConnectionBounds {
    open: 320,
    open_per_address: 32,
    unproven: 64,
    unproven_per_address: 8,
    new_per_second: 10,
    new_at_once: 40,
    addresses: 1024,
};
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

/// Serves incoming connections, within the limits, until it is aborted.
pub(super) async fn listen(listener: TcpListener, context: Context) {
    let limits = ConnectionLimits::new(BOUNDS);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    if let Some(permit) = limits.admit(from.ip(), Instant::now()) {
                        connections.spawn(serve(stream, context.clone(), permit));
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

async fn serve(stream: TcpStream, context: Context, mut permit: Permit) {
    let local = context.local.clone();
    let proof = async {
        stream.set_nodelay(true)?;
        let stream = Metered::new(stream);
        let mut socket = tokio_tungstenite::accept_hdr_async_with_config(stream, check_request, Some(limits())).await?;
        let proven = prove_as_responder(&mut socket, &local).await?;
        Ok::<_, ConnectionError>((socket, proven))
    };
    let proof = caught(timeout(HANDSHAKE, proof)).await.unwrap_or(Ok(Err(ConnectionError::Panicked)));
    match proof.unwrap_or(Err(ConnectionError::Timeout)) {
        Ok((socket, proven)) => {
            permit.proven();
            carry(socket, proven, false, context).await;
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
