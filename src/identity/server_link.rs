//! Link of a server: `HOST:PORT*HASH`, whose hash pins the server's key, so that neither a certificate authority nor a
//! name server decides which server it is; or `NAME[:PORT]` alone, for a server that has a certificate of its domain.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// Servers of one person at most.
pub const MAX_SERVERS: usize = 8;
/// Characters of a host at most (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;
/// Characters of the hash: 32 bytes in base32 (RFC 4648), without padding, in lower case.
const HASH_TEXT: usize = 52;

/// Port of a link that names none.
pub const DEFAULT_PORT: u16 = 443;

/// Address of a server, and the SHA-256 of its key, or none where its certificate is to be valid for its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerLink {
    host: String,
    port: u16,
    key_hash: Option<[u8; 32]>,
}

/// A text that is no server's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "This is not a server's link. It has the form HOST:PORT*HASH, or NAME:PORT where the server has a certificate; copy \
     it whole from the server's first screen."
)]
pub struct ParseServerLinkError;

impl ServerLink {
    /// The link of the server at this host and port with this public key (DER of its SubjectPublicKeyInfo, RFC 5280,
    /// 4.1.2.7). The host is a name, an IPv4 address, or an IPv6 address with or without brackets.
    pub fn new(host: &str, port: u16, public_key: &[u8]) -> Result<Self, ParseServerLinkError> {
        let host = checked_host(host)?;
        if port == 0 {
            return Err(ParseServerLinkError);
        }
        Ok(Self { host, port, key_hash: Some(Self::hash_of(public_key)) })
    }

    /// The link of the server at this name and port that is known by its certificate alone (RFC 9525). Authorities
    /// certify names; an address is no name.
    pub fn by_name(name: &str, port: u16) -> Result<Self, ParseServerLinkError> {
        let host = checked_host(name)?;
        if port == 0 || host.parse::<IpAddr>().is_ok() {
            return Err(ParseServerLinkError);
        }
        Ok(Self { host, port, key_hash: None })
    }

    /// The SHA-256 of a public key as a link has it.
    pub fn hash_of(public_key: &[u8]) -> [u8; 32] {
        Sha256::digest(public_key).into()
    }

    /// The host: a name in lower case, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The SHA-256 of the server's public key; `None` where its certificate has to be valid for its name instead.
    pub const fn key_hash(&self) -> Option<&[u8; 32]> {
        self.key_hash.as_ref()
    }

    /// Whether the two lead to one server, as far as they tell: the same host and port, and no two different keys.
    pub fn leads_where(&self, other: &Self) -> bool {
        let is_one_key = self.key_hash.is_none() || other.key_hash.is_none() || self.key_hash == other.key_hash;
        (&self.host, self.port) == (&other.host, other.port) && is_one_key
    }

    /// Host and port, as people read them.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The host in its one form: addresses as the system writes them, names in lower case.
fn checked_host(host: &str) -> Result<String, ParseServerLinkError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = bare {
        return address.parse::<Ipv6Addr>().map(|address| address.to_string()).map_err(|_| ParseServerLinkError);
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is a number would be taken for an IPv4 address by some resolvers.
    let is_number = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = host.len() <= MAX_HOST && host.split('.').all(is_label) && !is_number;
    if is_name { Ok(host.to_owned()) } else { Err(ParseServerLinkError) }
}

impl fmt::Display for ServerLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.address())?;
        match &self.key_hash {
            Some(hash) => write!(formatter, "*{}", BASE32_NOPAD.encode(hash).to_ascii_lowercase()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServerLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServerLink({self})")
    }
}

impl FromStr for ServerLink {
    type Err = ParseServerLinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((address, hash)) = text.trim().rsplit_once('*') else { return read_name(text.trim()) };
        let (host, port) = address.rsplit_once(':').ok_or(ParseServerLinkError)?;
        // An IPv6 address without brackets would lose its last group to the port.
        if host.contains(':') && !host.starts_with('[') {
            return Err(ParseServerLinkError);
        }
        let port = read_port(port)?;
        if hash.len() != HASH_TEXT {
            return Err(ParseServerLinkError);
        }
        let hash = BASE32_NOPAD.decode(hash.to_ascii_uppercase().as_bytes()).map_err(|_| ParseServerLinkError)?;
        let key_hash = hash.try_into().map_err(|_| ParseServerLinkError)?;
        Ok(Self { host: checked_host(host)?, port, key_hash: Some(key_hash) })
    }
}

/// A link without a hash. A name without a dot is one only with its port: a lone word is more often a slip.
fn read_name(text: &str) -> Result<ServerLink, ParseServerLinkError> {
    match text.split_once(':') {
        Some((name, port)) => ServerLink::by_name(name, read_port(port)?),
        None if text.contains('.') => ServerLink::by_name(text, DEFAULT_PORT),
        None => Err(ParseServerLinkError),
    }
}

