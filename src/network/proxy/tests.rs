//! Answers of proxies, right and wrong, whole and in drips.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

fn proxy(setting: &str) -> Proxy {
    ProxyRules::read(Some(setting), None, None).way_to("server.example", 443).unwrap().cloned().unwrap()
}

/// Opens `proxy` towards a far end that says `answers`, each after it has read as many bytes as stand before it. The
/// outcome, what was asked, and what the stream gives afterwards.
async fn open(proxy: &Proxy, answers: &[(usize, &[u8])]) -> (Result<(), ProxyError>, Vec<u8>, Vec<u8>) {
    let (mut near, mut far) = duplex(64 * 1024);
    let answer = async {
        let mut asked = Vec::new();
        for (length, answer) in answers {
            let before = asked.len();
            asked.resize(before + length, 0);
            if far.read_exact(&mut asked[before..]).await.is_err() {
                break;
            }
            let _ = far.write_all(answer).await;
        }
        drop(far);
        asked
    };
    let (outcome, asked) = tokio::join!(proxy.open(&mut near, "server.example", 8443), answer);
    let mut rest = Vec::new();
    let _ = near.read_to_end(&mut rest).await;
    (outcome, asked, rest)
}

#[tokio::test]
async fn an_http_proxy_is_asked_and_answers() {
    let asked = b"CONNECT server.example:8443 HTTP/1.1\r\nHost: server.example:8443\r\n\r\n";
    let ask = asked.len();
    for ok in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 204 Fine\r\nVia: x\r\nContent-Length: 9\r\n\r\n"] {
        let (outcome, said, rest) = open(&proxy("proxy.example:3128"), &[(ask, ok.as_bytes()), (0, b"tls")]).await;
        assert!(outcome.is_ok(), "{ok}: {outcome:?}");
        assert_eq!((said.as_slice(), rest.as_slice()), (&asked[..], &b"tls"[..]), "the tunnel's bytes stay in it");
    }
    let with_password = "http://ann:s%3Acret@proxy.example";
    let header = "Proxy-Authorization: Basic YW5uOnM6Y3JldA==\r\n";
    let (outcome, said, _) = open(&proxy(with_password), &[(ask + header.len(), b"HTTP/1.1 200 \r\n\r\n")]).await;
    assert!(outcome.is_ok() && String::from_utf8(said).unwrap().contains(header));
}

#[tokio::test]
async fn answers_of_an_http_proxy_that_lead_nowhere_are_told_apart() {
    let long = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(5000)].concat();
    for (answer, expected) in [
        (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "wants another user name"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "(403)"),
        (b"HTTP/1.1 502 Bad Gateway\r\nA: b\r\n\r\nlong page", "(502)"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "another protocol"),
        (b"\xff\xfe\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 200 OK\r\nVia", "connection"),
        (b"", "connection"),
        (&long, "another protocol"),
    ] {
        let (outcome, ..) = open(&proxy("proxy.example:3128"), &[(1, answer)]).await;
        let error = outcome.expect_err("it does not lead there").to_string();
        assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn a_socks_proxy_is_asked_and_answers() {
    let name = b"server.example";
    let connect = [&[5, 1, 0, 3, 14][..], name, &[0x20, 0xfb]].concat();
    for bound in [&[1, 9, 9, 9, 9, 0, 1][..], &[3, 2, b'a', b'b', 0, 1], &[[4; 17].as_slice(), &[0, 1]].concat()] {
        let reply = [&[5, 0, 0][..], bound, b"tls"].concat();
        let answers = [(3, &[5, 0][..]), (connect.len(), &reply)];
        let (outcome, said, rest) = open(&proxy("socks5h://proxy.example"), &answers).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!((said, rest.as_slice()), ([&[5, 1, 0][..], &connect].concat(), &b"tls"[..]));
    }
    let login = b"\x01\x03ann\x02pw";
    let reply = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let answers = [(4, &[5, 2][..]), (login.len(), &[1, 0]), (connect.len(), &reply)];
    let (outcome, said, _) = open(&proxy("socks5://ann:pw@proxy.example"), &answers).await;
    assert!(outcome.is_ok() && said.starts_with(&[&[5, 2, 0, 2][..], login].concat()), "{outcome:?}");
}

#[tokio::test]
async fn answers_of_a_socks_proxy_that_lead_nowhere_are_told_apart() {
    let with_password = "socks5://ann:pw@proxy.example";
    for (setting, answers, expected) in [
        ("socks5://p", &[(3, &[5, 0xff][..])][..], "wants another user name"),
        (with_password, &[(4, &[5, 2]), (8, &[1, 1])], "wants another user name"),
        ("socks5://p", &[(3, &[5, 2])], "another protocol"),
        ("socks5://p", &[(3, &[4, 90])], "another protocol"),
        ("socks5://p", &[(3, b"HTTP/1.1 400 Bad\r\n\r\n")], "another protocol"),
        ("socks5://p", &[(3, &[5, 0]), (21, &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0])], "(2)"),
        ("socks5://p", &[(3, &[5, 0]), (21, &[5, 0, 0, 7, 0, 0])], "another protocol"),
        ("socks5://p", &[(3, &[5, 0]), (21, &[5, 0, 0, 1, 0])], "connection"),
    ] {
        let (outcome, ..) = open(&proxy(setting), answers).await;
        let error = outcome.expect_err("it does not lead there").to_string();
        assert!(error.contains(expected), "{answers:?}: {error}");
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_or_drips_is_given_up() {
    for (setting, drip) in [("p:1", &b"H"[..]), ("p:1", b""), ("socks5://p", b"")] {
        let (mut near, mut far) = duplex(1024);
        let dripping = async {
            while !drip.is_empty() && far.write_all(drip).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            std::future::pending::<()>().await;
        };
        let opening = proxy(setting);
        tokio::select! {
            outcome = opening.open_within(Duration::from_millis(40), &mut near, ("server.example", 443)) => {
                assert!(matches!(outcome, Err(ProxyError::Slow)), "{setting}: {outcome:?}");
            }
            () = dripping => {}
        }
    }
}
