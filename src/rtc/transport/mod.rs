//! Transport under ICE and DTLS: host addresses, the gate against strangers, the pace of checks, the DTLS handshake
//! (its cookies, its repetition), the selected path, a direct path beside a relay, and the network emulator.

mod check_pace;
mod direct_path;
mod dtls_record;
pub(in crate::rtc) mod handshake_repeats;
pub(in crate::rtc) mod hello_verify;
pub(in crate::rtc) mod host_addresses;
pub(in crate::rtc) mod link;
pub(in crate::rtc) mod link_local;
pub(in crate::rtc) mod runtime;
pub(in crate::rtc) mod selected_path;
pub(in crate::rtc) mod servers;
pub(in crate::rtc) mod source_gate;
mod stream_gate;
pub(in crate::rtc) mod stream_relay;
mod way_out;
