//! Listener of a server: TCP, TLS, and then the first byte tells what a connection is: a STUN or TURN client, or HTTP.
//! Runs as one task; each connection runs on a task of its own, within the limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{StatusCode, header};

use super::connection::{ConnectionError, Proven, RelayOffer, limits, prove};
use super::exchange::Exchange;
use super::page::{self, Page};
use super::rewound::Rewound;
use super::tls;
use crate::network::{ConnectionBounds, ConnectionLimits, Permit, keep_alive};
use crate::relay;
use crate::server_protocol::PATH;

/// Limits of the listener. Many people share an address (a school, a provider's NAT), so those that have proven a key
/// are limited by key.
pub(super) const BOUNDS: ConnectionBounds = ConnectionBounds {
    open: 20_000,
    open_per_address: 2_000,
    unproven: 2_000,
    unproven_per_address: 50,
    new_per_second: 10,
    new_at_once: 50,
    addresses: 24_000,
};
/// From the first byte of a connection to the proof of its key.
const PROOF: Duration = Duration::from_secs(5);
/// Pause when the system has no more sockets to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(250);
/// Bytes of the first request at most.
const MAX_REQUEST: usize = 4096;

/// State that every connection shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) acceptor: TlsAcceptor,
    pub(super) exchange: Arc<Exchange>,
    /// The relay, where there is one.
    pub(super) turn: Option<Arc<relay::Server>>,
    pub(super) offer: RelayOffer,
}

/// Kind of a connection, by its first bytes.
enum Begun {
    App(Box<Proven<Stream>>),
    /// A page was asked for and given, or an authority's check of the domain is done.
    Answered,
    /// A client of the relay, and the bytes of it that were read.
    Turn(Bytes, Box<TlsStream<TcpStream>>),
}

type Stream = Rewound<TlsStream<TcpStream>>;

/// Serves connections until it is aborted; they end with it.
pub(super) async fn listen(listener: TcpListener, shared: Shared) {
    let limits = ConnectionLimits::new(BOUNDS);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    match limits.admit(from.ip(), Instant::now()) {
                        Some(permit) => drop(connections.spawn(serve(stream, from, shared.clone(), permit))),
                        None => shared.exchange.note_refused(),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(OUT_OF_SOCKETS).await;
                }
            },
            Some(ended) = connections.join_next() => if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!("a connection's task panicked");
            },
        }
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, shared: Shared, mut permit: Permit) {
    // Its state is large, and gone once the key is proven; the task stays.
    let proof = Box::pin(timeout(PROOF, begin(stream, from, &shared))).await;
    let reason = match proof.unwrap_or(Err(ConnectionError::Timeout)) {
        Ok(Begun::App(proven)) => {
            permit.proven();
            proven.carry().await
        }
        Ok(Begun::Turn(first, stream)) => {
            if let Some(turn) = shared.turn {
                // In a box, so that the task of an app has no room for it.
                Box::pin(turn.serve_stream(&first, *stream, from)).await;
            }
            return;
        }
        Ok(Begun::Answered) => return,
        Err(reason) => {
            shared.exchange.note_unproven();
            reason
        }
    };
    tracing::debug!(%reason, "a connection ended");
}

/// From the TCP connection to the proof.
async fn begin(stream: TcpStream, from: SocketAddr, shared: &Shared) -> Result<Begun, ConnectionError> {
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    let mut stream = shared.acceptor.accept(stream).await?;
    if tls::is_challenge(stream.get_ref().1) {
        stream.shutdown().await?;
        return Ok(Begun::Answered);
    }
    let exporter = tls::exporter(stream.get_mut().1)?;
    let request = read_request(&mut stream).await?;
    if is_stun(&request) {
        return Ok(Begun::Turn(request, Box::new(stream)));
    }
    if let Some(page) = Page::of(&request, from.ip()) {
        let relay = shared.turn.as_ref().map(|turn| turn.figures());
        stream.write_all(page::response(page, &shared.exchange.figures(), relay).as_bytes()).await?;
        stream.shutdown().await?;
        return Ok(Begun::Answered);
    }
    let stream = Rewound::new(request, stream);
    let socket = accept_hdr_async_with_config(stream, check_request, Some(limits())).await?;
    prove(socket, &exporter, &shared.exchange, &shared.offer).await.map(Box::new).map(Begun::App)
}

/// True for the beginning of STUN and TURN over a stream, whose first message is a STUN one (RFC 8489, 5).
fn is_stun(request: &[u8]) -> bool {
    request.first().is_some_and(|first| *first < 0x40)
}

/// The first request, whole, or the beginning of STUN.
async fn read_request(stream: &mut TlsStream<TcpStream>) -> Result<Bytes, ConnectionError> {
    let mut request = BytesMut::with_capacity(1024);
    while !is_stun(&request) && !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() >= MAX_REQUEST {
            return Err(ConnectionError::Request);
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(ConnectionError::Closed);
        }
    }
    Ok(request.freeze())
}

/// Browsers name the page that asks: a web page must not reach a server through its visitor.
#[expect(clippy::result_large_err, reason = "the WebSocket library's signature")]
fn check_request(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == PATH && !request.headers().contains_key(header::ORIGIN) {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = StatusCode::NOT_FOUND;
    Err(refusal)
}
