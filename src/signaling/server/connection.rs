//! Connection to one server, for as long as it is among this side's: dialed, carried, and dialed again. Runs as one
//! task.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message as Packet};

use super::backoff::Backoff;
use super::dial::{Dialed, Socket, dial};
use super::dial_error::DialError;
use super::input::{Access, Context, Input, LinkKey, Request};
use super::sessions::{News, Sessions};
use super::status::{ServerDetail, ServerState, ServerStatus};
use crate::identity::ServerLink;
use crate::network::NetworkMonitor;
use crate::server_protocol::{BoxId, Letter, MAX_BOXES, Refusal, ToApp, ToServer};

/// Between pings, which show whether the server works; servers let go of apps that say nothing for 120 s, and proxies
/// of connections that are silent for a minute. TCP's keep-alive shows within 24 s whether the computers reach each
/// other.
const PING: Duration = Duration::from_secs(50);
/// The same through a proxy, at which TCP's keep-alive ends.
const PING_BY_PROXY: Duration = Duration::from_secs(15);
/// For the answer to a ping.
const PONG: Duration = Duration::from_secs(5);
/// For the answer to a ping that asks whether the connection leads anywhere yet: nobody was heard, or another network
/// is there.
const PROBE: Duration = Duration::from_millis(1500);
/// Validity of a relay's credential at least, in seconds: with less a server would be dialed all the time.
const LEAST_VALID_S: u32 = 600;
const WRITE: Duration = Duration::from_secs(10);
/// Between looks at the sessions' deadlines, while there are some.
const TICK: Duration = Duration::from_millis(250);
/// Before a server is dialed again that had another key or another version.
const REFUSED: Duration = Duration::from_secs(30);

/// Why a connection that stood ends. For the log, but for the server's own word.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<WebSocketError>),
    #[error("the server closed it")]
    Closed,
    #[error("the server refused it: {0:?}")]
    Refused(Refusal),
    #[error("no answer")]
    Silence,
    #[error("what came belongs not here")]
    Protocol,
    #[error("this computer slept, or its networks are others")]
    Awake,
    #[error("it is wanted no more")]
    Unwanted,
    #[error("the relay's credential is to be renewed")]
    Expiring,
}

impl From<WebSocketError> for Ended {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// A server among this side's.
pub(super) struct Connection {
    pub(super) link: ServerLink,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) number: u64,
    pub(super) context: Context,
    pub(super) requests: mpsc::Receiver<Request>,
    /// Lets the hub's frames in: given to the links of whoever is reached.
    pub(super) to_self: mpsc::WeakSender<Request>,
    pub(super) networks: NetworkMonitor,
}

impl Connection {
    /// Works until nobody makes requests any more.
    pub(super) async fn run(mut self) {
        let mut sessions = Sessions::new(Arc::clone(&self.context.local), Instant::now(), random_number);
        let (mut backoff, mut told) = (Backoff::default(), None);
        self.tell(&mut told, ServerStatus::new(&self.link, ServerState::Connecting, None)).await;
        loop {
            let dialed = tokio::select! {
                dialed = dial(&self.link, &self.tls, &self.context.egress, &self.context.local) => dialed,
                // The dial may wait for a network that is gone.
                _ = self.networks.changed() => continue,
            };
            let pause = match dialed {
                Ok(dialed) => {
                    backoff.reached();
                    let round_trip_ms = dialed.round_trip.as_millis().try_into().unwrap_or(u32::MAX);
                    let status = ServerStatus::online(&self.link, round_trip_ms, dialed.clock_offset_ms);
                    self.tell(&mut told, status).await;
                    let reason = self.carry(dialed, &mut sessions).await;
                    tracing::debug!(%reason, "a connection to a server ended");
                    let gone = sessions.disconnected();
                    self.report(gone).await;
                    if matches!(reason, Ended::Unwanted) {
                        return;
                    }
                    let lost = ServerStatus::new(&self.link, ServerState::Offline, Some(ServerDetail::Lost));
                    self.tell(&mut told, lost).await;
                    match reason {
                        Ended::Awake | Ended::Expiring => Duration::ZERO,
                        _ => backoff.pause(Instant::now(), fastrand::f64()),
                    }
                }
                Err(reason) => {
                    tracing::debug!(%reason, "a server was not reached");
                    self.tell(&mut told, self.status_of(&reason)).await;
                    if reason.is_refusal() { REFUSED } else { backoff.pause(Instant::now(), fastrand::f64()) }
                }
            };
            if !self.wait(pause, &mut sessions).await {
                return;
            }
        }
    }

    fn status_of(&self, reason: &DialError) -> ServerStatus {
        let state = if reason.is_refusal() { ServerState::Refused } else { ServerState::Offline };
        ServerStatus::new(&self.link, state, Some(reason.detail()))
    }

