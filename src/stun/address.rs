//! XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS and XOR-RELAYED-ADDRESS (RFC 8489, 14.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::message::{MAGIC_COOKIE, TRANSACTION_ID};

const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// The address in an attribute's value, an IPv4-mapped one as the IPv4 address that it is; `None` where it is none.
pub fn read_xor_address(value: &[u8], transaction: [u8; TRANSACTION_ID]) -> Option<SocketAddr> {
    let ([_, family, port @ ..], address) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes(*port) ^ u16::from_be_bytes([MAGIC_COOKIE[0], MAGIC_COOKIE[1]]);
    let ip: IpAddr = match *family {
        IPV4 => {
            Ipv4Addr::from_bits(u32::from_be_bytes(address.try_into().ok()?) ^ u32::from_be_bytes(MAGIC_COOKIE)).into()
        }
        IPV6 => Ipv6Addr::from_bits(u128::from_be_bytes(address.try_into().ok()?) ^ mask(transaction)).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// Appends an attribute's value to `to`.
pub fn write_xor_address(address: SocketAddr, transaction: [u8; TRANSACTION_ID], to: &mut Vec<u8>) {
    let port = address.port() ^ u16::from_be_bytes([MAGIC_COOKIE[0], MAGIC_COOKIE[1]]);
    let family = if address.is_ipv4() { IPV4 } else { IPV6 };
    to.extend([0, family]);
    to.extend(port.to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => to.extend((ip.to_bits() ^ u32::from_be_bytes(MAGIC_COOKIE)).to_be_bytes()),
        IpAddr::V6(ip) => to.extend((ip.to_bits() ^ mask(transaction)).to_be_bytes()),
    }
}

fn mask(transaction: [u8; TRANSACTION_ID]) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE);
    mask[4..].copy_from_slice(&transaction);
    u128::from_be_bytes(mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc::stun::attributes::ATTR_XOR_PEER_ADDRESS;
    use rtc::stun::message::{Message as Written, TransactionId};
    use rtc::stun::xoraddr::XorMappedAddress;

    use super::super::message::{Message, XOR_PEER_ADDRESS};
    use super::*;

    #[test]
    fn mapped_addresses_are_those_that_they_stand_for() {
        let mut value = Vec::new();
        write_xor_address("[::ffff:127.0.0.1]:9".parse().unwrap(), [3; 12], &mut value);
        assert_eq!(read_xor_address(&value, [3; 12]), Some("127.0.0.1:9".parse().unwrap()));
    }

    #[test]
    fn values_of_other_lengths_and_families_are_no_addresses() {
        for value in [
            &[][..],
            &[0, 1, 0, 9],
            &[0, 1, 0, 9, 1, 2, 3],
            &[0, 1, 0, 9, 1, 2, 3, 4, 5],
            &[0, 2, 0, 9, 1, 2, 3, 4],
            &[0, 3, 0, 9, 1, 2, 3, 4],
        ] {
            assert_eq!(read_xor_address(value, [0; 12]), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_those_of_the_library(bits in any::<u128>(), v4 in any::<bool>(), port in any::<u16>(), transaction in any::<[u8; 12]>()) {
            let ip = if v4 { IpAddr::from((bits as u32).to_be_bytes()) } else { IpAddr::from(bits.to_be_bytes()) };
            let mut library = Written::new();
            library.build(&[Box::new(TransactionId(transaction))]).unwrap();
            XorMappedAddress { ip, port }.add_to_as(&mut library, ATTR_XOR_PEER_ADDRESS).unwrap();
            let value = Message::read(&library.raw).unwrap().value(XOR_PEER_ADDRESS).unwrap();
            prop_assert_eq!(read_xor_address(value, transaction), Some(SocketAddr::new(ip.to_canonical(), port)));
            let mut own = Vec::new();
            write_xor_address(SocketAddr::new(ip, port), transaction, &mut own);
            prop_assert_eq!(own, value);
        }
    }
}
