//! Dials: attempts at a person's addresses, each on a task of its own that the route's task owns. A dial that leads to
//! the person carries their connection until it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use super::connection::{ConnectionError, carry, caught};
use super::dial_budget::DialBudget;
use super::input::{Context, Input};
use super::metered::Metered;
use super::proof::{Socket, limits, prove_as_initiator};
use crate::identity::PeerId;
use crate::signaling::handshake::Proven;
use crate::signaling::local::Local;

/// The same for everybody and for every version: the request names nobody and no address.
const REQUEST: &str = "ws://visavis.local/visavis";
const CONNECT: Duration = Duration::from_secs(1);
/// Between attempts at one person's addresses.
const STAGGER: Duration = Duration::from_millis(200);
/// For the proofs on one connection, while other addresses wait.
const PROOF: Duration = Duration::from_millis(1500);
/// For a dial in all: at addresses that never answer it would keep others waiting.
const DIAL: Duration = Duration::from_secs(3);
/// Addresses of one person that a dial tries.
const MAX_TRIED: usize = 8;

/// Addresses to dial a person at.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) peer: PeerId,
    pub(super) addresses: Vec<SocketAddr>,
    /// Runs of their app that need no other connection.
    pub(super) connected: Vec<Arc<str>>,
    /// Budget that must grant each attempt but the first, if one must.
    pub(super) budget: Option<Arc<DialBudget>>,
}

/// Connects to a person at the first address that leads to them, and carries records until the connection ends. An
/// address that does not answer holds the next one up for a moment only (RFC 8305, 5).
pub(super) async fn dial(dial: Dial, context: Context) {
    let Dial { peer, addresses, connected, budget } = dial;
    let local = context.local.clone();
    let attempt = |(place, address): (u32, SocketAddr)| {
        let budget = budget.as_deref().filter(|_| place > 0);
        async move {
            sleep(STAGGER * place).await;
            if budget.is_some_and(|budget| !budget.take(address.ip(), Instant::now())) {
                return Err(ConnectionError::DialBudget);
            }
            let stream =
                timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| ConnectionError::Timeout)??;
            Ok((address, stream))
        }
    };
    let first_to_answer = async {
        let mut attempts: FuturesUnordered<_> = (0..).zip(addresses.into_iter().take(MAX_TRIED)).map(attempt).collect();
        while let Some(attempt) = attempts.next().await {
            let reason = match attempt {
                Ok((address, stream)) => {
                    let proof = timeout(PROOF, prove(stream, peer, &local, &connected)).await;
                    match proof.unwrap_or(Err(ConnectionError::Timeout)) {
                        Ok(proven) => return Some(proven),
                        Err(ConnectionError::Connected(run)) => {
                            let led = Input::Led { peer, run: Arc::clone(&run), address };
                            // The route's task is gone only when everything is being closed.
                            let _ = context.lan.send(led).await;
                            ConnectionError::Connected(run)
                        }
                        Err(reason) => reason,
                    }
                }
                Err(reason) => reason,
            };
            tracing::debug!(%reason, "a dial failed");
        }
        None
    };
    carry_or_fail(timeout(DIAL, first_to_answer), peer, context.clone()).await;
}

/// Carries the connection that the dial of a person leads to; a dial that comes to nothing, or panics, is reported as
/// failed.
async fn carry_or_fail(
    dialed: impl Future<Output = Result<Option<(Socket, Proven)>, Elapsed>>,
    peer: PeerId,
    context: Context,
) {
    if let Some(Ok(Some((socket, proven)))) = caught(dialed).await {
        return carry(socket, proven, true, context).await;
    }
    // The route's task is gone only when everything is being closed.
    let _ = context.lan.send(Input::DialFailed { peer }).await;
}

async fn prove(
    stream: TcpStream,
    peer: PeerId,
    local: &Local,
    connected: &[Arc<str>],
) -> Result<(Socket, Proven), ConnectionError> {
    stream.set_nodelay(true)?;
    let stream = Metered::new(stream);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(REQUEST, stream, Some(limits())).await?;
    let proven = prove_as_initiator(&mut socket, local, peer, connected).await?;
    Ok((socket, proven))
}
