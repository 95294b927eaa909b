//! STUN and TURN messages as they stand on the wire, read without a copy (RFC 8489, RFC 8656).
//!
//! Two places read them from strangers: the source gate of a connection, and the relay. Both refuse a message that is
//! not whole, so that no two readers can take one datagram for different things. Messages are written by `rtc::stun`.

mod address;
mod channel_data;
mod credential;
mod message;
mod stream_queue;

pub use address::{read_xor_address, write_xor_address};
pub use channel_data::{CHANNEL_HEADER, ChannelData, is_channel};
pub use credential::Credential;
pub use message::{
    ALLOCATE_REQUEST, BINDING_INDICATION, BINDING_REQUEST, BINDING_SUCCESS, CHANNEL_BIND_REQUEST, CHANNEL_NUMBER,
    CREATE_PERMISSION_REQUEST, DATA, DATA_INDICATION, ERROR_CODE, EVEN_PORT, FINGERPRINT, INTEGRITY, LIFETIME,
    MAGIC_COOKIE, MESSAGE_INTEGRITY, Message, NONCE, REALM, REFRESH_REQUEST, REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT, RESERVATION_TOKEN, SEND_INDICATION, STUN_HEADER, TRANSACTION_ID, USERNAME, XOR_MAPPED_ADDRESS,
    XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS, error_of, looks_like_stun, success_of,
};
pub use stream_queue::StreamQueue;
