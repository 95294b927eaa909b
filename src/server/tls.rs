//! TLS of a server: version 1.3 alone, with the server's own key. Certificates for that key differ by who asks: apps
//! get the one of an authority where there is one, else one that the key signs for itself; an authority that checks the
//! domain gets the proof that it wants (RFC 8737).

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::version::TLS13;

use super::certificate::{Domain, Issued};
use super::key::{KeyError, ServerKey};
use crate::server_protocol::{ALPN, EXPORTER_LABEL};

/// Bytes that one session buffers for sending at most.
const SEND_BUFFER: usize = 16 * 1024;
/// Protocol of an authority's check of a domain (RFC 8737, 6.2).
const ACME_ALPN: &[u8] = b"acme-tls/1";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate was made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The TLS library refuses.
    #[error("TLS cannot be set up: {0}. Start the server again.")]
    Tls(#[from] rustls::Error),
}

/// Certificates of the server's one key.
#[derive(Debug)]
pub(super) struct Certificates {
    key: Arc<dyn SigningKey>,
    /// Certificate for apps.
    served: RwLock<Arc<CertifiedKey>>,
    /// Certificate for an authority that asks for this name.
    challenge: RwLock<Option<(Domain, Arc<CertifiedKey>)>>,
}

impl Certificates {
    /// Those of a server without an authority.
    pub(super) fn of(key: &ServerKey) -> Result<Self, TlsError> {
        let (own, key) = (key.own_certificate()?, key.signing_key()?);
        let served = Arc::new(CertifiedKey::new(vec![own], Arc::clone(&key)));
        Ok(Self { key, served: RwLock::new(served), challenge: RwLock::new(None) })
    }

    /// Gives apps this certificate from the next handshake on.
    pub(super) fn put(&self, issued: &Issued) -> Result<(), TlsError> {
        let certified = CertifiedKey::new(issued.chain().to_vec(), Arc::clone(&self.key));
        certified.keys_match()?;
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }

    /// Answers an authority that checks this domain.
    pub(super) fn answer_challenge(&self, domain: &Domain, certificate: CertificateDer<'static>) {
        let certified = Arc::new(CertifiedKey::new(vec![certificate], Arc::clone(&self.key)));
        *self.challenge.write().unwrap_or_else(PoisonError::into_inner) = Some((domain.clone(), certified));
    }

    /// Answers no authority any more.
    pub(super) fn end_challenge(&self) {
        *self.challenge.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn of_challenge(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let challenge = self.challenge.read().unwrap_or_else(PoisonError::into_inner);
        let (domain, certified) = challenge.as_ref()?;
        name.is_some_and(|name| name.eq_ignore_ascii_case(domain.as_str())).then(|| Arc::clone(certified))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if client.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_ALPN)) {
            return self.of_challenge(client.server_name());
        }
        Some(Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Acceptor of TLS sessions with these certificates.
pub(super) fn acceptor(certificates: Arc<Certificates>) -> Result<tokio_rustls::TlsAcceptor, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    // The first that a client offers, too: one that checks a domain offers nothing else.
    config.alpn_protocols = vec![ACME_ALPN.to_vec(), ALPN.to_vec()];
    // Many who come back at once need no second signature of the server.
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config).into())
}

/// Whether a session is an authority's check of the domain, which is done with the handshake (RFC 8737, 3).
pub(super) fn is_challenge(session: &rustls::ServerConnection) -> bool {
    session.alpn_protocol() == Some(ACME_ALPN)
}

/// The exporter of a session, over which its proof is made.
pub(super) fn exporter(session: &mut rustls::ServerConnection) -> Result<[u8; 32], rustls::Error> {
    session.set_buffer_limit(Some(SEND_BUFFER));
    session.export_keying_material([0; 32], EXPORTER_LABEL, None)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::server::Acceptor;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// The certificate for a client that offers this protocol and asks for this name.
    fn shown(certificates: &Certificates, protocol: &[u8], name: &str) -> Option<CertificateDer<'static>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(config.into(), name).unwrap();
        let (mut hello, mut acceptor) = (Vec::new(), Acceptor::default());
        client.write_tls(&mut hello).unwrap();
        acceptor.read_tls(&mut hello.as_slice()).unwrap();
        let accepted = acceptor.accept().ok().flatten().unwrap();
        Some(certificates.resolve(accepted.client_hello())?.cert[0].clone())
    }

    #[test]
    fn an_authority_gets_its_proof_for_the_domain_alone_and_everybody_else_the_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let key = ServerKey::load_or_create(folder.path()).unwrap();
        let certificates = Certificates::of(&key).unwrap();
        let domain: Domain = "calls.example.org".parse().unwrap();
        let own = shown(&certificates, ALPN, "calls.example.org").unwrap();
        let asked = |name: &str| shown(&certificates, ACME_ALPN, name);
        assert_eq!(asked("calls.example.org"), None, "nothing is under way");
        let proof = key.challenge_certificate(&domain, &[7; 32]).unwrap();
        certificates.answer_challenge(&domain, proof.clone());
        assert_eq!(asked("calls.example.org"), Some(proof.clone()));
        assert_eq!((asked("other.example.org"), asked("203.0.113.5")), (None, None));
        for name in ["calls.example.org", "other.example.org", "203.0.113.5"] {
            assert_eq!(shown(&certificates, ALPN, name), Some(own.clone()), "{name}");
        }
        certificates.end_challenge();
        assert_eq!(asked("calls.example.org"), None);

        // RFC 8737, 3: the one name, and the digest in a critical extension (1.3.6.1.5.5.7.1.31).
        let (_, read) = x509_parser::parse_x509_certificate(&proof).unwrap();
        let names = read.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [x509_parser::extensions::GeneralName::DNSName("calls.example.org")]);
        let identifier = read.extensions().iter().find(|it| it.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(identifier.critical);
        assert_eq!(identifier.value, [&[4, 32][..], &[7; 32]].concat());
    }
}
