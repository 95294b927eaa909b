//! ICE candidates as messages carry them (RFC 8445; trickled as in RFC 8838).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Foundation;

/// Kind of address of a candidate (RFC 8445, 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// An interface's own.
    Host,
    /// As a STUN server sees it.
    Srflx,
    /// As the peer sees it.
    Prflx,
    /// A TURN server's.
    Relay,
}

/// One ICE candidate over UDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReadCandidate")]
pub struct Candidate {
    /// Generation of the description that it belongs to.
    pub generation: u32,
    /// Groups candidates.
    pub foundation: Foundation,
    /// Priority (RFC 8445, 5.1.2).
    pub priority: u32,
    /// Address.
    pub address: IpAddr,
    /// UDP port.
    pub port: u16,
    /// Kind.
    pub kind: CandidateKind,
}

/// A candidate as it is read, before its address is checked.
#[derive(Deserialize)]
struct ReadCandidate {
    #[serde(default)]
    generation: u32,
    foundation: Foundation,
    priority: u32,
    address: IpAddr,
    port: u16,
    kind: CandidateKind,
}

/// A candidate whose address is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the candidate's address is nobody's")]
struct NobodysAddress;

impl TryFrom<ReadCandidate> for Candidate {
    type Error = NobodysAddress;

    fn try_from(read: ReadCandidate) -> Result<Self, NobodysAddress> {
        let ReadCandidate { generation, foundation, priority, address, port, kind } = read;
        if port == 0 || address.is_unspecified() || address.is_multicast() {
            return Err(NobodysAddress);
        }
        Ok(Self { generation, foundation, priority, address, port, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_stay_within_their_bounds() {
        let read = |foundation: &str, address: &str, port: u16| {
            let json = serde_json::json!({
                "foundation": foundation, "priority": 1, "address": address, "port": port, "kind": "host",
            });
            serde_json::from_value::<Candidate>(json)
        };
        assert_eq!(read("1", "192.0.2.1", 9).unwrap().generation, 0);
        for (foundation, address, port) in [
            ("", "192.0.2.1", 9),
            ("1 2", "192.0.2.1", 9),
            ("1", "0.0.0.0", 9),
            ("1", "ff02::1", 9),
            ("1", "somewhere.example", 9),
            ("1", "192.0.2.1", 0),
        ] {
            assert!(read(foundation, address, port).is_err(), "{foundation} {address} {port}");
        }
    }
}
