//! Size of a packet on the wire.

use rtc::rtp;
use rtc::shared::marshal::MarshalSize;

use crate::rtc::transport::link::DATAGRAM_HEADERS;

/// Bytes of the authentication tag of SRTP (AEAD_AES_128_GCM, RFC 7714).
const SRTP_TAG: usize = 16;
/// Bytes of the header extension with the transport-wide number (RFC 8285), which a packet gets behind the pacer.
const TRANSPORT_WIDE_NUMBER: usize = 8;

/// The bytes that `packet` takes on the wire, with all headers.
pub(in crate::rtc) fn wire_size(packet: &rtp::Packet) -> usize {
    let number = if packet.header.extension { 0 } else { TRANSPORT_WIDE_NUMBER };
    packet.marshal_size() + number + SRTP_TAG + DATAGRAM_HEADERS
}
