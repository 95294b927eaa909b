//! Negotiation: the typed messages of a call to the webrtc crate's text (SDP, ICE candidates), and back.

pub(in crate::rtc) mod candidate;
pub(in crate::rtc) mod description_sdp;
