//! Session descriptions that two sides exchange to connect: typed fields, never session-description text, so that
//! nothing a peer sends can smuggle a line into the engine's SDP (RFC 8866). `rtc` turns them into SDP and back.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::media::VideoLevel;

/// Whether a description offers or answers (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionKind {
    /// The callee's, made after Answer.
    Offer,
    /// The caller's reply.
    Answer,
}

/// The `a=setup` role of the DTLS handshake (RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DtlsSetup {
    /// Either (offers).
    ActPass,
    /// Client.
    Active,
    /// Server.
    Passive,
}

/// One side of a peer connection: H.264 video with RTX, and Opus, each with fixed payload types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Offer or answer.
    pub kind: DescriptionKind,
    /// 0 for the description that connects, one more for each ICE restart (RFC 8445, 9); an answer has its offer's.
    #[serde(default)]
    pub generation: u32,
    /// ICE user name fragment: 4..=256 ice-chars (RFC 8839).
    pub ice_ufrag: String,
    /// ICE password: 22..=256 ice-chars (RFC 8839).
    pub ice_pwd: String,
    /// SHA-256 of the DTLS certificate, as upper-case hexadecimal pairs joined by colons (RFC 8122).
    pub fingerprint: String,
    /// DTLS role.
    pub setup: DtlsSetup,
    /// SSRC of the sound.
    pub audio_ssrc: u32,
    /// SSRC of the video.
    pub video_ssrc: u32,
    /// SSRC of the video's retransmissions (RFC 4588).
    pub rtx_ssrc: u32,
    /// SSRC of the video's forward error correction (RFC 8627); 0: none is understood or sent.
    #[serde(default)]
    pub fec_ssrc: u32,
    /// It understands redundant sound (RFC 2198); versions before did not.
    #[serde(default)]
    pub audio_red: bool,
    /// The H.264 level up to which it decodes: pictures that are larger, or come faster, must not be sent to it (RFC
    /// 6184, 8.1). Versions before decode level 3.1 for all that is known of them.
    #[serde(default)]
    pub video_level: VideoLevel,
}

impl Description {
    /// SSRCs of the streams that this side sends, 0 for one that it does not.
    pub const fn ssrcs(&self) -> [u32; 4] {
        [self.audio_ssrc, self.video_ssrc, self.rtx_ssrc, self.fec_ssrc]
    }
}

/// What kind of address a candidate is (RFC 8445).
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

/// One ICE candidate over UDP (RFC 8445, trickled as RFC 8838).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// That of the description that it belongs to.
    #[serde(default)]
    pub generation: u32,
    /// Groups candidates: 1..=32 ice-chars.
    pub foundation: String,
    /// Priority (RFC 8445, 5.1.2).
    pub priority: u32,
    /// Address.
    pub address: IpAddr,
    /// UDP port.
    pub port: u16,
    /// Kind.
    pub kind: CandidateKind,
}
