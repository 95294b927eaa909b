//! SOCKS 5 (RFC 1928), with user name and password (RFC 1929).

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::credentials::Credentials;
use super::error::ProxyError;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
/// Version of the negotiation of RFC 1929.
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Has the proxy at the other end of `stream` connect it to a host and port.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    credentials: Option<&Credentials>,
    host: &str,
    port: u16,
) -> Result<(), ProxyError> {
    let methods: &[u8] =
        if credentials.is_some() { &[NO_AUTHENTICATION, USER_AND_PASSWORD] } else { &[NO_AUTHENTICATION] };
    send(stream, &[&[VERSION, methods.len() as u8], methods].concat()).await?;
    match (receive(stream).await?, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, USER_AND_PASSWORD], Some(credentials)) => log_in(stream, credentials).await?,
        ([VERSION, NO_METHOD], _) => return Err(ProxyError::Credentials),
        _ => return Err(ProxyError::Protocol),
    }
    send(stream, &[&[VERSION, CONNECT, 0], address(host)?.as_slice(), &port.to_be_bytes()].concat()).await?;
    let [version, reply, _, kind] = receive(stream).await?;
    match (version, reply) {
        (VERSION, 0) => {}
        (VERSION, code) => return Err(ProxyError::Refused(code.into())),
        _ => return Err(ProxyError::Protocol),
    }
    let bound = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => stream.read_u8().await?.into(),
        _ => return Err(ProxyError::Protocol),
    };
    // The address of the proxy's own end, of which nothing follows, and its port.
    stream.read_exact(&mut vec![0; bound + 2]).await?;
    Ok(())
}

async fn log_in(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    Credentials { user, password }: &Credentials,
) -> Result<(), ProxyError> {
    let (user, password) = (with_length(user.as_bytes())?, with_length(password.as_bytes())?);
    send(stream, &[&[LOGIN_VERSION], user.as_slice(), &password].concat()).await?;
    match receive(stream).await? {
        [LOGIN_VERSION, 0] => Ok(()),
        [LOGIN_VERSION, _] => Err(ProxyError::Credentials),
        _ => Err(ProxyError::Protocol),
    }
}

/// A host as a request names it.
fn address(host: &str) -> Result<Vec<u8>, ProxyError> {
    match host.parse() {
        Ok(IpAddr::V4(address)) => Ok([&[IPV4], address.octets().as_slice()].concat()),
        Ok(IpAddr::V6(address)) => Ok([&[IPV6], address.octets().as_slice()].concat()),
        Err(_) => Ok([&[NAME], with_length(host.as_bytes())?.as_slice()].concat()),
    }
}

/// A field with its length before it.
fn with_length(field: &[u8]) -> Result<Vec<u8>, ProxyError> {
    let length = u8::try_from(field.len()).map_err(|_| ProxyError::Protocol)?;
    Ok([&[length], field].concat())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), ProxyError> {
    stream.write_all(bytes).await?;
    Ok(stream.flush().await?)
}

async fn receive<const LENGTH: usize>(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; LENGTH], ProxyError> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_by_their_kind() {
        assert_eq!(address("192.0.2.1").unwrap(), [1, 192, 0, 2, 1]);
        assert_eq!(address("2001:db8::1").unwrap(), [&[4, 0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat());
        assert_eq!(address("ab.c").unwrap(), [3, 4, b'a', b'b', b'.', b'c']);
        assert!(matches!(address(&"a".repeat(256)), Err(ProxyError::Protocol)));
    }
}