    async fn tell(&self, told: &mut Option<ServerStatus>, status: ServerStatus) {
        if told.as_ref().is_none_or(|told| !told.says_the_same(&status)) {
            *told = Some(status.clone());
            self.context.input(Input::Status { server: self.number, status }).await;
        }
    }

    /// Waits before the next dial, or until there are other networks; false when there is to be none.
    async fn wait(&mut self, pause: Duration, sessions: &mut Sessions) -> bool {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                _ = self.networks.changed() => return true,
                request = self.requests.recv() => match request {
                    Some(Request::Seek { peer, until }) => drop(sessions.seek(Instant::now(), peer, until)),
                    // Nobody is reached now.
                    Some(Request::Send { .. } | Request::Renew(_) | Request::Close(_) | Request::CloseRun(..)) => {}
                    Some(Request::End) | None => return false,
                },
            }
        }
    }

    async fn carry(&mut self, dialed: Dialed, sessions: &mut Sessions) -> Ended {
        let Dialed { socket, welcome, addresses, is_proxied, own, round_trip, .. } = dialed;
        let (link, tls, egress) = (self.link.clone(), Arc::clone(&self.tls), self.context.egress.clone());
        // A welcome alone brings another credential.
        let valid_s = welcome.relay.as_ref().map_or(u32::MAX, |relay| relay.valid_s.max(LEAST_VALID_S));
        let renew_at = tokio::time::Instant::now() + Duration::from_secs(valid_s.into()) / 2;
        let access = welcome.relay.map(|relay| Access { link, addresses, relay, round_trip, tls, egress });
        self.context.input(Input::Access { server: self.number, access }).await;
        let most = usize::try_from(welcome.limits.watches).unwrap_or(usize::MAX);
        let sleeps = self.networks.state().sleeps;
        let ping_every = if is_proxied { PING_BY_PROXY } else { PING };
        let probe = probe_patience(round_trip);
        let mut standing =
            Standing { socket, own, sleeps, most, ping_every, probe, renew_at, pong_by: None, is_probed: false };
        let ended = self.serve(&mut standing, sessions).await;
        self.context.input(Input::Access { server: self.number, access: None }).await;
        let Err(reason) = ended;
        if matches!(reason, Ended::Unwanted) {
            // A word is a courtesy, and nobody waits for a server that does not take it.
            let _ = timeout(Duration::from_millis(300), standing.socket.send(Packet::Close(None))).await;
        }
        reason
    }

    async fn serve(
        &mut self,
        standing: &mut Standing,
        sessions: &mut Sessions,
    ) -> Result<std::convert::Infallible, Ended> {
        let (mut people, mut name) = (self.context.local.people(), self.context.local.name.subscribe());
        self.carry_out(standing, sessions.connected(Instant::now(), standing.most)).await?;
        let mut ping_at = tokio::time::Instant::now() + standing.ping_every;
        let mut tick_at = tokio::time::Instant::now() + TICK;
        loop {
            let pong_by = standing.pong_by;
            let news = tokio::select! {
                packet = standing.socket.next() => match packet.ok_or(Ended::Closed)?? {
                    Packet::Binary(bytes) => {
                        let letter = Letter::decode(&bytes).map_err(|_| Ended::Protocol)?;
                        sessions.letter(Instant::now(), &letter)
                    }
                    Packet::Text(text) => control(sessions, &text)?,
                    Packet::Pong(_) => {
                        (standing.pong_by, standing.is_probed) = (None, false);
                        Vec::new()
                    }
                    Packet::Ping(_) => Vec::new(),
                    Packet::Close(_) => return Err(Ended::Closed),
                    Packet::Frame(_) => return Err(Ended::Protocol),
                },
                request = self.requests.recv() => match request {
                    Some(Request::Send { peer, device, run, frame }) => {
                        sessions.send(&peer, device, &run, &frame)
                    }
                    Some(Request::Seek { peer, until }) => sessions.seek(Instant::now(), peer, until),
                    Some(Request::Close(peer)) => sessions.close(Instant::now(), peer),
                    Some(Request::CloseRun(peer, run)) => sessions.close_run(Instant::now(), peer, &run),
                    Some(Request::Renew(peer)) => {
                        standing.probe().await?;
                        sessions.renew(Instant::now(), peer)
                    }
                    Some(Request::End) | None => return Err(Ended::Unwanted),
                },
                _ = people.changed() => sessions.follow(Instant::now(), standing.most),
                _ = name.changed() => {
                    let name = name.borrow_and_update().clone();
                    sessions.rename(&name)
                }
                state = self.networks.changed() => {
                    if state.has_lost(standing.own, standing.sleeps) {
                        return Err(Ended::Awake);
                    }
                    standing.probe().await?;
                    Vec::new()
                }
                () = sleep_until(ping_at) => {
                    standing.ping(PONG).await?;
                    ping_at = tokio::time::Instant::now() + standing.ping_every;
                    Vec::new()
                }
                () = sleep_until(pong_by.unwrap_or(ping_at)), if pong_by.is_some() => {
                    return Err(if standing.is_probed { Ended::Awake } else { Ended::Silence });
                }
                () = sleep_until(standing.renew_at) => return Err(Ended::Expiring),
                () = sleep_until(tick_at), if sessions.is_busy() => {
                    tick_at = tokio::time::Instant::now() + TICK;
                    sessions.tick(Instant::now())
                }
            };
            self.carry_out(standing, news).await?;
        }
    }

    async fn carry_out(&self, standing: &mut Standing, news: Vec<News>) -> Result<(), Ended> {
        for news in news {
            match news {
                News::Letter(letter) => standing.write(Packet::Binary(letter.encode())).await?,
                News::Watch(boxes) => {
                    standing.name(&boxes, |boxes| ToServer::Watch { boxes }).await?;
                }
                News::Unwatch(boxes) => {
                    standing.name(&boxes, |boxes| ToServer::Unwatch { boxes }).await?;
                }
                News::Up { .. } | News::Received { .. } | News::Down { .. } => self.report(vec![news]).await,
            }
        }
        Ok(())
    }

    /// Tells the route's task what concerns people.
    async fn report(&self, news: Vec<News>) {
        for news in news {
            let input = match news {
                News::Up { device, up } => {
                    let (peer, run) = (up.peer, Arc::clone(&up.instance));
                    let to_self = self.to_self.clone();
                    let take = move |frame: Bytes| {
                        let send = Request::Send { peer, device, run: Arc::clone(&run), frame };
                        to_self.upgrade().is_some_and(|requests| requests.try_send(send).is_ok())
                    };
                    Input::Up { link: self.link_to(device), up, take: Box::new(take) }
                }
                News::Received { peer, device, instance, incoming } => {
                    Input::Received { link: self.link_to(device), peer, instance, incoming }
                }
                News::Down { peer, device } => Input::Down { link: self.link_to(device), peer },
                News::Letter(_) | News::Watch(_) | News::Unwatch(_) => continue,
            };
            self.context.input(input).await;
        }
    }

    const fn link_to(&self, device: crate::server_protocol::Device) -> LinkKey {
        LinkKey { server: self.number, device }
    }
}

