//! HTTP CONNECT (RFC 9110, 9.3.6): a request, and an answer whose body, if it has one, is the tunnel.

use data_encoding::BASE64;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::credentials::Credentials;
use super::error::ProxyError;

/// Bytes of an answer's head at most.
const MAX_HEAD: usize = 16 * 1024;
/// Status of a proxy that wants a user name and a password (RFC 9110, 15.5.8).
const AUTHENTICATION_REQUIRED: u16 = 407;

/// Has the proxy at the other end of `stream` connect it to a host and port.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    credentials: Option<&Credentials>,
    host: &str,
    port: u16,
) -> Result<(), ProxyError> {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let login = credentials.map(|it| BASE64.encode(format!("{}:{}", it.user, it.password).as_bytes()));
    let login = login.map(|login| format!("Proxy-Authorization: Basic {login}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{login}\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    match status(&head(stream).await?).ok_or(ProxyError::Protocol)? {
        200..=299 => Ok(()),
        AUTHENTICATION_REQUIRED => Err(ProxyError::Credentials),
        status => Err(ProxyError::Refused(status)),
    }
}

/// The answer up to its empty line. Byte by byte, since what follows is the tunnel's; it is read once a connection.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, ProxyError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return Err(ProxyError::Protocol);
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

/// The status code of an answer's first line.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut parts = std::str::from_utf8(line).ok()?.splitn(3, ' ');
    let is_http = parts.next()?.starts_with("HTTP/1.");
    let code = parts.next().filter(|code| is_http && code.len() == 3)?;
    code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.parse().ok())?
}
