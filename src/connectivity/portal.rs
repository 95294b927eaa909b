//! Captive portal: a network that answers in place of others until somebody signs in (RFC 8952). It shows in an
//! unencrypted request to the server's host, which it sends elsewhere (HTTP 511 of RFC 6585, or a redirection).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

const HTTP: u16 = 80;
/// For the whole request.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 2048;
/// Characters of a page's address that are told.
const MAX_TOLD: usize = 100;

/// The page to sign in at, where an unencrypted request to a host is answered by a captive portal. It may be empty: not
/// every portal names its page. The text is the network's, and may be anything. The request goes from this
/// computer's address `bind`, where one is given, and through no proxy.
pub async fn captive_portal(host: &str, bind: Option<IpAddr>) -> Option<String> {
    let asked = async {
        let mut stream = connect(host, bind).await.ok()?;
        let request =
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: visavis-doctor\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        let _cut_off = stream.take(MAX_ANSWER as u64).read_to_end(&mut answer).await;
        page_of(&answer, host)
    };
    timeout(PATIENCE, asked).await.ok()?
}

async fn connect(host: &str, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let fits = |address: &std::net::SocketAddr| bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4());
    let address = lookup_host((host, HTTP)).await?.find(fits).ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bind) = bind {
        socket.bind((bind, 0).into())?;
    }
    socket.connect(address).await
}

fn page_of(answer: &[u8], host: &str) -> Option<String> {
    let head = String::from_utf8_lossy(answer);
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let status = first.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status: u16 = first.next().filter(|_| !status.is_empty())?.parse().ok()?;
    let location = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    let location = location
        .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.trim().chars().take(MAX_TOLD).collect::<String>())
        .next();
    match status {
        511 => Some(location.unwrap_or_default()),
        301..=303 | 307 | 308 => location.filter(|page| leads_away(page, host)),
        _ => None,
    }
}

/// Whether an address is one of another host: a server's own redirection to TLS is none.
fn leads_away(page: &str, host: &str) -> bool {
    let Some((_, rest)) = page.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
    let there = bracketed.unwrap_or_else(|| authority.split(':').next().unwrap_or_default());
    !there.is_empty() && !there.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_sends_elsewhere_and_a_web_server_to_itself() {
        let page = |answer: &str| page_of(answer.replace('\n', "\r\n").as_bytes(), "calls.example");
        let moved = |to: &str| page(&format!("HTTP/1.1 302 Found\nServer: a\nLOCATION: {to}\n\nlocation: no\n"));
        assert_eq!(moved("http://10.0.0.1/login?a=b").as_deref(), Some("http://10.0.0.1/login?a=b"));
        assert_eq!(moved("https://sign-in.example").as_deref(), Some("https://sign-in.example"));
        for own in ["https://calls.example/", "https://CALLS.example:443/x", "/login", "://", ""] {
            assert_eq!(moved(own), None, "{own}");
        }
        assert_eq!(page("HTTP/1.0 511 Network Authentication Required\n\n").as_deref(), Some(""));
        for other in ["HTTP/1.1 200 OK\nLocation: http://a.example/\n\n", "HTTP/1.1 302 Found\n\n", "SSH-2.0-x\n", ""] {
            assert_eq!(page(other), None, "{other}");
        }
        let long = moved(&format!("http://a.example/{}", "x".repeat(5000))).unwrap();
        assert_eq!(long.len(), MAX_TOLD);
        assert_eq!(page_of(b"HTTP/1.1 302 Found\r\nLocation: http://[2001:db8::1]/", "2001:db8::1"), None);
    }
}
