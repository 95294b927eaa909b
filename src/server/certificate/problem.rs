//! Why a server has no certificate: a sentence that says what to do, by the problem types of ACME (RFC 8555, 6.7).

use std::time::Duration;

use instant_acme::Error;

use super::FilesError;

/// See the module. The texts of an authority may name addresses, so that they are for the log at `debug` alone.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The directory is not reached.
    #[error(
        "The authority's directory is not reached. Check --acme-directory and the network; an authority of your own \
         needs --acme-root."
    )]
    NoAuthority,
    /// The authority does not reach the server.
    #[error(
        "The authority does not reach this server at port 443 of its domain. Let the router and the firewall pass TCP \
         port 443 on to the port that the server listens on."
    )]
    NotReached,
    /// Another server answers the authority.
    #[error(
        "The authority does not find this server at TCP port 443 of its domain. Let the domain lead to this server, the \
         router and the firewall pass port 443 on to it, and nothing else answer there."
    )]
    OtherServer,
    /// The name has no address.
    #[error("The domain's name has no address. Add an A or AAAA record for it that leads to this server.")]
    NoName,
    /// The authority's limits.
    #[error(
        "The authority issues no more certificates for this domain now: its rate limit is reached. Leave it running."
    )]
    RateLimit,
    /// The name is refused.
    #[error(
        "The authority issues no certificate for this name. Check --domain, and that the name leads to this server."
    )]
    RefusedName,
    /// The domain names other authorities.
    #[error("The domain's CAA record does not let this authority issue certificates. Change it, or --acme-directory.")]
    Caa,
    /// The contact is refused.
    #[error("The authority does not take the mail address. Check --acme-contact.")]
    Contact,
    /// The authority wants an account that was made elsewhere.
    #[error("The authority wants an account that was made on its own pages. Choose another one by --acme-directory.")]
    ExternalAccount,
    /// The authority does not know the account any more.
    #[error("The authority does not know this server's account. Remove acme-account.json from the folder of --data.")]
    NoAccount,
    /// The authority does not offer TLS-ALPN-01.
    #[error("The authority does not check domains by TLS-ALPN-01. Choose another one by --acme-directory.")]
    NoChallenge,
    /// The authority was too slow.
    #[error("The authority did not answer in time.")]
    Timeout,
    /// The authority's root certificate cannot be used.
    #[error("The file that --acme-root names cannot be read as a certificate in PEM.")]
    Root,
    /// The certificate is another one than was asked for.
    #[error("The authority issued something other than was asked for. Choose another one by --acme-directory.")]
    OtherCertificate,
    /// A file cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Anything else.
    #[error("The authority refused. Start the server with --log debug to see its words.")]
    Refused,
}

impl Problem {
    /// The problem that an error of ACME tells of.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Api(problem) => Self::of_type(problem.r#type.as_deref().unwrap_or_default()),
            Error::Timeout(_) => Self::Timeout,
            Error::Hyper(_) | Error::Http(_) | Error::InvalidUri(_) | Error::Json(_) | Error::Other(_) => {
                Self::NoAuthority
            }
            _ => Self::Refused,
        }
    }

    fn of_type(name: &str) -> Self {
        match name.strip_prefix("urn:ietf:params:acme:error:").unwrap_or_default() {
            "connection" => Self::NotReached,
            "tls" | "unauthorized" | "incorrectResponse" => Self::OtherServer,
            "dns" => Self::NoName,
            "rateLimited" => Self::RateLimit,
            "rejectedIdentifier" | "unsupportedIdentifier" | "malformed" => Self::RefusedName,
            "caa" => Self::Caa,
            "invalidContact" | "unsupportedContact" => Self::Contact,
            "externalAccountRequired" => Self::ExternalAccount,
            "accountDoesNotExist" => Self::NoAccount,
            _ => Self::Refused,
        }
    }

    /// Before the next try, after so many that failed one after the other: authorities let few failures pass an hour
    /// (Let's Encrypt five).
    pub(super) fn pause(&self, failures: u32) -> Duration {
        const FIRST: Duration = Duration::from_secs(15 * 60);
        const LONGEST: Duration = Duration::from_secs(12 * 3600);
        match self {
            Self::RateLimit => LONGEST / 2,
            _ => FIRST.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_of_an_authority_has_words_that_say_what_to_do() {
        for (name, words) in [
            ("connection", "port 443"),
            ("tls", "nothing else answer there"),
            ("unauthorized", "Let the domain lead to this server"),
            ("dns", "A or AAAA"),
            ("rateLimited", "rate limit"),
            ("rejectedIdentifier", "--domain"),
            ("caa", "CAA"),
            ("invalidContact", "--acme-contact"),
            ("externalAccountRequired", "--acme-directory"),
            ("serverInternal", "--log debug"),
        ] {
            let problem =
                serde_json::json!({"type": format!("urn:ietf:params:acme:error:{name}"), "detail": "203.0.113.5"});
            let told = Problem::of(&Error::Api(serde_json::from_value(problem).unwrap())).to_string();
            assert!(told.contains(words) && !told.contains("203.0.113.5"), "{name}: {told}");
        }
        assert!(matches!(Problem::of_type("urn:other:connection"), Problem::Refused));
    }

    #[test]
    fn tries_become_rare_and_never_reach_five_failures_an_hour() {
        let minutes = |failures| Problem::NotReached.pause(failures).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 7, 100].map(minutes), [15, 30, 60, 120, 720, 720]);
        assert_eq!(Problem::RateLimit.pause(1), Duration::from_secs(6 * 3600));
    }
}
