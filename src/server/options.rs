//! Options of `visavis-server`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};

use super::certificate::{ContactAddress, DirectoryUrl, Domain, Wanted};
use crate::identity::{ParseServerLinkError, ServerLink};

/// Visavis server: brings the apps of people together across the Internet. It stores nothing but its own key, and the
/// certificate of its domain where it has one.
#[derive(Debug, Parser)]
#[command(name = "visavis-server", version, about)]
pub struct Arguments {
    /// Folder for the server's key, made at the first start
    #[arg(long, global = true, value_name = "DIR", default_value = "visavis-server")]
    pub data: PathBuf,
    /// TCP address and port for apps
    #[arg(long, global = true, value_name = "ADDR:PORT", default_value = "[::]:443")]
    pub listen: SocketAddr,
    /// Name or address, and port, by which apps reach this server from outside
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub public: Option<PublicAddress>,
    /// Domain of this server: a certificate of it is had by ACME, so that apps reach the server by the name alone, too.
    /// The authority checks it at TCP port 443. Using this accepts the authority's terms of service
    #[arg(long, global = true, value_name = "NAME")]
    pub domain: Option<Domain>,
    /// ACME directory of the authority that issues the certificate
    #[arg(long, value_name = "URL", requires = "domain", default_value = DirectoryUrl::DEFAULT)]
    pub acme_directory: DirectoryUrl,
    /// Mail address that the authority writes to about the certificate
    #[arg(long, value_name = "MAIL", requires = "domain")]
    pub acme_contact: Option<ContactAddress>,
    /// PEM file with the root certificate of an authority of one's own, for its directory
    #[arg(long, value_name = "FILE", requires = "domain")]
    pub acme_root: Option<PathBuf>,
    /// UDP port of the relay for calls that find no direct way
    #[arg(long, value_name = "PORT", default_value_t = 3478)]
    pub relay_port: u16,
    /// No relay: calls that find no direct way fail
    #[arg(long)]
    pub no_relay: bool,
    /// Do not ask the router to pass the ports on (PCP, NAT-PMP)
    #[arg(long)]
    pub no_port_mapping: bool,
    /// This computer is one node of a server of several, which are joined by NATS at these URLs; tls:// for TLS
    #[arg(long, value_name = "URL", value_delimiter = ',', conflicts_with = "domain")]
    pub nats: Vec<String>,
    /// File with the credentials for NATS (a user's JWT and the seed of its NKey)
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub nats_credentials: Option<PathBuf>,
    /// File with certificates (PEM) that NATS' own is checked against, in place of the system's
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub nats_ca: Option<PathBuf>,
    /// JSON lines instead of words on standard output
    #[arg(long)]
    pub json: bool,
    /// Detail of the log on standard error: error, warn, info, debug or trace. IDs and addresses are named from debug
    /// on
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    pub log: String,
    /// Action instead of serving.
    #[command(subcommand)]
    pub action: Option<Action>,
}

impl Arguments {
    /// The certificate that is wanted, if any.
    pub(super) fn wanted_certificate(&self) -> Option<Wanted> {
        Some(Wanted {
            domain: self.domain.clone()?,
            directory: self.acme_directory.clone(),
            contact: self.acme_contact.clone(),
            root: self.acme_root.clone(),
        })
    }

    /// Name or address by which apps reach the server: `--public`, else the domain.
    pub(super) fn public_address(&self) -> Option<PublicAddress> {
        let of_domain = |domain: &Domain| PublicAddress { host: domain.as_str().to_owned(), port: None };
        self.public.clone().or_else(|| self.domain.as_ref().map(of_domain))
    }
}

/// Action instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Print the server's link again
    Link,
    /// The server's key
    Key {
        /// The action.
        #[command(subcommand)]
        action: KeyAction,
    },
}

/// Action on the key.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyAction {
    /// Write a copy of the key to a new file: with it another computer can be the same server
    Export {
        /// The file, which must not exist
        file: PathBuf,
    },
}

/// Host, and port unless it is the listener's, by which a server is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    host: String,
    port: Option<u16>,
}

impl PublicAddress {
    /// The port, unless it is the listener's.
    pub(super) const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The link of a server with this public key, whose listener has this port.
    pub fn link(&self, listener_port: u16, public_key: &[u8]) -> Result<ServerLink, ParseServerLinkError> {
        ServerLink::new(&self.host, self.port.unwrap_or(listener_port), public_key)
    }
}

impl FromStr for PublicAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "use a name or an address, such as calls.example.org, 203.0.113.5:8443 or [2001:db8::5]:443";
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong)?))
            }
            _ => (text, None),
        };
        let address = Self { host: host.to_owned(), port };
        address.link(1, &[]).map(|_| address).map_err(|_| wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_has_a_host_and_maybe_a_port() {
        for (text, address) in [
            ("calls.example.org", "calls.example.org:7"),
            ("calls.example.org:8443", "calls.example.org:8443"),
            ("203.0.113.5", "203.0.113.5:7"),
            ("2001:db8::5", "[2001:db8::5]:7"),
            ("[2001:db8::5]", "[2001:db8::5]:7"),
            ("[2001:db8::5]:443", "[2001:db8::5]:443"),
        ] {
            assert_eq!(text.parse::<PublicAddress>().unwrap().link(7, b"key").unwrap().address(), address);
        }
        for wrong in ["", ":443", "a:b", "a:0", "a:70000", "a b", "https://a", "[::1"] {
            assert!(wrong.parse::<PublicAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn arguments_are_read_as_documented() {
        let read = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(read("visavis-server --data d --listen 127.0.0.1:0 --public a.example --json").unwrap().json);
        assert!(matches!(read("visavis-server link --data d").unwrap().action, Some(Action::Link)));
        assert!(matches!(read("visavis-server key export f").unwrap().action, Some(Action::Key { .. })));
        let domain = "visavis-server --domain Calls.example.org";
        let wanted = read(domain).unwrap().wanted_certificate().unwrap();
        assert_eq!((wanted.domain.as_str(), wanted.directory.as_str()), ("calls.example.org", DirectoryUrl::DEFAULT));
        for (more, address) in [("", "calls.example.org:9"), (" --public a.example:8443", "a.example:8443")] {
            let public = read(&format!("{domain}{more}")).unwrap().public_address().unwrap();
            assert_eq!(public.link(9, b"key").unwrap().address(), address);
        }
        let of_own =
            format!("{domain} --acme-directory https://ca.example/dir --acme-root ca.pem --acme-contact a@b.example");
        assert!(read(&of_own).unwrap().wanted_certificate().unwrap().root.is_some());
        for without_domain in ["--acme-root ca.pem", "--acme-contact a@b.example", "--acme-directory https://a.example"]
        {
            assert!(read(&format!("visavis-server {without_domain}")).is_err(), "{without_domain}");
        }
        assert!(read("visavis-server").unwrap().wanted_certificate().is_none());
        let nodes = read("visavis-server --nats nats://a:4222,tls://b --nats nats://c --nats-ca f").unwrap();
        assert_eq!(nodes.nats, ["nats://a:4222", "tls://b", "nats://c"]);
        assert!(read("visavis-server --nats-credentials f").is_err(), "without --nats");
        assert!(read("visavis-server --nats nats://a --domain a.example").is_err());
        assert!(read("visavis-server --listen nowhere").is_err() && read("visavis-server key").is_err());
    }
}
