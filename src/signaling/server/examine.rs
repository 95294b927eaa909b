//! Examination of a server, for `doctor`: whether it is reached and lets somebody in, and by which way. It comes as
//! somebody whom nobody knows, so that no device of this person is seen there.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::dial::{Dialed, dial};
use super::egress::Egress;
use super::input::Access;
use super::status::ServerDetail;
use super::tls;
use crate::identity::{Identity, ServerLink};
use crate::network::ProxyRules;
use crate::signaling::local::Local;

/// A server that let this side in.
#[derive(Debug)]
pub struct Examined {
    /// Its relay, where it has one.
    pub relay: Option<Access>,
    /// Round-trip time to it.
    pub round_trip: Duration,
    /// By how much its clock is ahead of this computer's, in milliseconds.
    pub clock_offset_ms: i64,
}

/// Reaches a server from this computer's address `bind`, where one is given, and through the proxy that `proxies` name.
///
/// # Errors
///
/// Why the server is not reached, as a person is told it.
pub async fn examine_server(
    link: &ServerLink,
    bind: Option<IpAddr>,
    proxies: Arc<ProxyRules>,
) -> Result<Examined, ServerDetail> {
    let egress = Egress { bind, proxies, ..Egress::default() };
    let identity = Identity::generate().map_err(|_| ServerDetail::NoTls)?;
    let local = Local::new(Arc::new(identity), "Doctor").map_err(|_| ServerDetail::NoTls)?;
    let tls = Arc::new(tls::client_config(link).map_err(|_| ServerDetail::without_tls(link))?);
    let dialed = dial(link, &tls, &egress, &local).await.map_err(|error| error.detail())?;
    let Dialed { welcome, addresses, round_trip, clock_offset_ms, .. } = dialed;
    let link = link.clone();
    let relay = welcome.relay.map(|relay| Access { link, addresses, relay, round_trip, tls, egress });
    Ok(Examined { relay, round_trip, clock_offset_ms })
}
