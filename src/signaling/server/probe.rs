//! Probe of a server: whether the time of its answers tells who is there. It writes to the box of a contact, of a
//! stranger and of nobody, by turns, and asks for a pong each time. For measurements.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message as Packet;

use super::dial::{Dialed, dial};
use super::dial_error::DialError;
use super::egress::Egress;
use super::tls;
use crate::identity::{Identity, PeerId, ServerLink};
use crate::server_protocol::{BoxId, Device, Letter, ToServer};
use crate::signaling::local::Local;

/// Between letters: fewer than a server lets pass at once.
const PACE: Duration = Duration::from_millis(25);
/// Bytes of the letters' content, about those of a hello.
const CONTENT: usize = 900;

/// Times from a letter to the pong behind it.
#[derive(Debug, Default)]
pub struct AnswerTimes {
    /// Letters to a contact who is there.
    pub contact: Vec<Duration>,
    /// Letters to somebody who is there and does not watch the sender's box.
    pub stranger: Vec<Duration>,
    /// Letters to a box that nobody has.
    pub absent: Vec<Duration>,
}

/// Writes so many letters to each of the three; `stranger` is somebody at the server.
///
/// # Errors
///
/// Where the server does not let the probe in, in words for the log.
pub async fn time_answers(link: &ServerLink, stranger: &PeerId, rounds: usize) -> Result<AnswerTimes, String> {
    let [own, contact] = [[251; 32], [252; 32]].map(Identity::from_seed);
    let [own_box, contact_box] = [&own, &contact].map(|identity| BoxId::of(&identity.id()));
    let absent = BoxId::of(&Identity::from_seed([253; 32]).id());
    let mut friend = enter(link, contact, own_box).await.map_err(|error| error.to_string())?.socket;
    let mut socket = enter(link, own, contact_box).await.map_err(|error| error.to_string())?.socket;
    let reads = tokio::spawn(async move { while let Some(Ok(_)) = friend.next().await {} });
    let mut times = AnswerTimes::default();
    let mut turns = interval(PACE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..rounds {
        for (mailbox, times) in
            [(contact_box, &mut times.contact), (BoxId::of(stranger), &mut times.stranger), (absent, &mut times.absent)]
        {
            turns.tick().await;
            let Some(letter) = Letter::new(mailbox, Device::ALL, &[0; CONTENT]) else { continue };
            let start = Instant::now();
            let asked = async {
                socket.feed(Packet::Binary(letter.encode())).await?;
                socket.send(Packet::Ping(Bytes::new())).await
            };
            asked.await.map_err(|error| error.to_string())?;
            loop {
                match socket.next().await {
                    Some(Ok(Packet::Pong(_))) => break,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("the server closed the connection".to_owned()),
                }
            }
            times.push(start.elapsed());
        }
    }
    reads.abort();
    Ok(times)
}

/// Connects somebody who watches this box.
async fn enter(link: &ServerLink, identity: Identity, watches: BoxId) -> Result<Dialed, DialError> {
    let local = Local::new(Arc::new(identity), "Somebody").map_err(|error| DialError::NoServer(error.into()))?;
    let tls = tls::client_config(link).map_err(|error| DialError::NoServer(error.into()))?;
    let mut dialed = dial(link, &Arc::new(tls), &Egress::default(), &local).await?;
    dialed.socket.send(Packet::text(ToServer::Watch { boxes: vec![watches] }.encode())).await?;
    Ok(dialed)
}
