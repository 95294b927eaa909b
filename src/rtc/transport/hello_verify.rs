//! The cookie exchange of DTLS without its round trip (RFC 6347, 4.2.1): each side tells its cookie in its description.
//!
//! ```text
//! client's socket   ClientHello leaves; the engine is answered here: HelloVerifyRequest with the far side's cookie;
//!                   so ClientHello with the cookie leaves at once
//! server's socket   ClientHello with the cookie waits until the engine has answered the one without
//! ```
//!
//! A server asks for its cookie to know that its client is reachable at its address before it keeps state. Here that is
//! known: a connectivity check has been answered there (`source_gate`). The engine always asks, and has no setting for
//! that; both of its ends see the exchange as RFC 6347 has it. A far side without a cookie in its description is asked
//! in the usual way.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rtc::crypto::{CryptoError, RTCCrypto, RTCCryptoProvider, RTCRandom};

use super::dtls_record::{CLIENT_HELLO, HELLO_VERIFY_REQUEST, Record};
use crate::call::HelloCookie;

/// Datagrams for the engine that wait at most: a ClientHello leaves once a second at most.
const MAX_READY: usize = 4;
/// Version of DTLS 1.2 on the wire.
const DTLS_1_2: [u8; 2] = [0xfe, 0xfd];

/// Cookies of one connection, shared by its sockets.
#[derive(Debug, Default)]
pub(in crate::rtc) struct Cookies {
    /// This side's, should it be the server; `None` where the system gave no random number.
    own: Option<HelloCookie>,
    /// The one in the far side's description.
    far: OnceLock<HelloCookie>,
    /// This side has answered a ClientHello that had no cookie.
    verified: AtomicBool,
}

impl Cookies {
    /// Draws this side's cookie.
    pub(in crate::rtc) fn draw() -> Self {
        let own = HelloCookie::random().inspect_err(|error| tracing::debug!(%error, "no cookie is told")).ok();
        Self { own, ..Self::default() }
    }

    /// This side's cookie, for its description.
    pub(in crate::rtc) fn own(&self) -> Option<HelloCookie> {
        self.own.clone()
    }

    /// Notes the cookie of the far side's first description.
    pub(in crate::rtc) fn set_far(&self, cookie: &HelloCookie) {
        // A restart shakes no hands.
        let _ = self.far.set(cookie.clone());
    }

    /// `provider`, whose first cookie is this side's.
    pub(in crate::rtc) fn provider(&self, provider: Arc<dyn RTCCryptoProvider>) -> Arc<dyn RTCCryptoProvider> {
        let cookie = Mutex::new(self.own.as_ref().map(HelloCookie::bytes));
        Arc::new(TellingProvider { random: TellingRandom { provider: Arc::clone(&provider), cookie }, provider })
    }
}

/// The engine's cryptography, but for the cookie that this side has told.
struct TellingProvider {
    provider: Arc<dyn RTCCryptoProvider>,
    random: TellingRandom,
}

/// Random numbers of the engine. It draws nothing else of a cookie's length, and one cookie for its one handshake.
struct TellingRandom {
    provider: Arc<dyn RTCCryptoProvider>,
    cookie: Mutex<Option<[u8; HelloCookie::BYTES]>>,
}

impl RTCCryptoProvider for TellingProvider {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self.provider.crypto()
    }

    fn random(&self) -> &dyn RTCRandom {
        &self.random
    }
}

impl RTCRandom for TellingRandom {
    fn fill(&self, output: &mut [u8]) -> Result<(), CryptoError> {
        if output.len() == HelloCookie::BYTES
            && let Some(cookie) = self.cookie.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            output.copy_from_slice(&cookie);
            return Ok(());
        }
        self.provider.random().fill(output)
    }
}

/// Datagrams for the engine of one socket that the socket itself gives, or gives later.
#[derive(Debug)]
pub(super) struct HelloVerify {
    cookies: Arc<Cookies>,
    /// Held for a moment by the engine's task alone.
    waiting: Mutex<Waiting>,
}

type Datagram = (Vec<u8>, SocketAddr);

#[derive(Debug, Default)]
struct Waiting {
    ready: VecDeque<Datagram>,
    /// The latest ClientHello that came with a cookie too soon.
    held: Option<Datagram>,
}

impl HelloVerify {
    /// The queue of one socket of the connection with these cookies.
    pub(super) fn new(cookies: Arc<Cookies>) -> Self {
        Self { cookies, waiting: Mutex::default() }
    }

    /// Notes a datagram that leaves. True where the engine's ClientHello is answered here.
    pub(super) fn on_departure(&self, datagram: &[u8], to: SocketAddr) -> bool {
        match Record::read(datagram) {
            Some(Record::Message { kind: CLIENT_HELLO, sequence: 0 }) => {
                let Some(cookie) = self.cookies.far.get() else { return false };
                let mut waiting = self.waiting();
                if waiting.ready.len() < MAX_READY {
                    waiting.ready.push_back((hello_verify_request(cookie), to));
                }
                true
            }
            Some(Record::Message { kind: HELLO_VERIFY_REQUEST, .. }) => {
                self.cookies.verified.store(true, Relaxed);
                let mut waiting = self.waiting();
                let held = waiting.held.take();
                waiting.ready.extend(held);
                false
            }
            _ => false,
        }
    }

