//! TLS towards a server, and the check of its certificate. Where the link has a hash, the one key with that SHA-256 is
//! taken and no other: no certificate authority, name or date takes part, and nothing else makes up for another key.
//! Where it has none, the certificate has to be valid for the link's name by the authorities that the system trusts
//! (RFC 5280, RFC 9525). Runs within the TLS handshake.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::identity::ServerLink;
use crate::server_protocol::ALPN;

/// TLS towards the server of this link: version 1.3 alone, with its key alone, or with a certificate of its name.
///
/// # Errors
///
/// Those of rustls; without a hash also that the system has no certificate authorities.
pub(super) fn client_config(link: &ServerLink) -> Result<ClientConfig, Error> {
    client_config_with(link, None)
}

/// The same with a further authority.
pub(super) fn client_config_with(
    link: &ServerLink,
    authority: Option<CertificateDer<'static>>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match link.key_hash() {
        Some(key_hash) => Arc::new(Pin { key_hash: *key_hash, provider: Arc::clone(&provider) }),
        None => Arc::new(Verifier::new_with_extra_roots(authority, Arc::clone(&provider))?),
    };
    // "Dangerous" is rustls' name for every verifier that is not its own; the pin is stricter than that one, and the
    // system's is no laxer.
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// Fault of a certificate, as far as a person can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The key is another one than the link's.
    OtherKey,
    /// The certificate is one of another name.
    OtherName,
    /// The certificate's time is over, or has not begun.
    Expired,
    /// No authority that this computer trusts has issued the certificate, or it is wrong otherwise.
    Untrusted,
}

/// The fault that an error of the TLS handshake with the server of this link tells of, if any.
pub(super) fn fault(link: &ServerLink, error: &Error) -> Option<Fault> {
    use CertificateError as E;
    let Error::InvalidCertificate(error) = error else { return None };
    Some(match error {
        E::ApplicationVerificationFailure if link.key_hash().is_some() => Fault::OtherKey,
        E::NotValidForName | E::NotValidForNameContext { .. } => Fault::OtherName,
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => Fault::Expired,
        _ => Fault::Untrusted,
    })
}

/// Verifier of a pinned key.
#[derive(Debug)]
struct Pin {
    key_hash: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if ServerLink::hash_of(&key) == self.key_hash {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    /// The proof that the other end has the key, and not just its certificate.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
