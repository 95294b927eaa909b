//! Certificate that an authority has issued: it counts only for the server's own key and domain. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_parser::time::ASN1Time;

use super::Domain;

/// Certificates of a chain at most.
const MAX_CHAIN: usize = 8;

/// Why a chain is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// It is no chain of certificates in PEM.
    #[error("it is no chain of certificates")]
    NoChain,
    /// It is for another key.
    #[error("it is for another key")]
    OtherKey,
    /// It is for another name.
    #[error("it is for another name")]
    OtherName,
}

/// A chain of certificates for the server's key and domain, the server's first.
#[derive(Clone, Debug)]
pub(in crate::server) struct Issued {
    chain: Vec<CertificateDer<'static>>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Issued {
    /// Reads a chain in PEM (RFC 8555, 9.1) for this domain and this public key (DER of its SubjectPublicKeyInfo).
    pub(super) fn read(pem: &str, domain: &Domain, public_key: &[u8]) -> Result<Self, Unusable> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).take(MAX_CHAIN + 1).collect();
        let chain = chain.ok().filter(|chain| chain.len() <= MAX_CHAIN).ok_or(Unusable::NoChain)?;
        let own = chain.first().ok_or(Unusable::NoChain)?;
        let parsed = ParsedCertificate::try_from(own).map_err(|_| Unusable::NoChain)?;
        if parsed.subject_public_key_info().as_ref() != public_key {
            return Err(Unusable::OtherKey);
        }
        let name = ServerName::try_from(domain.as_str()).map_err(|_| Unusable::OtherName)?;
        verify_server_name(&parsed, &name).map_err(|_| Unusable::OtherName)?;
        let (_, read) = x509_parser::parse_x509_certificate(own).map_err(|_| Unusable::NoChain)?;
        let (not_before, not_after) = (time(read.validity.not_before), time(read.validity.not_after));
        Ok(Self { chain, not_before, not_after })
    }

    /// The chain.
    pub(in crate::server) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// When it ends.
    pub(in crate::server) const fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// When to ask for the next one: once a third of its time is left.
    pub(super) fn renewal(&self) -> SystemTime {
        let whole = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_after - whole / 3
    }
}

/// A certificate's time; those of before 1970 are as good as that.
fn time(time: ASN1Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.timestamp().try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};

    use super::*;

    fn certificate(name: &str, key: &KeyPair) -> String {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(2026, 1, 1);
        parameters.not_after = date_time_ymd(2026, 1, 31);
        parameters.self_signed(key).unwrap().pem()
    }

    #[test]
    fn a_chain_counts_for_its_key_and_its_name_alone() {
        let [key, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
        let (public, domain) = (key.subject_public_key_info(), "calls.example.org".parse().unwrap());
        let read = |pem: &str| Issued::read(pem, &domain, &public);
        let own = certificate("calls.example.org", &key);
        let issued = read(&(own.clone() + &certificate("authority", &other))).unwrap();
        assert_eq!(issued.chain().len(), 2);
        let seconds = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap().as_secs();
        assert_eq!(seconds(issued.renewal(), issued.not_after()), 10 * 86_400);
        for (pem, error) in [
            (certificate("calls.example.org", &other), Unusable::OtherKey),
            (certificate("calls.example.com", &key), Unusable::OtherName),
            (certificate("*.example.com", &key), Unusable::OtherName),
            (String::new(), Unusable::NoChain),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), Unusable::NoChain),
            (own.replace("CERTIFICATE", "PRIVATE KEY"), Unusable::NoChain),
            (own.repeat(MAX_CHAIN + 1), Unusable::NoChain),
        ] {
            assert_eq!(read(&pem).unwrap_err(), error, "{pem}");
        }
    }
}
