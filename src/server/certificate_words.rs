//! Words about a server's certificate for whoever started it, or JSON lines for scripts. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::certificate::{DirectoryUrl, Domain, Standing};
use crate::identity::ServerLink;

/// Subject of a certificate, and the authority that is asked for it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) domain: Domain,
    /// The TCP port by which apps reach the server.
    pub(super) port: u16,
    pub(super) directory: DirectoryUrl,
}

/// A line of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Certificate {
        domain: &'a str,
        /// The link by the name alone, once there is a certificate.
        #[serde(skip_serializing_if = "Option::is_none")]
        link: Option<ServerLink>,
        /// Its end, in milliseconds of Unix time.
        #[serde(skip_serializing_if = "Option::is_none")]
        valid_until_ms: Option<u128>,
        /// Why there is none, or no new one.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        again_s: Option<u64>,
    },
}

impl Subject {
    /// The words about the certificate's state.
    pub(super) fn words(&self, standing: &Standing) -> String {
        let Self { domain, directory, .. } = self;
        match standing {
            Standing::Asked => format!("A certificate for {domain} is asked for from {}.", directory.as_str()),
            Standing::Valid(until) => {
                let date = date(*until);
                let name = self.link().map(|link| link.to_string()).unwrap_or_default();
                format!(
                    "Certificate: valid for {domain} until {date}, and renewed in time. People can add this server by its \
                     name alone, too:\n\n    {name}\n"
                )
            }
            Standing::Failed { problem, again } => format!(
                "No certificate for {domain} was issued. {problem}\nIt is asked for again in {}. The link above, with \
                 the part after *, works without it.",
                time(*again)
            ),
        }
    }

    /// The line of the certificate's state.
    pub(super) fn line(&self, standing: &Standing) -> String {
        let (link, until, problem, again) = match standing {
            Standing::Asked => (None, None, None, None),
            Standing::Valid(until) => (self.link(), Some(*until), None, None),
            Standing::Failed { problem, again } => (None, None, Some(problem.to_string()), Some(*again)),
        };
        let valid_until_ms = until.map(|until| until.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis());
        let again_s = again.map(|again| again.as_secs());
        let line = Line::Certificate { domain: self.domain.as_str(), link, valid_until_ms, problem, again_s };
        // Numbers and texts alone: it cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }

    fn link(&self) -> Option<ServerLink> {
        ServerLink::by_name(self.domain.as_str(), self.port).ok()
    }
}

/// The day of a time, in UTC.
fn date(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.to_zoned(TimeZone::UTC).date().to_string()).unwrap_or_default()
}

fn time(time: Duration) -> String {
    match time.as_secs() / 60 {
        minutes @ 0..=119 => format!("{minutes} minutes"),
        minutes => format!("{} hours", minutes / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::certificate::Problem;
    use super::*;

    fn subject() -> Subject {
        let directory = DirectoryUrl::DEFAULT.parse().unwrap();
        Subject { domain: "calls.example.org".parse().unwrap(), port: 8443, directory }
    }

    #[test]
    fn the_words_tell_the_name_to_give_away_or_what_to_do() {
        let until = UNIX_EPOCH + Duration::from_secs(1_772_150_400);
        let valid = subject().words(&Standing::Valid(until));
        assert!(valid.contains("until 2026-02-27") && valid.contains("    calls.example.org:8443\n"), "{valid}");
        for (minutes, words) in [(15, "15 minutes"), (119, "119 minutes"), (720, "12 hours")] {
            let again = Duration::from_secs(minutes * 60);
            let failed = subject().words(&Standing::Failed { problem: Arc::new(Problem::NotReached), again });
            let expected = ["No certificate for calls.example.org", "TCP port 443", words, "works without it"];
            assert!(expected.iter().all(|expected| failed.contains(expected)), "{failed}");
        }
        assert!(subject().words(&Standing::Asked).contains(DirectoryUrl::DEFAULT));
    }

    #[test]
    fn lines_for_scripts_are_the_contracts() {
        let line = |standing| serde_json::from_str::<serde_json::Value>(&subject().line(&standing)).unwrap();
        let valid = line(Standing::Valid(UNIX_EPOCH + Duration::from_secs(9)));
        assert_eq!(
            valid,
            serde_json::json!({
                "event": "certificate", "domain": "calls.example.org", "link": "calls.example.org:8443",
                "valid_until_ms": 9000,
            })
        );
        let failed = line(Standing::Failed { problem: Arc::new(Problem::NoName), again: Duration::from_secs(900) });
        assert_eq!((&failed["again_s"], failed["problem"].is_string()), (&900.into(), true));
        assert!(failed.get("link").is_none());
    }
}
