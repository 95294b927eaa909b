//! Status of a server, for the person at this computer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::ServerLink;
use crate::signaling::clocks::clocks_differ;

/// State of the connection to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// It is being reached for the first time.
    Connecting,
    /// People are reached over it.
    Online,
    /// It is not reached; tries go on.
    Offline,
    /// It has another key, a wrong certificate or another version, or does not let this side in; tries go on, rarely.
    Refused,
}

/// Why a server is not online, or a fault of one that is. Written out, it is a sentence that says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerDetail {
    /// Its name has no address.
    UnknownName,
    /// Nothing answers at its address.
    NoAnswer,
    /// The network's proxy does not answer, or does not lead to it.
    Proxy,
    /// The proxy of this computer's settings cannot be used.
    ProxySetting,
    /// Another key answers than that of the link.
    OtherKey,
    /// Its certificate is one of another name than the link's.
    OtherName,
    /// Its certificate's time is over, or has not begun by this computer's clock.
    Expired,
    /// No authority that this computer trusts has issued its certificate, and its link has no hash.
    Untrusted,
    /// Something else answers, such as the page of a network that one signs in to.
    NoServer,
    /// No version of the protocol is common.
    OtherVersion,
    /// It lets this side not in.
    Refused,
    /// The connection was lost.
    Lost,
    /// Its clock and this computer's differ by more than a minute.
    ClocksDiffer,
    /// TLS cannot be set up here.
    NoTls,
}

impl ServerDetail {
    /// Why TLS towards the server of this link cannot be set up: without a hash in the link it needs the system's
    /// certificate authorities.
    pub(super) const fn without_tls(link: &ServerLink) -> Self {
        if link.key_hash().is_some() { Self::NoTls } else { Self::Untrusted }
    }
}

impl fmt::Display for ServerDetail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnknownName => "The server's name is not known. Check the network, and the link.",
            Self::NoAnswer => "The server does not answer. It may be off, or this network may block it.",
            Self::Proxy => {
                "The proxy of this network does not lead to the server. Check HTTPS_PROXY, with its user name and password, or \
                 ask the people who run the network."
            }
            Self::ProxySetting => {
                "The proxy of this computer's settings cannot be used. HTTPS_PROXY has the form \
                 http://USER:PASSWORD@HOST:PORT or socks5://HOST:PORT."
            }
            Self::OtherKey => {
                "The server has another key than its link says. Ask for its new link; if there is none, something in the \
                 network pretends to be it."
            }
            Self::OtherName => {
                "The server's certificate is one of another name than its link has. Ask for its whole link, with the \
                 part after *; if there is none, something in the network may pretend to be it."
            }
            Self::Expired => {
                "The server's certificate is out of date. Check this computer's clock, or ask the person who runs the \
                 server."
            }
            Self::Untrusted => {
                "No authority that this computer trusts vouches for the server's certificate. Ask for its whole link, \
                 with the part after *; if there is none, something in the network may pretend to be it."
            }
            Self::NoServer => {
                "Something other than a Visavis server answers. Perhaps this network wants you to sign in first: open a \
                 web page."
            }
            Self::OtherVersion => "The server speaks another version. Update Visavis, or ask for the server to be updated.",
            Self::Refused => "The server refused the connection. Try again later, or ask the person who runs it.",
            Self::Lost => "The connection to the server was lost. It is being restored.",
            Self::ClocksDiffer => {
                "This computer's clock and the server's differ by more than a minute. Calls work all the same; check the \
                 clock."
            }
            Self::NoTls => "Secure connections cannot be set up on this computer. Start Visavis again.",
        })
    }
}

/// Status of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// The server.
    pub link: ServerLink,
    /// State.
    pub state: ServerState,
    /// Why it is not online, or its fault.
    pub detail: Option<ServerDetail>,
    /// Round-trip time to it in milliseconds, when it is online.
    pub round_trip_ms: Option<u32>,
    /// By how many milliseconds its clock is ahead of this computer's, when it is online.
    pub clock_offset_ms: Option<i64>,
}

impl ServerStatus {
    /// A server that is not reached yet, or not any more.
    pub fn new(link: &ServerLink, state: ServerState, detail: Option<ServerDetail>) -> Self {
        Self { link: link.clone(), state, detail, round_trip_ms: None, clock_offset_ms: None }
    }

    pub(super) fn online(link: &ServerLink, round_trip_ms: u32, clock_offset_ms: i64) -> Self {
        let detail = clocks_differ(clock_offset_ms).then_some(ServerDetail::ClocksDiffer);
        let (round_trip_ms, clock_offset_ms) = (Some(round_trip_ms), Some(clock_offset_ms));
        Self { link: link.clone(), state: ServerState::Online, detail, round_trip_ms, clock_offset_ms }
    }

    /// Whether it says the same but for figures that always change a little.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        (self.state, self.detail) == (other.state, other.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_told_above_a_minute() {
        let link = ServerLink::new("a.example", 443, b"key").unwrap();
        for (offset, told) in [(0, false), (60_000, false), (-60_000, false), (60_001, true), (i64::MIN, true)] {
            let detail = ServerStatus::online(&link, 9, offset).detail;
            assert_eq!(detail, told.then_some(ServerDetail::ClocksDiffer), "{offset}");
        }
    }
}