    /// Whether a datagram that came may go to the engine now. A ClientHello with a cookie that comes before the one
    /// without waits for that: the engine cannot read the two together.
    pub(super) fn admits(&self, datagram: &[u8], from: SocketAddr) -> bool {
        let early = matches!(Record::read(datagram), Some(Record::Message { kind: CLIENT_HELLO, sequence: 1.. }))
            && !self.cookies.verified.load(Relaxed);
        if early {
            self.waiting().held = Some((datagram.to_vec(), from));
        }
        !early
    }

    /// The next datagram for the engine.
    pub(super) fn take(&self) -> Option<Datagram> {
        self.waiting().ready.pop_front()
    }

    /// True while there is one.
    pub(super) fn is_ready(&self) -> bool {
        !self.waiting().ready.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's request for a cookie: its first record and its first message. The genuine one has the same numbers, and
/// the engine drops it as repeated.
fn hello_verify_request(cookie: &HelloCookie) -> Vec<u8> {
    const BODY: u8 = (3 + HelloCookie::BYTES) as u8;
    const MESSAGE_HEADER: u8 = 12;
    let [major, minor] = DTLS_1_2;
    let mut datagram = vec![22, major, minor, 0, 0, 0, 0, 0, 0, 0, 0, 0, MESSAGE_HEADER + BODY];
    datagram.extend([HELLO_VERIFY_REQUEST, 0, 0, BODY, 0, 0, 0, 0, 0, 0, 0, BODY]);
    datagram.extend([major, minor, HelloCookie::BYTES as u8]);
    datagram.extend(cookie.bytes());
    datagram
}

#[cfg(test)]
mod tests {
    use rtc::crypto::default_provider;

    use super::super::dtls_record::message_for_test;
    use super::*;

    const FAR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

    fn cookie() -> HelloCookie {
        "00ff".repeat(10).try_into().unwrap()
    }

    #[test]
    fn a_client_hello_is_answered_here_once_the_far_sides_cookie_is_known() {
        let cookies = Arc::new(Cookies::draw());
        let hello = HelloVerify::new(Arc::clone(&cookies));
        let first = message_for_test(CLIENT_HELLO, 0);
        assert!(!hello.on_departure(&first, FAR) && !hello.is_ready(), "the far side tells no cookie");
        cookies.set_far(&cookie());
        for other in [message_for_test(CLIENT_HELLO, 1), message_for_test(11, 2), vec![23, 1], vec![0, 1]] {
            assert!(!hello.on_departure(&other, FAR) && !hello.is_ready());
        }
        assert!(hello.on_departure(&first, FAR) && hello.is_ready());
        let (answer, from) = hello.take().unwrap();
        assert_eq!(Record::read(&answer), Some(Record::Message { kind: HELLO_VERIFY_REQUEST, sequence: 0 }));
        assert_eq!((answer.len(), &answer[28..], from), (48, &cookie().bytes()[..], FAR));
        (0..100).for_each(|_| assert!(hello.on_departure(&first, FAR)));
        assert_eq!(std::iter::from_fn(|| hello.take()).count(), MAX_READY);
    }

    #[test]
    fn a_client_hello_with_a_cookie_waits_for_the_answer_to_the_one_without() {
        let cookies = Arc::new(Cookies::draw());
        let [hello, other_socket] = [(), ()].map(|()| HelloVerify::new(Arc::clone(&cookies)));
        let second = message_for_test(CLIENT_HELLO, 1);
        assert!(!hello.admits(&second, FAR) && !hello.admits(&second, FAR));
        assert!(hello.admits(&message_for_test(CLIENT_HELLO, 0), FAR) && hello.admits(&[128, 1], FAR));
        assert_eq!(hello.take(), None);
        hello.on_departure(&message_for_test(HELLO_VERIFY_REQUEST, 0), FAR);
        assert_eq!((hello.take(), hello.take()), (Some((second.clone(), FAR)), None));
        assert!(hello.admits(&second, FAR) && other_socket.admits(&second, FAR), "its repetition, wherever it comes");
    }

    #[test]
    fn the_engine_draws_the_cookie_that_was_told_once_and_nothing_else_of_it() {
        let cookies = Cookies::draw();
        let told = cookies.own().unwrap().bytes();
        let provider = cookies.provider(default_provider().unwrap());
        let draw = |bytes: usize| {
            let mut output = vec![0; bytes];
            provider.random().fill(&mut output).unwrap();
            output
        };
        assert!([8, 28, 64].iter().all(|bytes| !draw(*bytes).windows(8).any(|part| told.starts_with(part))));
        assert_eq!(draw(HelloCookie::BYTES), told);
        assert_ne!(draw(HelloCookie::BYTES), told);
        assert_ne!(Cookies::draw().own(), cookies.own(), "each connection has its own");
    }
}