fn read_port(text: &str) -> Result<u16, ParseServerLinkError> {
    let is_port = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_port && *port > 0).ok_or(ParseServerLinkError)
}

impl Serialize for ServerLink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerLink {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(host: &str) -> ServerLink {
        ServerLink::new(host, 443, b"a key").unwrap()
    }

    #[test]
    fn a_link_is_read_as_it_is_written() {
        for (host, address) in [
            ("Calls.Example.org", "calls.example.org:443"),
            ("calls.example.org.", "calls.example.org:443"),
            ("203.0.113.5", "203.0.113.5:443"),
            ("2001:DB8::5", "[2001:db8::5]:443"),
            ("[2001:db8::5]", "[2001:db8::5]:443"),
            ("localhost", "localhost:443"),
        ] {
            let link = link(host);
            let text = link.to_string();
            assert_eq!(text.split('*').next(), Some(address));
            assert_eq!(text.len(), address.len() + 1 + HASH_TEXT);
            for written in [text.clone(), text.to_uppercase(), format!(" {text}\n")] {
                assert_eq!(written.parse::<ServerLink>(), Ok(link.clone()), "{written}");
            }
        }
        assert_eq!(link("a").key_hash().unwrap()[..], Sha256::digest(b"a key")[..]);
    }

    #[test]
    fn a_name_alone_is_a_link_to_the_server_that_has_its_certificate() {
        for (text, written) in [
            ("Calls.Example.org", "calls.example.org:443"),
            ("calls.example.org.:8443", "calls.example.org:8443"),
            (" calls.example.org:443\n", "calls.example.org:443"),
            ("intranet:443", "intranet:443"),
        ] {
            let link: ServerLink = text.parse().unwrap();
            assert_eq!((link.to_string().as_str(), link.key_hash()), (written, None));
            assert_eq!(written.parse(), Ok(link));
        }
        let addresses = ["203.0.113.5", "203.0.113.5:443", "[2001:db8::5]:443", "2001:db8::5", "1.2.3:443"];
        let slips =
            ["", "word", "a.example:", "a.example:0", "a.example:443:443", "a.example:443*", "a.example*", "a b.c"];
        let no_names = [
            "https://a.example",
            "ws://a.example",
            "a.example/b",
            "user@a.example",
            "a@example.org",
            "ü.example",
            ".",
            "a..b",
        ];
        for wrong in [&addresses[..], &slips, &no_names].concat() {
            assert_eq!(wrong.parse::<ServerLink>(), Err(ParseServerLinkError), "{wrong}");
        }
    }

    #[test]
    fn links_lead_to_one_server_unless_host_port_or_key_differ() {
        let [pinned, other_key] = [b"a key", b"other"].map(|key| ServerLink::new("a.example", 443, key).unwrap());
        let [name, other_port] = [443, 444].map(|port| ServerLink::by_name("A.example", port).unwrap());
        for (one, other, is_one) in [
            (&pinned, &pinned, true),
            (&pinned, &name, true),
            (&pinned, &other_key, false),
            (&name, &other_port, false),
        ] {
            assert_eq!((one.leads_where(other), other.leads_where(one)), (is_one, is_one), "{one} {other}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let hash = link("a").to_string().split('*').nth(1).unwrap().to_owned();
        for address in [
            "",
            ":443",
            "a",
            "a:",
            "a:0",
            "a:65536",
            "a:+443",
            "a:443:443",
            "a b:443",
            "a/b:443",
            "user@a:443",
            "a..b:443",
            "-a:443",
            "a-:443",
            "1.2.3:443",
            "1.2.3.4.5:443",
            "0x7f.1:443",
            "2001:db8::5:443",
            "[::1:443",
            "[a]:443",
            "ü:443",
            "[fe80::1%eth0]:443",
            "*:443",
            "a?b:443",
        ] {
            assert_eq!(format!("{address}*{hash}").parse::<ServerLink>(), Err(ParseServerLinkError), "{address}");
        }
        for wrong in ["", "a", &hash[1..], &format!("{hash}a"), &"1".repeat(52), &"ä".repeat(26)] {
            assert_eq!(format!("a:443*{wrong}").parse::<ServerLink>(), Err(ParseServerLinkError), "{wrong}");
        }
        assert!(ServerLink::new("a", 0, b"").is_err() && ServerLink::new(&"a.".repeat(200), 1, b"").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_failing(text in "\\PC{0,120}") {
            if let Ok(link) = text.parse::<ServerLink>() {
                prop_assert_eq!(link.to_string().parse(), Ok(link));
            }
        }
    }
}
