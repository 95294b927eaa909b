//! Answers of a relay: STUN responses, and the datagrams that it passes on.

use std::net::SocketAddr;
use std::time::Duration;

use rtc::crypto::RTCCrypto;
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM};
use rtc::stun::error_code::{ErrorCode, ErrorCodeAttribute};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{Message as Written, MessageType, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;
use rtc::stun::uattrs::UnknownAttributes;
use rtc::stun::xoraddr::XorMappedAddress;
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::relayaddr::RelayedAddress;

use crate::stun::{
    CHANNEL_HEADER, ChannelData, DATA, DATA_INDICATION, MAGIC_COOKIE, Message, STUN_HEADER, TRANSACTION_ID,
    XOR_PEER_ADDRESS, error_of, success_of, write_xor_address,
};

/// Bytes of an attribute's header, and of an attribute with an IPv4 address.
const ATTRIBUTE_HEADER: usize = 4;
const ADDRESS_ATTRIBUTE: usize = ATTRIBUTE_HEADER + 8;

/// Reason for which a request is refused (RFC 8489, 14.8; RFC 8656, 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Refusal {
    BadRequest = 400,
    Unauthorized = 401,
    UnknownAttribute = 420,
    AllocationMismatch = 437,
    StaleNonce = 438,
    FamilyNotSupported = 440,
    WrongCredentials = 441,
    TransportNotSupported = 442,
    PeerFamilyMismatch = 443,
    AllocationQuota = 486,
    InsufficientCapacity = 508,
}

/// Fields of a success response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Success {
    /// The client's address as the relay sees it.
    pub(super) mapped: Option<SocketAddr>,
    pub(super) relayed: Option<SocketAddr>,
    pub(super) lifetime: Option<Duration>,
}

/// The key of the client that asks, where it has proved to know it.
pub(super) type Key<'a> = Option<&'a [u8]>;

/// The success response to `request`.
pub(super) fn success(
    request: &Message<'_>,
    success: Success,
    key: Key<'_>,
    crypto: &dyn RTCCrypto,
) -> Option<Vec<u8>> {
    let mut fields: Vec<Box<dyn Setter + '_>> = Vec::new();
    if let Some(relayed) = success.relayed {
        fields.push(Box::new(RelayedAddress { ip: relayed.ip(), port: relayed.port() }));
    }
    if let Some(mapped) = success.mapped {
        fields.push(Box::new(XorMappedAddress { ip: mapped.ip(), port: mapped.port() }));
    }
    if let Some(lifetime) = success.lifetime {
        fields.push(Box::new(Lifetime(lifetime)));
    }
    write(success_of(request.kind()), request, fields, key, crypto)
}

/// The error response to `request`, without a reason in words: what goes to anybody is short.
pub(super) fn refusal(
    request: &Message<'_>,
    refusal: Refusal,
    (realm, nonce): (&str, Option<String>),
    key: Key<'_>,
    crypto: &dyn RTCCrypto,
) -> Option<Vec<u8>> {
    let code = ErrorCode(refusal as u16);
    let mut fields: Vec<Box<dyn Setter + '_>> = vec![Box::new(ErrorCodeAttribute { code, reason: Vec::new() })];
    if let Some(nonce) = nonce {
        fields.push(Box::new(TextAttribute::new(ATTR_REALM, realm.to_owned())));
        fields.push(Box::new(TextAttribute::new(ATTR_NONCE, nonce)));
    }
    if refusal == Refusal::UnknownAttribute {
        let unknown = unknown_attributes(request).map(rtc::stun::attributes::AttrType).collect();
        fields.push(Box::new(UnknownAttributes(unknown)));
    }
    write(error_of(request.kind()), request, fields, key, crypto)
}

fn write<'a>(
    kind: u16,
    request: &Message<'_>,
    fields: Vec<Box<dyn Setter + 'a>>,
    key: Key<'_>,
    crypto: &'a dyn RTCCrypto,
) -> Option<Vec<u8>> {
    let mut typ = MessageType::default();
    typ.read_value(kind);
    let mut setters: Vec<Box<dyn Setter + 'a>> = vec![Box::new(TransactionId(request.transaction())), Box::new(typ)];
    setters.extend(fields);
    if let Some(key) = key {
        setters.push(Box::new(MessageIntegrity::new_raw_integrity_with_provider(key, crypto)));
    }
    let mut message = Written::new();
    message
        .build(&setters)
        .inspect_err(|error| tracing::warn!(%error, "an answer of the relay could not be written"))
        .ok()?;
    Some(message.raw)
}

/// Attributes that a server must understand and this one does not (RFC 8489, 6.3.1): of those below 0x8000.
pub(super) fn unknown_attributes(request: &Message<'_>) -> impl Iterator<Item = u16> {
    use crate::stun::*;
    const KNOWN: [u16; 12] = [
        USERNAME,
        MESSAGE_INTEGRITY,
        REALM,
        NONCE,
        CHANNEL_NUMBER,
        LIFETIME,
        XOR_PEER_ADDRESS,
        DATA,
        REQUESTED_ADDRESS_FAMILY,
        EVEN_PORT,
        REQUESTED_TRANSPORT,
        RESERVATION_TOKEN,
    ];
    request.attributes().map(|(kind, _)| kind).filter(|kind| *kind < 0x8000 && !KNOWN.contains(kind)).take(8)
}

/// Bytes of `data` bytes as they leave: on a channel, or in a Data indication with the IPv4 address of a number.
pub(super) const fn length_of(channel: Option<u16>, data: usize, pads: bool) -> usize {
    match channel {
        Some(_) if pads => CHANNEL_HEADER + data.next_multiple_of(4),
        Some(_) => CHANNEL_HEADER + data,
        None => STUN_HEADER + ADDRESS_ATTRIBUTE + ATTRIBUTE_HEADER + data.next_multiple_of(4),
    }
}

/// Writes ChannelData into `to`.
pub(super) fn channel_data(number: u16, data: &[u8], pads: bool, to: &mut Vec<u8>) {
    to.clear();
    to.extend(ChannelData::head(number, data.len() as u16));
    to.extend(data);
    if pads {
        to.resize(to.len().next_multiple_of(4), 0);
    }
}

/// Writes a Data indication into `to`.
pub(super) fn data_indication(peer: SocketAddr, transaction: [u8; TRANSACTION_ID], data: &[u8], to: &mut Vec<u8>) {
    to.clear();
    to.extend(DATA_INDICATION.to_be_bytes());
    to.extend([0, 0]);
    to.extend(MAGIC_COOKIE);
    to.extend(transaction);
    to.extend(XOR_PEER_ADDRESS.to_be_bytes());
    to.extend([0, if peer.is_ipv4() { 8 } else { 20 }]);
    write_xor_address(peer, transaction, to);
    to.extend(DATA.to_be_bytes());
    to.extend((data.len() as u16).to_be_bytes());
    to.extend(data);
    to.resize(to.len().next_multiple_of(4), 0);
    let length = (to.len() - STUN_HEADER) as u16;
    to[2..4].copy_from_slice(&length.to_be_bytes());
}
