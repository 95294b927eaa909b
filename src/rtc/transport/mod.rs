//! Under ICE and DTLS: which addresses are used, the gate that strangers do not pass, handshakes that a bad network loses,
//! and a bad network of one's own.

pub(in crate::rtc) mod handshake_repeats;
pub(in crate::rtc) mod host_addresses;
pub(in crate::rtc) mod link;
pub(in crate::rtc) mod runtime;
pub(in crate::rtc) mod source_gate;
