//! Under ICE and DTLS: which addresses are used, the gate that strangers do not pass, the pace of checks, handshakes
//! that a bad network loses, and a bad network of one's own.

mod check_pace;
pub(in crate::rtc) mod handshake_repeats;
pub(in crate::rtc) mod host_addresses;
pub(in crate::rtc) mod link;
pub(in crate::rtc) mod link_local;
pub(in crate::rtc) mod runtime;
pub(in crate::rtc) mod source_gate;
mod stream_gate;
