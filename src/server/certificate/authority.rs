//! One exchange with an authority (RFC 8555, 7): the account, an order for the domain, the proof by TLS-ALPN-01 (RFC
//! 8737), and the certificate for the server's own key.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use super::files::{Account, Files};
use super::issued::Issued;
use super::problem::Problem;
use super::{Domain, Wanted};
use crate::server::key::ServerKey;
use crate::server::tls::Certificates;

/// For everything from the directory to the certificate.
const WHOLE: Duration = Duration::from_secs(180);
/// Between looks at an order, growing, and for all of them.
const LOOKS: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(80));

/// An authority that is asked for certificates of one key.
pub(super) struct Authority {
    pub(super) wanted: Wanted,
    pub(super) files: Files,
    pub(super) key: Arc<ServerKey>,
    pub(super) certificates: Arc<Certificates>,
}

impl Authority {
    /// Asks for a certificate, and keeps it.
    pub(super) async fn obtain(&self) -> Result<Issued, Problem> {
        timeout(WHOLE, self.ask()).await.unwrap_or(Err(Problem::Timeout))
    }

    async fn ask(&self) -> Result<Issued, Problem> {
        let known = self.files.account(&self.wanted.directory);
        let is_known = known.is_some();
        let mut order = match self.order(known).await {
            // Test authorities forget accounts when they end.
            Err(Problem::NoAccount) if is_known => self.order(None).await?,
            order => order?,
        };
        self.prove(&mut order).await?;
        let request = self.key.certificate_request(&self.wanted.domain).map_err(|_| Problem::Refused)?;
        order.finalize_csr(&request).await.map_err(|error| told(&error))?;
        let pem = order.poll_certificate(&LOOKS).await.map_err(|error| told(&error))?;
        let issued = Issued::read(&pem, &self.wanted.domain, &self.key.public_key()).map_err(|error| {
            tracing::debug!(%error, "the authority's certificate is of no use");
            Problem::OtherCertificate
        })?;
        if let Err(error) = self.files.keep_certificate(&pem) {
            // It serves all the same; the next start asks for another one.
            tracing::warn!("{error}");
        }
        Ok(issued)
    }

    /// A new order, under this account or a new one.
    async fn order(&self, known: Option<Account>) -> Result<Order, Problem> {
        let account = self.account(known).await?;
        let identifiers = [Identifier::Dns(self.wanted.domain.as_str().to_owned())];
        account.new_order(&NewOrder::new(&identifiers)).await.map_err(|error| told(&error))
    }

    async fn account(&self, known: Option<Account>) -> Result<instant_acme::Account, Problem> {
        let client = match &self.wanted.root {
            Some(root) => instant_acme::Account::builder_with_root(root).map_err(|_| Problem::Root)?,
            None => instant_acme::Account::builder().map_err(|error| told(&error))?,
        };
        let contact = self.wanted.contact.as_ref().map(|contact| contact.url());
        let contacts: Vec<_> = contact.iter().map(String::as_str).collect();
        let directory = self.wanted.directory.as_str().to_owned();
        let Some(known) = known else {
            let new = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
            let made = client.create(&new, directory.clone(), None).await;
            let (account, credentials) = made.map_err(|error| told(&error))?;
            self.files.keep_account(&Account { directory, contact, credentials })?;
            return Ok(account);
        };
        let Account { contact: known_contact, credentials, .. } = known;
        let account = client.from_credentials(credentials).await.map_err(|error| told(&error))?;
        if known_contact != contact {
            account.update_contacts(&contacts).await.map_err(|error| told(&error))?;
            if let Some(kept) = self.files.account(&self.wanted.directory) {
                self.files.keep_account(&Account { contact, ..kept })?;
            }
        }
        Ok(account)
    }

    /// Proves the domain, as far as the authority does not know it already.
    async fn prove(&self, order: &mut Order) -> Result<(), Problem> {
        let challenge = self.answer(order).await?;
        let ready = match challenge {
            None => Ok(order.state().status),
            Some(_) => order.poll_ready(&LOOKS).await,
        };
        match ready {
            Ok(OrderStatus::Ready | OrderStatus::Valid | OrderStatus::Processing) => Ok(()),
            Ok(OrderStatus::Pending | OrderStatus::Invalid) => {
                Err(self.reason(order).await.unwrap_or(Problem::Refused))
            }
            Err(error) => Err(self.reason(order).await.unwrap_or_else(|| told(&error))),
        }
    }

    /// Lets the server answer the authority's handshakes, for as long as the result is held; `None` where no proof is
    /// wanted.
    async fn answer(&self, order: &mut Order) -> Result<Option<Answered<'_>>, Problem> {
        let mut answered = None;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| told(&error))?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                _ => return Err(Problem::Refused),
            }
            let mut challenge = authorization.challenge(ChallengeType::TlsAlpn01).ok_or(Problem::NoChallenge)?;
            let digest = challenge.key_authorization().digest();
            let certificate = self.key.challenge_certificate(&self.wanted.domain, digest.as_ref());
            answered = Some(Answered::with(
                &self.certificates,
                &self.wanted.domain,
                certificate.map_err(|_| Problem::Refused)?,
            ));
            challenge.set_ready().await.map_err(|error| told(&error))?;
        }
        Ok(answered)
    }

    /// The authority's reason against the domain.
    async fn reason(&self, order: &mut Order) -> Option<Problem> {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let state = authorization.refresh().await.ok()?;
            let reason = state.challenges.iter().find_map(|challenge| challenge.error.clone());
            if let Some(reason) = reason {
                return Some(told(&Error::Api(reason)));
            }
        }
        None
    }
}

/// The problem, whose details are for the log at `debug`: they name addresses.
fn told(error: &Error) -> Problem {
    tracing::debug!(?error, "the authority's words");
    Problem::of(error)
}

/// The answer to the authority's handshakes, which ends when this is dropped.
struct Answered<'a>(&'a Certificates);

impl<'a> Answered<'a> {
    fn with(certificates: &'a Certificates, domain: &Domain, certificate: CertificateDer<'static>) -> Self {
        certificates.answer_challenge(domain, certificate);
        Self(certificates)
    }
}

impl Drop for Answered<'_> {
    fn drop(&mut self) {
        self.0.end_challenge();
    }
}