/// A connection that stands.
struct Standing {
    socket: Socket,
    /// This side's address.
    own: IpAddr,
    /// Sleeps of the computer when it began.
    sleeps: u32,
    /// Boxes that may be watched.
    most: usize,
    ping_every: Duration,
    /// For the answer to a probe.
    probe: Duration,
    /// When the relay's credential has half of its time left.
    renew_at: tokio::time::Instant,
    /// Until when the answer to a ping must have come.
    pong_by: Option<tokio::time::Instant>,
    /// The ping asks whether the connection leads anywhere yet.
    is_probed: bool,
}

impl Standing {
    async fn write(&mut self, packet: Packet) -> Result<(), Ended> {
        timeout(WRITE, self.socket.send(packet)).await.map_err(|_| Ended::Silence)??;
        Ok(())
    }

    async fn name(&mut self, boxes: &[BoxId], message: impl Fn(Vec<BoxId>) -> ToServer) -> Result<(), Ended> {
        for boxes in boxes.chunks(MAX_BOXES) {
            self.write(Packet::text(message(boxes.to_vec()).encode())).await?;
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<(), Ended> {
        self.is_probed = true;
        self.ping(self.probe).await
    }

    async fn ping(&mut self, patience: Duration) -> Result<(), Ended> {
        let by = tokio::time::Instant::now() + patience;
        self.pong_by = Some(self.pong_by.map_or(by, |earlier| earlier.min(by)));
        self.write(Packet::Ping(Bytes::new())).await
    }
}

/// Time for the answer to a probe of a server at this round-trip time.
fn probe_patience(round_trip: Duration) -> Duration {
    PROBE.max(round_trip * 3)
}

fn control(sessions: &mut Sessions, text: &str) -> Result<Vec<News>, Ended> {
    match ToApp::decode(text).map_err(|_| Ended::Protocol)? {
        Some(ToApp::Up { devices }) => Ok(sessions.up(Instant::now(), &devices)),
        Some(ToApp::Down { devices }) => Ok(sessions.down(Instant::now(), &devices)),
        Some(ToApp::Refused { reason }) => Err(Ended::Refused(reason)),
        Some(ToApp::Challenge(_) | ToApp::Welcome(_)) => Err(Ended::Protocol),
        None => Ok(Vec::new()),
    }
}

fn random_number() -> Option<[u8; 8]> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_server_has_longer_to_answer_a_probe_than_a_near_one() {
        let patience = |ms| probe_patience(Duration::from_millis(ms)).as_millis();
        assert_eq!([0, 50, 500, 501, 2000].map(patience), [1500, 1500, 1500, 1503, 6000]);
        assert!(probe_patience(Duration::from_millis(50)) < PONG, "a probe asks sooner than a ping");
    }
}
