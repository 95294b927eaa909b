//! Negotiation: translation between the typed messages of a call and the webrtc crate's text (SDP, ICE candidates).

pub(in crate::rtc) mod candidate;
pub(in crate::rtc) mod description_sdp;
